"""The review screen on real runs: read, mark, merge, discard, propose; hostile names and contents; big diffs."""

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.widgets import Button

from loopdeck.deck.decks import Deck
from loopdeck.deck.reader import Reader
from loopdeck.deck.unread import Unread
from loopdeck.tui.app import Room
from loopdeck.tui.editor import words
from loopdeck.tui.screens.ask import Confirm
from loopdeck.tui.screens.review import ReviewScreen
from loopdeck.tui.widgets.codediff import CodeDiff, Hunks
from loopdeck.tui.widgets.lines import LineTable
from tests.cli.loops import loop, turn, waiting, write
from tests.kit.front import opened
from tests.kit.hostile import ALL, FAMILIES, harm_in
from tests.kit.repos import commit_files, git
from tests.kit.room import screen_text, until

GATED = ".github/workflows/ci.yml"
OLD = "def one():\n    return 1\n" + "\n# between\n" * 30 + "def two():\n    return 2\n"
NEW = OLD.replace("return 1", "return 'one'").replace("return 2", "return 'two'") + "# " + "long " * 100 + "\n"
SIZES = [(80, 24), (120, 40)]


def made(name, *calls, **more):
    return loop(name, [turn("w", *calls), turn("d")], **more)


def loops():
    folder = "f" * 90
    hostile = [write(f"{name.replace('/', '-')[:60]}.py", f"x = 1\n{text}\n[/red]\n") for name, text in FAMILIES.items()]
    return {
        "README.md": "# A project\n",
        ".loopdeck/deck.toml": "[deck]\nmax_unread_lines = 100_000\n",
        "src/calc.py": OLD,
        "shared.txt": "one\ntwo\n",
        **made(
            "several", write("src/calc.py", NEW), write(GATED, "on: push\n"), write("docs/new.md", "# New\n"),
            gates={"allow": [f"write_file({GATED})"]},
        ),
        **made("hostile", *hostile, write(f"{folder}/[b]\x1b]0;x\x07\u202ename.py", ALL + "\n")),
        **made("big", write("big.py", "".join(f"value_{n} = {n}  # a line\n" for n in range(12_000)))),
        **made("shared", write("shared.txt", "one\nzwei\n")),
        **made("failing", write("f.txt", "f\n"), checks=[{"name": "never", "run": "false"}], end={"max_iterations": 1}),
        **made("small", write("small.txt", "small\n")),
        **made("gone", write("gone.txt", "gone\n")),
        **loop("idler", [turn("d")]),
    }  # fmt: skip


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("screen"), loops()) as door:
        assert door.run("start", "--all", "--wait").code == 10
        yield door


@pytest.fixture
def door(played, monkeypatch):
    """The played deck, unread again afterwards and its checkout where it was."""
    for name, value in played.env.items():
        monkeypatch.setenv(name, value)
    start = git(played.repo, "rev-parse", "main").strip()
    yield played
    git(played.repo, "reset", "-q", "--hard", start)
    git(played.repo, "clean", "-qfd")
    Deck.open(played.repo, played.env).home.readmarks.unlink(missing_ok=True)


@asynccontextmanager
async def reviewing(door, name, size=(120, 40)):
    """The room with the review of that loop's run in front, read."""
    deck = Deck.open(door.repo, door.env)
    app = Room((deck,), lambda post: Reader((deck,), post), by="olga@here")
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: any(row.loop == name and row.run for row in app.snapshot.rows))
        app.down("review", next(row for row in app.snapshot.rows if row.loop == name))
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen) and (app.screen.work or app.screen._said != "reading …"))
        await pilot.pause()
        yield app, pilot


def screen(app) -> ReviewScreen:
    assert isinstance(app.screen, ReviewScreen)
    return app.screen


async def showing(app, pilot, *words):
    """Wait until all of these are on the screen."""
    await until(pilot, lambda: all(word in screen_text(app) for word in words))


def notices(app):
    return [str(one.message) for one in app._notifications]


