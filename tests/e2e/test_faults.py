"""A system that refuses: a short run whose system calls fail, one after the other, each in every way there is.

Whatever fails and when: the journal and the trace stay whole, the run's state says what has happened, a person can let it go on, and
then it comes to its end with nothing done twice.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from loopdeck.core import commands as cmd
from loopdeck.core import events as ev
from loopdeck.deck.view import RunView, waiting_for
from loopdeck.sandbox.hunt import sweep
from loopdeck.store.journal import read_journal, verify_journal
from loopdeck.store.layout import RunPaths
from loopdeck.store.lease import look
from loopdeck.store.trace import verify_trace
from loopdeck.supervisor.observe import Observer
from loopdeck.supervisor.plan import is_open
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat, seated
from tests.supervisor.warmed import made

PATIENCE_S = 60.0
WAYS: dict[str, tuple[str, ...]] = {
    "write": (
        "error=ENOSPC:when={n}", "error=ENOSPC:when={n}+", "error=EIO:when={n}", "error=EIO:when={n}+", "error=EDQUOT:when={n}+",
        "error=EROFS:when={n}+", "error=EINTR:when={n}", "retval=1:when={n}", "retval=0:when={n}+",
    ),
    "fdatasync": (
        "error=EIO:when={n}", "error=EIO:when={n}+", "error=ENOSPC:when={n}", "error=EDQUOT:when={n}", "error=EINTR:when={n}",
        "error=EROFS:when={n}",
    ),
}  # fmt: skip
"""How each call fails, once or from then on. A value that is returned is one that the kernel does not stand by."""


class Fault(NamedTuple):
    """One call that fails: which (by number, of those on the journal and the trace) and how."""

    call: str
    number: int
    way: str

    @property
    def expression(self) -> str:
        return f"inject={self.call}:{self.way.format(n=self.number)}"


def _strace() -> str:
    found = shutil.which("strace")
    if not found:
        return ""
    tried = subprocess.run([found, "-f", "--seccomp-bpf", "-qqq", "-e", "trace=write", "/bin/true"], capture_output=True, check=False)
    return found if tried.returncode == 0 else ""


STRACE = _strace()
pytestmark = pytest.mark.skipif(not STRACE, reason="strace is not installed, or may not trace here")


def short() -> dict[str, str]:
    """A run of two iterations, whose effects can be counted."""
    turns = [
        turn("one", write("one.txt", "1\n"), ("bash", {"command": "echo one >> ticks.txt"}), iteration=1),
        turn("d"),
        turn("two", ("bash", {"command": "echo two >> ticks.txt"}), write("two.txt", "2\n"), iteration=2),
        turn("d"),
    ]
    return loop("short", turns, checks=[{"name": "both", "run": "test -f two.txt"}], gates={"allow": ["bash"]})


def traced(seat: Seat, paths: RunPaths, *options: str) -> "subprocess.Popen[bytes]":
    """A runner on the run, with the calls on its journal and trace in our hands."""
    log = paths.runner_log.open("ab")
    command = [STRACE, "-f", "--seccomp-bpf", "-qqq", "-P", str(paths.journal), "-P", str(paths.trace), *options]
    with log:
        return subprocess.Popen(
            [*command, sys.executable, "-m", "loopdeck.runner", str(paths.dir)],
            env=seat.env, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def until(seat: Seat, paths: RunPaths, process: "subprocess.Popen[bytes]") -> RunView:
    """The run as it is when nothing more comes of it by itself."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        gone = process.poll() is not None
        seen = seat.deck.view(paths)
        if gone or (seen.status == "paused" and seen.run.stalled):
            return seen
        assert time.monotonic() < deadline, (seen.status, seen.run.phase)
        time.sleep(0.01)


def end(paths: RunPaths, process: "subprocess.Popen[bytes]") -> None:
    """End a runner that is traced, and who traces it."""
    seen = look(paths.lease)
    if seen.held and seen.holder is not None:
        with suppress(ProcessLookupError):
            os.kill(seen.holder.pid, 9)
    process.kill()
    process.wait()
    sweep(paths.run)


def whole(paths: RunPaths, fault: Fault) -> None:
    """Both records are whole lines of a true story, whatever is behind them."""
    for verified in (verify_journal(paths.journal), verify_trace(paths.trace)):
        assert verified.damage is None or verified.damage.tail, (fault, verified)
    assert read_journal(paths.journal).damage is None, fault


def explained(seen: RunView, paths: RunPaths, fault: Fault) -> str:
    """What it came to, which must say why unless nothing was wrong with it."""
    told = f"{fault.expression}: {seen.status} {seen.reason} {waiting_for(seen)!r} {paths.runner_log.read_text()[-600:]!r}"
    assert "Traceback" not in paths.runner_log.read_text(), told
    if seen.status == "paused":
        assert any(word in seen.run.stalled for word in ("space", "quota", "part of a line")), told
        return "stands still"
    assert seen.status == "ended", told
    if seen.reason == "lost":
        assert seen.said, told
        return "lost"
    if seen.reason == "error":
        assert "log" in seen.run.why or "disk" in seen.run.why, told
        return "error"
    assert seen.reason == "done", told
    return "done"


