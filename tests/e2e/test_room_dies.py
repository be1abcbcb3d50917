"""The room killed with -9 again and again, and its terminal closed: no loop notices, no record has a gap, and the next room shows all.

Pains 1, 2 and 5 of the field: status that is wrong after a crash, orphans and lost sessions when a terminal is closed.
A cut of it always, all of it under `-m chaos`.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from loopdeck.core import trace as tr
from loopdeck.core.conversation import Text
from loopdeck.store.lease import Holder, look
from tests.bench.report import say
from tests.e2e.seat import Seat
from tests.kit.terminal import Terminal, on_terminal
from tests.supervisor.decks import lives, supervised, whole
from tests.supervisor.test_races import chatty

pytestmark = pytest.mark.timeout(240)
SIZE = (130, 40)


def deck_of(loops: int) -> tuple[list[str], dict[str, str]]:
    """Names and files of so many loops that talk without a pause, all of which may run at once."""
    names = [f"chatty{number:02}" for number in range(loops)]
    files: dict[str, str] = {".loopdeck/deck.toml": f"[deck]\nmax_runs = {loops}\n"}
    for name in names:
        files |= chatty(name, 600)
    return names, files


def room(seat: Seat, before: str = "") -> AbstractContextManager[Terminal]:
    """The room on a terminal of its own, in a shell that has done `before` and has become the room."""
    return on_terminal(["/bin/sh", "-c", f"{before} exec {sys.executable} -m loopdeck"], cwd=seat.repo, env=seat.env, size=SIZE)


def shown(text: str) -> list[str]:
    """The loops that a screen shows running."""
    return sorted("".join(line.split()[2:3]) for line in text.splitlines() if line.startswith("▶ running"))


def holders(seat: Seat, names: Sequence[str]) -> dict[str, Holder | None]:
    """Who has the run of each loop; nobody where nobody holds its lease."""
    seen = {name: look(seat.paths(name).lease) for name in names}
    return {name: one.holder if one.held and one.alive else None for name, one in seen.items()}


def began(seat: Seat, terminal: Terminal, names: Sequence[str]) -> dict[str, Holder | None]:
    """Wait until all loops are at work, the first of them by a key pressed in this room; who runs them."""
    terminal.until(lambda text: shown(text) == list(names[1:]) and "idle" in text, 90)
    # What is idle comes last.
    terminal.feed("G")
    terminal.until(lambda text: "s starts one" in text)
    terminal.feed("s")
    terminal.until(lambda text: shown(text) == list(names), 60)
    for name in names:
        seat.at_work(name)
    return holders(seat, names)


def sizes(seat: Seat, names: Sequence[str]) -> dict[str, int]:
    """Bytes of each trace."""
    return {name: seat.paths(name).trace.stat().st_size for name in names}


def grow(seat: Seat, names: Sequence[str], before: dict[str, int]) -> dict[str, int]:
    """Wait until each trace has become longer; how long they are."""
    deadline = time.monotonic() + 30
    while still := [name for name, size in sizes(seat, names).items() if size <= before[name]]:
        assert time.monotonic() < deadline, f"silent: {still}"
        time.sleep(0.02)
    return sizes(seat, names)


def told_once(seat: Seat, name: str) -> None:
    """Its trace is whole: every turn once and in order, every call with one answer."""
    whole(seat, name)
    assert lives(seat, name) == [1]
    events = seat.trace(name)
    texts = [part.text for one in events if isinstance(one, tr.ModelReplied) for part in one.blocks if isinstance(part, Text)]
    said = [int(text.removeprefix("Turn ").rstrip(".")) for text in texts]
    assert said == list(range(len(said))), name
    assert len(said) > 3, name
    called = [one.call for one in events if isinstance(one, tr.ToolCalled)]
    returned = [one.call for one in events if isinstance(one, tr.ToolReturned)]
    assert called[: len(returned)] == returned, name
    assert len(set(called)) == len(called) <= len(returned) + 1, name


def reckoned(seat: Seat, names: Sequence[str]) -> int:
    """End all loops, and look at what they have left; how many turns were told."""
    for name in names:
        seat.wait(name, lambda one: one.run.spend.model_calls > 4)
    for name in names:
        seat.slay(name)
    for name in names:
        told_once(seat, name)
    return sum(isinstance(one, tr.ModelReplied) for name in names for one in seat.trace(name))


def killed_room(base: Path, loops: int, times: int) -> int:
    """Chatty loops, and the room before them killed so many times; how many turns they told."""
    names, files = deck_of(loops)
    first = f"{sys.executable} -m loopdeck start {' '.join(names[1:])} &&"
    with supervised(base, files) as seat:
        before: dict[str, int] = {}
        pids: dict[str, Holder | None] = {}
        for number in range(times):
            with room(seat, first if not number else "") as terminal:
                if not number:
                    pids = began(seat, terminal, names)
                    before = sizes(seat, names)
                assert None not in pids.values()
                terminal.until(lambda text: shown(text) == names and "as of" not in text, 30)
                os.kill(terminal.pid, signal.SIGKILL)
                assert terminal.ended() == -signal.SIGKILL
            assert holders(seat, names) == pids, "the same processes, in the same life"
            before = grow(seat, names, before)
        with room(seat) as terminal:
            terminal.until(lambda text: shown(text) == names and "as of" not in text, 30)
            terminal.feed("q")
            assert terminal.ended() == 0
        return reckoned(seat, names)


def closed_terminal(base: Path, loops: int) -> int:
    """Loops started from a terminal that is then closed; how many turns they told."""
    names, files = deck_of(loops)
    with supervised(base, files) as seat:
        with room(seat, f"{sys.executable} -m loopdeck start {' '.join(names[1:])} &&") as terminal:
            pids = began(seat, terminal, names)
            before = sizes(seat, names)
            terminal.hang_up()
        assert holders(seat, names) == pids, "the same processes, in the same life"
        before = grow(seat, names, before)
        with room(seat) as terminal:
            terminal.until(lambda text: shown(text) == names and "as of" not in text, 30)
            shows_its_trace(seat, terminal, names[0])
            terminal.feed("q")
            assert terminal.ended() == 0
        assert holders(seat, names) == pids
        grow(seat, names, before)
        return reckoned(seat, names)


def shows_its_trace(seat: Seat, terminal: Terminal, name: str) -> None:
    """The trace of the first loop in the room is as long as the file is, or was a moment ago."""
    terminal.feed("gt")
    least = len(seat.trace(name))

    def lines(text: str) -> int:
        head = next((line for line in text.splitlines() if " line " in line and " of " in line), "")
        return int(head.rpartition(" of ")[2].split()[0].replace(",", "")) if head else 0

    terminal.until(lambda text: lines(text) >= least, 20)
    assert lines(terminal.text) <= len(seat.trace(name))
    terminal.feed("\x1b")
    terminal.until(lambda text: name in shown(text))


@pytest.mark.pain(1)
def test_loops_live_on_while_their_room_is_killed(tmp_path):
    killed_room(tmp_path, 3, 2)


@pytest.mark.pain(2)
def test_loops_live_on_when_their_terminal_is_closed(tmp_path):
    closed_terminal(tmp_path, 3)


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_twenty_chatty_loops_and_a_room_killed_twenty_times(tmp_path):
    turns = killed_room(tmp_path, 20, 20)
    say(f"20 chatty loops, room killed 20 times: 20/20 alive each time; {turns} turns, none missing, none twice")


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_ten_loops_live_on_when_their_terminal_is_closed(tmp_path):
    turns = closed_terminal(tmp_path, 10)
    say(f"terminal closed while 10 loops run: 10/10 go on, the next room shows 10; {turns} turns, none missing, none twice")