@pytest.mark.parametrize("size", SIZES)
def test_files_marks_and_the_change_are_there(door, size):
    async def look():
        async with reviewing(door, "several", size) as (app, pilot):
            await showing(
                app, pilot, "3 files", "ci.yml", "LOOK", "new.md", "calc.py", "+3", "unread", "configures tools", "+ on: push"
            )
            await pilot.press("right_square_bracket", "right_square_bracket")
            await showing(app, pilot, "@@ -1 +1 @@", "-     return 1", "+     return 'one'")
            assert harm_in(screen_text(app)) == ""

    asyncio.run(look())


def test_what_was_added_and_taken_out_lies_on_another_ground(door):
    async def look():
        async with reviewing(door, "several", (120, 40)) as (app, pilot):
            await pilot.press("right_square_bracket", "right_square_bracket")
            await showing(app, pilot, "@@ -1 +1 @@", "-     return 1", "+     return 'one'")
            grounds = {}
            for strip in screen(app).diff.render_lines(screen(app).diff.size.region):
                code = strip.crop(14)
                grounds[code.text.strip()] = {part.style.bgcolor for part in code if part.style and part.text.strip()}
            assert len({frozenset(grounds[said]) for said in ("def one():", "return 1", "return 'one'")}) == 3

    asyncio.run(look())


def test_hunks_and_files_are_walked_through(door):
    async def look():
        async with reviewing(door, "several") as (app, pilot):
            files, diff = screen(app).files, screen(app).diff
            await showing(app, pilot, "on: push")
            assert files.cursor == GATED
            await pilot.press("n")
            await until(pilot, lambda: files.cursor == "docs/new.md")
            await showing(app, pilot, "# New")
            await pilot.press("n")
            await showing(app, pilot, "return 'one'")
            await pilot.press("n")
            await until(pilot, lambda: diff.line is not None and diff.line.sign == "@" and diff.line.new > 10)
            await showing(app, pilot, "return 'two'")
            await pilot.press("p")
            assert diff.line is not None
            assert diff.line.new == 1
            await pilot.press("p", "left_square_bracket")
            await until(pilot, lambda: files.cursor == GATED)

    asyncio.run(look())


def test_a_long_line_can_be_read_to_its_end(door):
    async def look():
        async with reviewing(door, "several", (80, 24)) as (app, pilot):
            screen(app).files.move_to("src/calc.py")
            await showing(app, pilot, "return 'one'")
            await pilot.press("tab", "G")
            await showing(app, pilot, "long long lo", "›")
            assert isinstance(app.focused, CodeDiff)
            await pilot.press("right")
            screen(app).diff.action_sideways(40)
            await until(pilot, lambda: "›" not in screen_text(app))
            screen(app).diff.action_sideways(-40)
            await pilot.press("left")
            await showing(app, pilot, "# long", "›")

    asyncio.run(look())


def unread_of(door, name):
    deck = Deck.open(door.repo, door.env)
    unread = Unread(deck)
    cargo = unread.cargo(deck.resolve(name))
    assert cargo is not None
    return {one.path for one in unread.unread_of(cargo)}


@pytest.mark.req("S0-25")
def test_marking_goes_on_to_what_is_not_read_yet(door):
    async def look():
        async with reviewing(door, "several") as (app, pilot):
            screen(app).files.move_to("docs/new.md")
            await pilot.press("r")
            await until(pilot, lambda: unread_of(door, "several") == {GATED, "src/calc.py"})
            assert screen(app).files.cursor == "src/calc.py"
            await showing(app, pilot, "✓ A new.md", "in 2 files unread")
            await pilot.press("r")
            await until(pilot, lambda: unread_of(door, "several") == {GATED})
            assert screen(app).files.cursor == GATED
            await pilot.press("R")
            await showing(app, pilot, "all read", "agents  read")
            assert unread_of(door, "several") == set()
            await until(pilot, lambda: screen(app).check_action("read", ()) is False)

    asyncio.run(look())


@pytest.mark.parametrize("size", SIZES)
def test_no_name_and_no_content_does_harm(door, size):
    async def look():
        async with reviewing(door, "hostile", size) as (app, pilot):
            work = screen(app).work
            assert work is not None
            for path in [one.path for one in work.files][:: 1 if size == SIZES[0] else 4]:
                screen(app).files.move_to(path, by_hand=True)
                while path not in screen(app)._diffs:
                    await pilot.pause(0.01)
                await pilot.pause()
                assert harm_in(screen_text(app)) == "", path
            assert isinstance(app.screen, ReviewScreen)

    asyncio.run(look())


