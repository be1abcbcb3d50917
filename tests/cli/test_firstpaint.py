"""The first paint: the last frame is on the screen before the room, no key is lost or echoed, and the terminal is given back."""

import json
import os
import sys
import termios
from pathlib import Path

import pytest

from loopdeck.cli.firstpaint import painted, picture
from loopdeck.core.columns import cell
from loopdeck.core.usage import PICO_PER_DOLLAR
from loopdeck.deck.frame import frame, save
from loopdeck.deck.snapshot import DeckFacts, LoopRow, Snapshot
from loopdeck.store.layout import DeckHome
from tests.kit.repos import environment
from tests.kit.terminal import on_terminal

STYLES = {"ask": "1;38;2;255;180;84", "bar": "48;2;28;36;48", "evil": "0m\x1b]0;title\x07"}
NOW = 1_800_000_000.0

_PROGRAM = """
import os, sys, time
from pathlib import Path
from loopdeck.cli.firstpaint import painted
with painted(Path(sys.argv[1]), os.environ) as shown:
    Path(sys.argv[2]).write_text(str(shown))
    while not Path(sys.argv[3]).exists():
        time.sleep(0.005)
    if sys.argv[4:]:
        raise SystemExit(3)
    keys = os.read(0, 100)
print("got", keys)
"""


def a_row(loop: str, **more) -> LoopRow:
    return LoopRow(key=f"0/{loop}", deck=0, loop=loop, run="r1", status="running", last_at=NOW - 4, cost=PICO_PER_DOLLAR // 4, **more)


def a_frame(*rows: LoopRow) -> bytes:
    snapshot = Snapshot(1, NOW, (DeckFacts("project", "/p", "/h"),), rows)
    return frame(snapshot, 0, STYLES)


@pytest.fixture
def kept(tmp_path) -> Path:
    home = DeckHome(tmp_path / "home")
    home.path.mkdir()
    save(home, a_frame(a_row("fix-tests", why="\x1b]0;hostile\x07 \u202eword"), a_row("大きな仕事のループです、とても")))
    return home.frame


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 6)])
def test_a_picture_fills_the_terminal_and_no_more(kept, size):
    shown = picture(json.loads(kept.read_bytes()), size, coloured=False)
    lines = shown.replace("\x1b[0m", "").split("\r\n")
    assert len(lines) == size[1]
    assert "\x1b" not in "".join(lines)
    assert {len(line) for line in lines if line.isascii()} == {size[0]}
    assert "project" in lines[0]
    assert "state" in lines[1]
    assert "as of" in lines[-1]


def test_colours_are_those_that_were_kept_and_nothing_else_is(kept):
    shown = picture(json.loads(kept.read_bytes()), (80, 24), coloured=True)
    assert "48;2;28;36;48" in shown
    assert "title" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"format": 1}', b'{"format": 2}', b"\xff", b'{"format": 1, "taken": "x", "left": 3}', None]
)
def test_what_is_no_frame_is_not_painted(tmp_path, data):
    file = tmp_path / "frame.json"
    if data is not None:
        file.write_bytes(data)
    hear, tell = os.pipe()
    with painted(file, {}, keys=hear, screen=tell) as shown:
        assert not shown
    os.close(tell)
    assert os.read(hear, 100) == b""
    os.close(hear)


def run_on_terminal(tmp_path: Path, kept: Path, *more: str, environ: dict[str, str] | None = None):
    told, go = tmp_path / "told", tmp_path / "go"
    env = {**environment(), "PYTHONPATH": str(Path.cwd()), **(environ or {})}
    words = [sys.executable, "-c", _PROGRAM, str(kept), str(told), str(go), *more]
    return on_terminal(words, cwd=tmp_path, env=env), go


def test_keys_pressed_meanwhile_are_kept_for_the_room_and_not_echoed(tmp_path, kept):
    terminal, go = run_on_terminal(tmp_path, kept)
    with terminal as screen:
        before = termios.tcgetattr(screen._descriptor)
        screen.until(lambda text: "fix-tests" in text and "as of" in text)
        screen.feed("jj\r")
        screen.read(0.05)
        assert "jj" not in screen.text
        go.touch()
        screen.until(lambda text: "got b'jj\\r'" in text)
        assert b"\x1b[?1049l" in screen.raw
        assert screen.ended() == 0
        assert termios.tcgetattr(screen._descriptor)[:4] == before[:4]


def test_the_terminal_is_given_back_also_if_the_room_never_comes(tmp_path, kept):
    terminal, go = run_on_terminal(tmp_path, kept, "fail")
    with terminal as screen:
        before = termios.tcgetattr(screen._descriptor)
        screen.until(lambda text: "fix-tests" in text)
        go.touch()
        assert screen.ended() == 3
        assert screen.raw.endswith(b"\x1b[?1049l\x1b[?25h")
        assert termios.tcgetattr(screen._descriptor)[:4] == before[:4]


def test_an_interrupt_ends_it_and_gives_the_terminal_back(tmp_path, kept):
    terminal, _ = run_on_terminal(tmp_path, kept)
    with terminal as screen:
        before = termios.tcgetattr(screen._descriptor)
        screen.until(lambda text: "fix-tests" in text)
        screen.feed(b"\x03")
        screen.ended()
        assert b"\x1b[?1049l" in screen.raw
        assert termios.tcgetattr(screen._descriptor)[:4] == before[:4]


def test_no_color_means_none(tmp_path, kept):
    terminal, go = run_on_terminal(tmp_path, kept, environ={"NO_COLOR": "1"})
    with terminal as screen:
        screen.until(lambda text: "fix-tests" in text)
        assert b"38;2" not in screen.raw
        go.touch()
        screen.feed("x")
        screen.ended()


def test_a_cell_is_cut_at_its_column(kept):
    shown = picture(json.loads(a_frame(a_row("l" * 60))), (80, 24), coloured=False)
    assert cell("l" * 15 + "…").text in shown
    assert "l" * 17 not in shown