def resumed(seat: Seat, paths: RunPaths, fault: Fault) -> None:
    """A person lets it go on, and now nothing fails."""
    if seat.deck.view(paths).run.status == "ended":
        return
    seat.deck.send(paths, cmd.Resume(by="tests"))
    with paths.runner_log.open("ab") as log:
        again = subprocess.run(
            [sys.executable, "-m", "loopdeck.runner", str(paths.dir)],
            env=seat.env, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    run = seat.deck.view(paths).run
    told = (fault.expression, run.status, run.why, run.notices, paths.runner_log.read_text()[-800:])
    assert (again.returncode, run.reason in ("done", "max_iterations")) == (0, True), told
    for verified in (verify_journal(paths.journal), verify_trace(paths.trace)):
        assert (verified.damage, verified.torn) == (None, 0), told
    assert not paths.reserve.exists(), told


def once(seat: Seat, paths: RunPaths, fault: Fault) -> None:
    """No call was granted, and none had its effect, more than once."""
    granted = [one.event.call for one in read_journal(paths.journal).entries if isinstance(one.event, ev.ToolCallGranted)]
    assert len(granted) == len(set(granted)), fault
    ticks = seat.deck.home.worktree(paths.loop, paths.run) / "ticks.txt"
    done = ticks.read_text().splitlines() if ticks.exists() else []
    assert len(done) == len(set(done)), (fault, done)


@contextmanager
def counted(base: Path) -> Iterator[tuple[Seat, dict[str, int]]]:
    """A seat, and how many calls of each kind a run makes that nothing happens to."""
    with seated(base / "seat", {"README.md": "# A project\n", **short()}) as seat:
        calls = {}
        for call in WAYS:
            paths = made(seat, "short")
            told = base / "calls"
            process = traced(seat, paths, "-o", str(told), "-e", f"trace={call}")
            assert process.wait(PATIENCE_S) == 0, paths.runner_log.read_text()
            assert seat.deck.view(paths).reason == "done"
            calls[call] = sum(f"{call}(" in line for line in told.read_text().splitlines())
        assert calls["write"] > 30, calls
        yield seat, calls


def suffer(seat: Seat, faults: list[Fault]) -> Counter[str]:
    """A run for each fault; gives what they came to."""
    outcomes: Counter[str] = Counter()
    for fault in faults:
        paths = made(seat, "short")
        process = traced(seat, paths, "-o", "/dev/null", "-e", f"trace={fault.call}", "-e", fault.expression)
        try:
            seen = until(seat, paths, process)
        finally:
            end(paths, process)
        whole(paths, fault)
        outcomes[explained(seat.deck.view(paths) if seen.status != "paused" else seen, paths, fault)] += 1
        resumed(seat, paths, fault)
        once(seat, paths, fault)
    assert seat.runners() == []
    return outcomes


def all_of(calls: dict[str, int]) -> list[Fault]:
    """Each way at each call."""
    return [Fault(call, number, way) for call, ways in WAYS.items() for way in ways for number in range(1, calls[call] + 1)]


def test_a_run_survives_what_its_system_refuses(tmp_path):
    chance = random.Random(20261121)
    with counted(tmp_path) as (seat, calls):
        cut = [Fault("write", chance.randint(2, calls["write"]), way) for way in ("error=ENOSPC:when={n}+", "retval=1:when={n}")]
        cut += [Fault("fdatasync", chance.randint(2, calls["fdatasync"]), "error=EIO:when={n}")]
        cut += [Fault("write", chance.randint(2, calls["write"]), "error=EIO:when={n}+")]
        suffer(seat, cut)


@pytest.mark.chaos
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(4))
def test_a_run_survives_whatever_its_system_refuses(tmp_path, part):
    with counted(tmp_path) as (seat, calls):
        faults = all_of(calls)
        assert len(faults) >= 500, calls
        outcomes = suffer(seat, faults[part::4])
        # The figures are what a chaos suite is for.
        print(f"\n{len(faults[part::4])} of {len(faults)} faults ({calls}): {dict(outcomes)}")  # noqa: T201 - the figures are the output


def test_after_a_sync_that_failed_nobody_goes_on_before_a_person_has_looked(tmp_path):
    with counted(tmp_path) as (seat, _):
        paths = made(seat, "short")
        fault = Fault("fdatasync", 4, "error=EIO:when={n}")
        process = traced(seat, paths, "-o", "/dev/null", "-e", "trace=fdatasync", "-e", fault.expression)
        until(seat, paths, process)
        end(paths, process)
        seen = seat.deck.view(paths)
        assert (seen.status, seen.reason) == ("ended", "lost")
        assert "Input/output error" in seen.said
        run = Observer(seat.deck.home).look((), {})[paths]
        assert not is_open(run)
        resumed(seat, paths, fault)
        once(seat, paths, fault)