def test_what_would_not_be_seen_is_seen(door):
    async def look():
        async with reviewing(door, "hostile") as (app, pilot):
            screen(app).files.move_to("bidi override.py")
            await showing(app, pilot, "<U+202E>gnp.exe<U+202C>")
            screen(app).files.move_to("carriage return.py")
            await showing(app, pilot, "harmful␍harmless", "[/red]")

    asyncio.run(look())


def test_ten_thousand_lines_are_quick(door):
    async def look():
        async with reviewing(door, "big") as (app, pilot):
            await showing(app, pilot, "value_0 = 0")
            diff = screen(app).diff
            diff.focus()
            began = time.perf_counter()
            diff.action_edge(1)
            strips = [diff.render_line(y) for y in range(diff.size.height)]
            took = time.perf_counter() - began
            assert "value_11999 = 11999" in strips[-1].text
            # Only what is on the screen is made: a block or two, not all of it, which takes seconds.
            assert isinstance(diff.source, Hunks)
            assert len(diff.source._blocks) <= 4
            assert took < 1.0
            await pilot.press("home")
            await showing(app, pilot, "value_0 = 0")

    asyncio.run(look())


async def agreed(app, pilot, key):
    """Press the key, wait for its question, and give its words."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, Confirm))
    await pilot.pause()
    words = screen_text(app)
    await pilot.click("#yes")
    return words


def test_merging_asks_checks_and_tells(door):
    async def look():
        async with reviewing(door, "small") as (app, pilot):
            before = git(door.repo, "rev-parse", "HEAD")
            words = await agreed(app, pilot, "m")
            assert "into main? 1 file +1 -0, no conflicts" in words
            assert "! 1 file with 1 line not read yet" in words
            await until(pilot, lambda: screen(app).under_way == "merging")
            assert screen(app).check_action("discard", ()) is False
            await until(pilot, lambda: not screen(app).under_way)
            assert git(door.repo, "rev-parse", "HEAD") != before
            assert any("merged into main as" in one for one in notices(app))
            assert (door.repo / "small.txt").read_text("utf-8") == "small\n"
            await showing(app, pilot, "unread   merged")
            assert screen(app).check_action("merge", ()) is False

    asyncio.run(look())


def test_a_check_that_fails_on_the_merge_is_said_and_nothing_is_merged(door):
    async def look():
        async with reviewing(door, "failing") as (app, pilot):
            before = git(door.repo, "rev-parse", "HEAD")
            await agreed(app, pilot, "m")
            await until(pilot, lambda: any("'never' did not pass" in one for one in notices(app)))
            assert git(door.repo, "rev-parse", "HEAD") == before

    asyncio.run(look())


def test_conflicts_are_shown_before_anything_is_asked(door):
    commit_files(door.repo, {"shared.txt": "one\ndue\n"}, "mine")

    async def look():
        async with reviewing(door, "shared") as (app, pilot):
            await pilot.press("m")
            await until(pilot, lambda: any("conflicts with main in shared.txt" in one for one in notices(app)))
            assert isinstance(app.screen, ReviewScreen)
            await showing(app, pilot, "✗", "shared.txt conflict")

    asyncio.run(look())


@pytest.mark.req("S0-24")
def test_too_much_unread_holds_a_merge(door):
    (door.repo / ".loopdeck" / "deck.toml").write_text("[deck]\nmax_unread_lines = 10\n", encoding="utf-8")

    async def look():
        async with reviewing(door, "small") as (app, pilot):
            await pilot.press("m")
            await until(pilot, lambda: any("more than the 10 of max_unread_lines" in one for one in notices(app)))
            assert isinstance(app.screen, ReviewScreen)

    asyncio.run(look())


def test_discarding_starts_on_the_safe_button(door):
    async def look():
        async with reviewing(door, "gone") as (app, pilot):
            await pilot.press("x")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            await until(pilot, lambda: isinstance(app.focused, Button) and app.focused.id == "no")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
            assert git(door.repo, "branch", "--list", "loop/gone/*")
            await agreed(app, pilot, "x")
            await until(pilot, lambda: not git(door.repo, "branch", "--list", "loop/gone/*"))
            await until(pilot, lambda: not screen(app).under_way)
            assert any("stay in" in one for one in notices(app))
            # What it was can still be read.
            await showing(app, pilot, "gone.txt")

    asyncio.run(look())


def test_a_pull_request_shows_what_leaves_the_machine(door, monkeypatch, tmp_path):
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\necho "$*" >> "$0.asked"\n[ "$1" = repo ] || echo https://example.org/pull/7\n', encoding="utf-8")
    gh.chmod(0o755)
    git(tmp_path, "init", "-q", "--bare", "theirs.git")
    git(door.repo, "remote", "add", "origin", str(tmp_path / "theirs.git"))

    async def look():
        async with reviewing(door, "several") as (app, pilot):
            assert screen(app).check_action("propose", ()) is False
            monkeypatch.setenv("PATH", f"{tmp_path}:{door.env['PATH']}")
            words = await agreed(app, pilot, "P")
            for shown in ("leaves your machine", "loop/several/", "to origin", "several: The goal of several."):
                assert shown in words
            await until(pilot, lambda: any("https://example.org/pull/7" in one for one in notices(app)))
            assert git(tmp_path / "theirs.git", "branch", "--list", "loop/several/*")

    try:
        asyncio.run(look())
    finally:
        git(door.repo, "remote", "remove", "origin")


@pytest.mark.req("S2-003")
def test_the_editor_gets_the_file_at_the_line(door, monkeypatch):
    opened_at: list[tuple[Path, int]] = []
    monkeypatch.setattr("loopdeck.tui.paging.open_file", lambda app, file, line: opened_at.append((file, line)))

    async def look():
        async with reviewing(door, "several") as (app, pilot):
            screen(app).files.move_to("src/calc.py")
            await showing(app, pilot, "return 'one'")
            await pilot.press("tab", "down", "down", "down", "e")
            entry = door.entry("several")
            assert opened_at == [(Path(entry["worktree"]) / "src/calc.py", 2)]

    asyncio.run(look())


@pytest.mark.req("S2-003")
@pytest.mark.parametrize(
    ("environ", "line", "command"),
    [
        ({"TERM_PROGRAM": "vscode"}, 7, ["code", "-g", "/x/a.py:7"]),
        ({"TERM_PROGRAM": "vscode", "EDITOR": "nano -w"}, 7, ["nano", "-w", "+7", "/x/a.py"]),
        ({"VISUAL": "/usr/bin/code --wait", "EDITOR": "vi"}, 7, ["/usr/bin/code", "--wait", "-g", "/x/a.py:7"]),
        ({}, 0, ["vi", "/x/a.py"]),
    ],
)
def test_editors_are_told_the_line_their_own_way(environ, line, command):
    assert words(environ, Path("/x/a.py"), line) == command


def test_a_run_that_changed_nothing_says_so(door):
    async def look():
        async with reviewing(door, "idler") as (app, pilot):
            await showing(app, pilot, "changed nothing")
            for key in ("m", "r", "n", "e", "R", "P"):
                await pilot.press(key)
            assert isinstance(app.screen, ReviewScreen)
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, ReviewScreen))

    asyncio.run(look())


def test_the_deck_screen_leads_here(door):
    async def look():
        deck = Deck.open(door.repo, door.env)
        app = Room((deck,), lambda post: Reader((deck,), post), by="olga@here")
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: len(app.snapshot.rows) > 5)
            table = app.screen.query_one("#loops", LineTable)
            table.move_to(next(row.key for row in app.snapshot.rows if row.loop == "several"))
            await pilot.press("v")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
            assert screen(app).row.loop == "several"

    asyncio.run(look())


def test_a_run_at_work_can_be_read_but_not_merged(tmp_path, monkeypatch):
    files = {"README.md": "x\n", **waiting(), **made("next", write("a.txt", "a\n"))}
    with opened(tmp_path, files) as door:
        for name, value in door.env.items():
            monkeypatch.setenv(name, value)
        door.ok("start", "waiting")
        door.at_work("waiting")

        async def look():
            async with reviewing(door, "waiting") as (app, pilot):
                await showing(app, pilot, "changed nothing")
                for action in ("merge", "discard", "propose"):
                    assert screen(app).check_action(action, ()) is False

        asyncio.run(look())
