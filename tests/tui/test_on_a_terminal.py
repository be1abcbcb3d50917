"""The room on a real terminal: what its reader finds is on the screen, what it showed last comes first, and leaving it ends nothing."""

import shutil
import sys
import time
from pathlib import Path

import pytest

from loopdeck.deck.decks import Deck
from tests.deck.following_deck import deck_at
from tests.kit.repos import environment
from tests.kit.terminal import Terminal, on_terminal
from tests.kit.written import WrittenRun

pytestmark = pytest.mark.timeout(90)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def deck(tmp_path) -> Deck:
    return deck_at(tmp_path)


def room(deck: Deck, tmp_path: Path, size: tuple[int, int] = (120, 30)):
    env = {
        **environment(),
        "HOME": str(tmp_path),
        "LOOPDECK_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C.UTF-8",
    }
    return on_terminal([sys.executable, "-m", "loopdeck"], cwd=deck.root, env=env, size=size)


def loops(text: str) -> list[list[str]]:
    """The rows of loops: state, name, iteration and where they are at."""
    return [line.split()[:5] for line in text.splitlines() if line.startswith("▶")]


def leave(terminal: Terminal) -> None:
    terminal.feed("q")
    assert terminal.ended() == 0


def test_what_happens_to_runs_is_seen_and_leaving_ends_none(deck, tmp_path):
    run = WrittenRun(deck, "fix-tests").begun()
    with room(deck, tmp_path) as terminal:
        terminal.until(lambda text: "▶ running" in text and "fix-tests" in text)
        run.ask(command="git push origin main")
        terminal.until(lambda text: "? asking" in text and "git push" in text)
        leave(terminal)
    assert deck.view(run.paths).status == "asking"


@pytest.mark.parametrize("size", [(80, 24), (120, 30)])
def test_the_last_frame_comes_first_and_is_the_room_to_the_eye(deck, tmp_path, size):
    WrittenRun(deck, "fix-tests").begun().go_on(30)
    with room(deck, tmp_path, size) as terminal:
        terminal.until(lambda text: "fix-tests" in text)
        rows = loops(terminal.text)
        # It is kept a few seconds after the room is up, and when it is left.
        terminal.until(lambda _: deck.home.frame.exists())
        leave(terminal)
    with room(deck, tmp_path, size) as terminal:
        first = terminal.until(lambda text: "as of" in text)
        assert loops(first) == rows
        # A key typed now is answered by the room when it is there.
        terminal.feed("?")
        terminal.until(lambda text: "as of" not in text and "everything by its name" in text)
        terminal.feed("\x1b")
        # What follows an escape at once would be taken for a part of it.
        terminal.until(lambda text: loops(text) and "everything by its name" not in text)
        leave(terminal)


def test_a_room_that_is_left_at_once_keeps_a_frame_too(deck, tmp_path):
    WrittenRun(deck, "fix-tests").begun()
    with room(deck, tmp_path) as terminal:
        terminal.until(lambda text: "▶ running" in text)
        leave(terminal)
    assert b"fix-tests" in deck.home.frame.read_bytes()


def test_a_run_whose_folder_was_deleted_is_a_row_that_can_be_opened_and_asked_about(deck, tmp_path):
    run = WrittenRun(deck, "fix-tests").begun()
    deck.home.worktree("fix-tests", run.paths.run).mkdir()
    with room(deck, tmp_path) as terminal:
        terminal.until(lambda text: "▶ running" in text)
        shutil.rmtree(run.paths.dir)
        terminal.until(lambda text: "lost" in text and "▶ running" not in text)
        for key in ("\r", "\x1b", "w", "\x1b", "t", "\x1b", "K", "\x1b", "p", "n", "\x1b"):
            terminal.feed(key)
            terminal.settle(0.15)
            assert terminal.code is None, terminal.text
        terminal.until(lambda text: "lost" in text)
        leave(terminal)


def test_nothing_wakes_for_the_keyboard_and_a_key_is_taken_at_once(deck, tmp_path):
    WrittenRun(deck, "quiet", ago_s=1200.0).begun()
    with room(deck, tmp_path) as terminal:
        terminal.until(lambda text: "quiet" in text)
        # What could wait until the room was up takes a moment.
        deadline = time.monotonic() + 20
        while True:
            terminal.settle(0.5, 1.0)
            before = terminal.switches()
            time.sleep(2.0)
            if (woken := terminal.switches() - before) < 17:
                break
            assert time.monotonic() < deadline, woken
        for keys in ("?", "\x1b", "?", "\x1b"):
            terminal.feed(keys)
            terminal.until(lambda text, opened=keys == "?": ("keys of" in text) is opened)
        terminal.feed("/")
        terminal.until(lambda text: "only loops" in text)
        terminal.feed(b"\xff\xfequ")
        terminal.until(lambda text: "1 of 1 loop" in text or "0 of 1 loop" in text)
        terminal.feed("\x1b")
        terminal.until(lambda text: "esc shows all" not in text)
        leave(terminal)


@pytest.mark.parametrize(
    ("keys", "shows"),
    [
        ("/four\rj", "/four: 1 of 3 loops"),
        (":four\r\r", "four  2026"),
        ("\rt/call-2\rjj", '"call-2"'),
        ("\x10money\r", "by loop"),
        ("?jj", "keys of"),
    ],
)
def test_keys_typed_ahead_are_for_whoever_has_the_keys_by_then(deck, tmp_path, keys, shows):
    """All in one piece, as a program types them or a slow line brings them, and one after the other by a slow hand."""
    for name in ("one", "three", "four"):
        WrittenRun(deck, name, ago_s=1200.0).begun().go_on(3)
    seen = []
    for hand in ((keys,), keys):
        with room(deck, tmp_path) as terminal:
            terminal.until(lambda text: len(loops(text)) == 3 and "as of" not in text)
            for piece in hand:
                terminal.feed(piece)
                terminal.settle(0.15)
            seen.append(terminal.until(lambda text: shows in text))
            terminal.settle(0.3)
            seen[-1] = terminal.text
            # Left by the signal: whatever has the keys now.
            terminal.hang_up()
    assert [line.split() for line in seen[0].splitlines()] == [line.split() for line in seen[1].splitlines()]
