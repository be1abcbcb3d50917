"""The profile for macOS, as text: what it says is all that can be looked at elsewhere. Where there is a sandbox-exec, it is tried."""

import asyncio
from pathlib import Path

import pytest

from loopdeck.sandbox import seatbelt, second
from loopdeck.sandbox.port import Command, Forward
from loopdeck.sandbox.seatbelt import SeatbeltDoor, profile
from loopdeck.sandbox.walls import Walls


def test_all_is_denied_that_is_not_shown_and_later_lines_are_the_narrower_ones():
    lines = profile([Path("/tools")], [Path("/tree")], [Path("/home/deck")], [Path("/tree/.git")], False, [4711]).splitlines()
    assert lines[:2] == ["(version 1)", "(deny default)"]
    order = [
        '(allow file-read* (subpath "/tools"))',
        '(deny file-read* file-write* (subpath "/home/deck"))',
        '(allow file-read* file-write* (subpath "/tree"))',
        '(deny file-write* (subpath "/tree/.git"))',
    ]
    assert [line for line in lines if line in order] == order
    assert '(allow network-outbound (remote ip "localhost:4711"))' in lines
    assert not [line for line in lines if line.startswith("(allow network*")]
    assert "(allow network*)" in profile([], [], [], [], True)


def test_a_path_can_not_say_more_than_it_is():
    text = profile([Path('/a")) (allow default) (("'), Path("/b\\")], [], [], [], False)
    assert '(allow file-read* (subpath "/a\\")) (allow default) ((\\""))' in text
    assert '(subpath "/b\\\\"))' in text
    assert text.count("\n(") == len(text.splitlines()) - 1
    with pytest.raises(ValueError, match="control characters"):
        profile([Path("/a\n(allow default)")], [], [], [], False)


def test_a_command_gets_its_own_folders_and_sealed_places_whether_they_are_there_or_not(tmp_path):
    tree, deck = tmp_path / "deck/worktrees/w", tmp_path / "deck"
    (tree / "tests").mkdir(parents=True)
    (tree / ".vscode").mkdir()
    door = SeatbeltDoor(Walls(tree, hidden=(deck,), protect=("tests/**",), network=("a.b",)), "run", tmp_path)
    command = Command(("true",), tree, {}, 5, writable=(tree,), forwards=(Forward("gateway", 4711, ("127.0.0.1", 4711)),))
    text = door.profile(command, (tmp_path / "home",))
    for sealed in (".git", ".vscode", "tests", ".mcp.json", ".claude", "CLAUDE.md"):
        assert f'(deny file-write* (subpath "{tree / sealed}"))' in text
    assert text.index(f'(subpath "{deck}")') < text.index(f'(allow file-read* file-write* (subpath "{tree}"))')
    assert "localhost:4711" in text
    assert "(allow network*)" not in text
    assert sorted(entry.name for entry in tree.iterdir()) == [".vscode", "tests"]


@pytest.mark.skipif(not seatbelt.here(), reason="there is no sandbox-exec")
def test_where_there_is_one_it_holds():
    found = asyncio.run(second.second_proof())
    assert found.holds, found
