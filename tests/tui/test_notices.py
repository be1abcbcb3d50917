"""What rings, and that it rings once: rules as values, and the bytes that really reach a terminal."""

import asyncio
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from loopdeck.deck.snapshot import NOTHING, DeckFacts, Snapshot
from loopdeck.tui.notices import Wishes, sequence, way, what_rings, wishes
from tests.kit.hostile import ALL, harm_in
from tests.kit.repos import commit_files, environment
from tests.kit.room import a_deck, approval, in_room, loop_row, until

ROOT = Path(__file__).resolve().parents[2]


def snapshot(*rows):
    return Snapshot(1, 0.0, (DeckFacts("d", "/r", "/h"),), rows)


def asks(loop="one", number=1, **facts):
    one = approval(id=f"r-{number}", **facts)
    return loop_row(loop, "asking", asking="approval", asking_for=one.id, approvals=(one,))


ASKS, WORKS = asks(), loop_row("one")


@pytest.mark.req("S2-009")
@pytest.mark.parametrize(
    ("before", "now", "rings"),
    [
        (WORKS, ASKS, 1),
        (WORKS, loop_row("one", "asking", asking="verdict", asking_for="looks good"), 1),
        (WORKS, loop_row("one", "asking", asking="state", asking_for="v1"), 1),
        (WORKS, loop_row("one", "hung"), 1),
        (WORKS, loop_row("one", "ended", reason="lost"), 1),
        (WORKS, loop_row("one", "ended", reason="error"), 1),
        (ASKS, asks(number=2), 1),
        (ASKS, asks(), 0),
        (loop_row("one", "hung"), loop_row("one", "hung"), 0),
        (WORKS, loop_row("one", "ended", unread=40), 0),
        (WORKS, loop_row("one", "ended", reason="max_iterations"), 0),
        (WORKS, loop_row("one", "ended", reason="human"), 0),
        (WORKS, loop_row("one", "waiting"), 0),
        (WORKS, loop_row("one", "paused"), 0),
        (ASKS, WORKS, 0),
    ],
)
def test_only_what_waits_for_the_operator_rings_when_it_begins_to(before, now, rings):
    assert len(what_rings(snapshot(before), snapshot(now))) == rings


def test_what_was_there_at_the_start_does_not_ring_and_what_comes_later_does():
    assert what_rings(NOTHING, snapshot(ASKS)) == ()
    assert [one.loop for one in what_rings(snapshot(), snapshot(ASKS))] == ["one"]


@pytest.mark.parametrize(
    ("environ", "reached"),
    [
        ({"TERM": "xterm-256color"}, "osc 9"),
        ({"TERM": "foot"}, "osc 777"),
        ({"TERM": "rxvt-unicode-256color"}, "osc 777"),
        ({"TERM": "linux"}, ""),
        ({"TERM": "dumb"}, ""),
        ({"TERM": "vt100"}, ""),
        ({}, ""),
        ({"TERM": "xterm", "DISPLAY": ":0"}, "notify-send"),
        ({"TERM": "xterm", "WAYLAND_DISPLAY": "wayland-0"}, "notify-send"),
        ({"TERM": "xterm", "DISPLAY": ":0", "SSH_CONNECTION": "a b"}, "osc 9"),
        ({"TERM": "xterm", "DISPLAY": ":0", "PATH": "/nowhere"}, "osc 9"),
    ],
)
def test_a_desktop_is_reached_by_its_own_program_or_else_by_the_terminal(tmp_path, environ, reached):
    program = tmp_path / "notify-send"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert way({"PATH": str(tmp_path), **environ}) == reached


@pytest.mark.parametrize("by", ["osc 9", "osc 777"])
def test_nothing_in_a_notice_can_end_it_early(by):
    sent = sequence(by, f"one asks: {ALL} ; \x1b\\ \x07 \n{'x' * 5000}")
    assert sent.startswith("\x1b]")
    assert sent.endswith("\x1b\\")
    assert harm_in(sent[2:-2]) == ""
    assert "\n" not in sent
    assert len(sent) < 250
    assert sequence("", "x") == ""
    assert sequence("notify-send", "x") == ""


def test_the_decks_own_wishes_count(tmp_path):
    deck = a_deck(tmp_path)
    assert wishes(deck.root) == Wishes(True, True)
    commit_files(deck.root, {".loopdeck/deck.toml": "[notify]\nbell = false\ndesktop = true\n"}, "quiet")
    assert wishes(deck.root) == Wishes(False, True)
    (deck.root / ".loopdeck/deck.toml").write_text("[notify\n")
    assert wishes(deck.root) == Wishes(True, True)


class Rung:
    """What the room would have made heard."""

    def __init__(self, app):
        self.bells = 0
        self.told: list[str] = []
        app.bell = self._bell

    def _bell(self):
        self.bells += 1


