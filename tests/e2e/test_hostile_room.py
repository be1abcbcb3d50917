"""The room on a real terminal, on a deck where every text is hostile: nothing of it acts, or is there raw, or breaks anything."""

import re
import sys
from functools import partial

import pytest

from tests.kit.evil import FILES, evil_loops
from tests.kit.front import Front
from tests.kit.hostile import ALL, FAMILIES, harm_in
from tests.kit.repos import make_repo
from tests.kit.terminal import Terminal, on_terminal

_OURS = re.compile(
    r"\x1b\[[0-9;?<>=:]*[ -/]*[@-~]|\x1b[78=>]|\x1b\((?=B)B|"
    r"\x1b\](?:9|22|777);[^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP[=+$][^\x1b]*\x1b\\|[\r\n\x07]"
)
"""What Textual and our notices write themselves; a hostile text never comes after a blank as one of these (see FAMILIES)."""
# What is on the screen that a key opens, and not on the one it is typed on.
SCREENS = (
    ("peek", " ", "/ filter"), ("help", "?", "keys of the deck"), ("approvals", "a", "approvals: 1"), ("why", "w", "why  evil"),
    ("trace", "t", "trace · evil"), ("state", "e", "state of"), ("board", "b", "board "), ("boards", "B", "board "),
    ("loop", "\r", "exit  ≤"), ("money", "m", "money of all"),
)  # fmt: skip
AFTER = (
    ("review", "v", "review evil"), ("loop", "\r", "exit  ≤"), ("state", "e", "state of evil"), ("trace", "t", "trace · evil"),
    ("why", "w", "why  evil"),
)  # fmt: skip
_HOME = "/ filter"
"""In the footer of the deck screen, and of no other."""


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    base = tmp_path_factory.mktemp("hostile-room").resolve()
    front = Front(make_repo(base / "mark-folder\x1b]0;x\x07\u202e", {**FILES, **evil_loops()}), base)
    try:
        yield front
    finally:
        front.end()


def harmless(raw: bytes) -> None:
    """Fails if any of the hostile texts, or a character of theirs, was written as it is."""
    text = raw.decode("utf-8", "surrogateescape")
    for name, hostile in FAMILIES.items():
        if hostile.startswith(("\x1b", "\x9b")):
            assert f" {hostile} " not in text, name
    assert not harm_in(_OURS.sub("", text))
    assert b"\x1b]52;c;cm0g" not in raw
    assert b"\x1b]0;pwned" not in raw


def contains(words: str, text: str) -> bool:
    assert "the room broke" not in text
    return words in text


def came_home(terminal: Terminal) -> bool:
    """Read until the deck screen is there, or nothing comes any more."""
    while not contains(_HOME, terminal.text):
        if not terminal.read(0.3):
            return False
    return True


def walked(door: Front, screens: tuple[tuple[str, str, str], ...], size: tuple[int, int]) -> bytes:
    """Open each screen and come back; gives every byte that was written."""
    with on_terminal([sys.executable, "-m", "loopdeck"], cwd=door.repo, env=door.env, size=size) as terminal:
        terminal.until(partial(contains, _HOME))
        # One loop leaves room enough for the peek.
        terminal.until(partial(contains, "by people"))
        for _, key, words in screens:
            terminal.feed(key)
            terminal.until(partial(contains, words))
            terminal.feed("\x1b[B\x1b[B\x1b[6~\x1b[F\x1b[H")
            terminal.settle()
            for _ in range(3):
                terminal.feed("\x1b" if key != " " else " ")
                if came_home(terminal):
                    break
            terminal.until(partial(contains, _HOME))
        terminal.feed("q")
        assert terminal.ended() == 0
        return bytes(terminal.raw)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_every_screen_shows_hostile_text_and_obeys_none_of_it(door, size):
    door.run("kill", "evil", "--now")
    door.ok("start", "evil", "--input", f"mark-input {ALL}")
    door.until("evil", "asking")
    door.ok("nudge", "evil", f"mark-nudge {ALL}")
    harmless(walked(door, SCREENS, size))
    door.ok("deny", "evil", "--why", f"mark-why {ALL}")
    door.until_ended("evil")
    harmless(walked(door, AFTER, size))
