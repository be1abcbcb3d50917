"""Scripted loops that measure the engine, and what their journals say of the time."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core.unknown import Unknown
from loopdeck.deck.decks import Deck
from loopdeck.store.frozen import freeze, thaw
from loopdeck.store.journal import read_journal
from loopdeck.store.layout import RunPaths, claim_run
from loopdeck.store.lines import Entry
from tests.cli.loops import Call, loop, turn
from tests.kit.front import Front

FILES = {f"src/m{number:03}.py": f"VALUE = {number}\n" for number in range(100)}
"""What the repositories hold: a small project."""
Entries = list[Entry[ev.Event | Unknown]]
UNTIL_THE_CAP = {"no_progress": False, "max_cost_usd": 100.0}


def writer(name: str, iterations: int, turns: int = 1) -> dict[str, str]:
    """A loop of so many iterations, none of which passes; in each the maker takes `turns` turns with a write, then one to end."""
    script = []
    for number in range(1, iterations + 1):
        for each in range(turns):
            change: Call = ("write_file", {"path": f"src/m{each:03}.py", "content": f"VALUE = {number}\n"})
            script.append(turn(f"Turn {each}.", change, **({} if each else {"iteration": number})))
        script.append(turn("Done."))
    # `exit 1` costs the shell what `true` does; a loop that passes would end.
    return loop(name, script, checks=[{"name": "never", "run": "exit 1"}], end={"max_iterations": iterations, **UNTIL_THE_CAP})


def again(front: Front, name: str) -> RunPaths:
    """A new run of the loop, frozen as its last was, with no runner on it yet."""
    deck = Deck.open(front.repo, front.env)
    last = deck.home.runs_of(name)[-1]
    paths = claim_run(deck.home, name, datetime.now(UTC))
    freeze(paths.dir, structs.replace(thaw(last.dir), run=paths.run))
    return paths


@contextmanager
def runner(front: Front, paths: RunPaths, *, env: Mapping[str, str] | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """A runner on the run, as a verb starts it; ended at the end if it hasn't ended by itself."""
    command = [sys.executable, "-m", "loopdeck.runner", str(paths.dir)]
    with subprocess.Popen(command, cwd="/", env={**front.env, **(env or {})}, stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def journal(paths: RunPaths) -> Entries:
    """The run's journal so far."""
    return read_journal(paths.journal).entries


def until(paths: RunPaths, kind: type[ev.Event], patience_s: float = 30) -> float:
    """Wait until an event of `kind` is in the run's journal; gives the moment it was seen, on the monotonic clock."""
    tag = f'"kind":"{kind.__struct_config__.tag}"'.encode()
    deadline = time.monotonic() + patience_s
    while tag not in _bytes(paths.journal):
        assert time.monotonic() < deadline, f"no {tag!r} in {paths.journal}"
        time.sleep(0.0005)
    return time.monotonic()


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def moments(entries: Entries, kind: type[ev.Event]) -> list[float]:
    """When each event of `kind` happened, in milliseconds."""
    return [datetime.fromisoformat(one.at).timestamp() * 1e3 for one in entries if isinstance(one.event, kind)]


def status(pid: int, field: str) -> int:
    """A field of /proc/PID/status in kB, such as VmHWM, the most memory it had resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])