def ringing(tmp_path, *steps, toml=""):
    """Show the room these rows, one step after the other; gives how often it rang after each."""
    deck = a_deck(tmp_path)
    if toml:
        (deck.root / ".loopdeck").mkdir()
        (deck.root / ".loopdeck/deck.toml").write_text(toml)
    heard = []

    async def go():
        async with in_room(deck, *steps[0]) as (app, pilot, still):
            rung = Rung(app)
            for rows in steps[1:]:
                still.show(*rows)
                await until(pilot, lambda: app.snapshot.number == still.number)
                await until(pilot, lambda: not any(worker.group == "beside" and worker.is_running for worker in app.workers))
                await pilot.pause()
                heard.append(rung.bells)

    asyncio.run(go())
    return heard


def test_a_question_rings_once_whatever_its_run_does_in_between(tmp_path):
    hung = loop_row("one", "hung")
    assert ringing(tmp_path, (WORKS,), (ASKS,), (asks(),), (hung,), (asks(),), (WORKS,), (asks(),), (hung,)) == [1, 1, 2, 2, 2, 2, 3]


def test_what_asked_at_the_start_never_rings(tmp_path):
    assert ringing(tmp_path, (ASKS,), (loop_row("one", "hung"),), (asks(),), (asks(number=2),)) == [1, 1, 2]


def test_several_at_once_are_one_ring(tmp_path):
    before = tuple(loop_row(f"l{n}") for n in range(5))
    assert ringing(tmp_path, before, tuple(asks(f"l{n}", n) for n in range(5))) == [1]


def test_a_deck_that_wants_no_bell_has_none(tmp_path):
    assert ringing(tmp_path, (WORKS,), (ASKS,), toml="[notify]\nbell = false\n") == [0]


_IN_A_TERMINAL = """
import sys, threading
from pathlib import Path
from loopdeck.deck.decks import Deck
from loopdeck.tui.app import Room
from tests.kit.room import Still, approval, loop_row
from tests.kit.hostile import ALL

def asks(n, text):
    one = approval(text, id=f"r-{n}")
    return loop_row("one", "asking", asking="approval", asking_for=one.id, approvals=(one,))

deck = Deck.open(Path(sys.argv[1]), {"LOOPDECK_HOME": sys.argv[2]})
steps = [(loop_row("one"),), (asks(1, "touch a"),), (asks(1, "touch a"),), (loop_row("one", "hung"),), (asks(1, "touch a"),),
         (loop_row("one"), loop_row("two")), (asks(2, ALL), loop_row("two", "ended", reason="lost")), (loop_row("one", "ended"),)]

class Player(Still):
    def taken(self):
        def more():
            if steps:
                self.show(*steps.pop(0))
            else:
                app.post_message(app.Done(app.exit))
        def when_done():
            if any(worker.is_running for worker in app.workers):
                app.set_timer(0.02, when_done)
            else:
                app.call_later(more)
        app.post_message(app.Done(when_done))

still = Player((deck,), ())
app = Room((deck,), still.make, by="me@here")
app.run()
"""


def played(tmp_path, **env):
    """All bytes that the room has sent to its terminal."""
    deck = a_deck(tmp_path)
    mine, its = pty.openpty()
    environ = {name: value for name, value in environment().items() if name in ("PATH", "LANG", "TMPDIR")}
    environ |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **env}
    found = bytearray()

    def read():
        while True:
            try:
                piece = os.read(mine, 65536)
            except OSError:
                return
            if not piece:
                return
            found.extend(piece)

    reader = threading.Thread(target=read)
    with subprocess.Popen(
        [sys.executable, "-c", _IN_A_TERMINAL, str(deck.root), str(tmp_path / "home")], stdin=its, stdout=its, stderr=its, env=environ,
        cwd=ROOT, start_new_session=True,
    ) as room:  # fmt: skip
        os.close(its)
        reader.start()
        try:
            code = room.wait(60)
        except BaseException:
            room.kill()
            raise
    reader.join(10)
    os.close(mine)
    assert code == 0, bytes(found[-3000:]).decode("utf-8", "replace")
    return bytes(found).decode("utf-8", "replace")


_OSC = re.compile(r"\x1b\]([^\x07\x1b]*)(?:\x07|\x1b\\)")


def test_a_terminal_gets_one_bell_and_one_notice_for_each_time(tmp_path):
    sent = played(tmp_path)
    notices = [found for found in _OSC.findall(sent) if found.startswith(("9;", "777;"))]
    assert len(notices) == 3
    assert notices[0] == "9;loopdeck: one asks: bash touch a"
    assert notices[1].startswith("9;loopdeck: one hung")
    assert notices[2] == "9;loopdeck: 2 loops need you: one, two"
    assert _OSC.sub("", sent).count("\x07") == 3
    assert "\x1b]52;" not in sent
    assert "\x1b]0;pwned" not in sent


def test_a_desktops_own_program_is_told_instead_of_the_terminal(tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "notify-send"
    program.write_text(f'#!/bin/sh\nfor word; do printf "%s|" "$word"; done >> {tmp_path}/told\necho >> {tmp_path}/told\n')
    program.chmod(0o755)
    sent = played(tmp_path, DISPLAY=":9", PATH=f"{tools}:{os.environ['PATH']}")
    told = (tmp_path / "told").read_text().splitlines()
    assert told[0] == "--app-name=loopdeck|--|loopdeck|one asks: bash touch a|"
    assert len(told) == 3
    assert not [found for found in _OSC.findall(sent) if found.startswith(("9;", "777;"))]
