"""The operator's seat: verbs through the front door, and a look at the files of a run in this process, so that waiting is cheap.

Nothing here writes anything but through a verb.
"""

import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.run import Run
from loopdeck.deck.decks import Deck
from loopdeck.deck.view import RunView
from loopdeck.sandbox.hunt import sweep
from loopdeck.store.blobs import Blobs
from loopdeck.store.journal import read_journal
from loopdeck.store.layout import RunPaths
from loopdeck.store.lease import look
from loopdeck.store.trace import read_trace
from tests.kit.front import Front, Said
from tests.kit.repos import make_repo

PATIENCE_S = 30.0
_LOOK_S = 0.01
_naps = itertools.count(1)


class Seat(Front):
    """A front door with eyes. A loop's name stands for its newest run."""

    @property
    def deck(self) -> Deck:
        """The deck, as a room would open it."""
        return Deck.open(self.repo, self.env)

    def paths(self, loop: str) -> RunPaths:
        """The files of its run."""
        return self.deck.resolve(loop)

    def view(self, loop: str) -> RunView:
        """Its run as it is now."""
        deck = self.deck
        return deck.view(deck.resolve(loop))

    def folded(self, loop: str) -> Run:
        """Its run as its journal tells it."""
        return self.view(loop).run

    def wait(self, loop: str, holds: Callable[[RunView], bool], patience_s: float = PATIENCE_S) -> RunView:
        """Look until `holds`; fails with what was seen last."""
        deck = self.deck
        paths = deck.resolve(loop)
        deadline = time.monotonic() + patience_s
        while not holds(seen := deck.view(paths)):
            assert time.monotonic() < deadline, f"{loop} is {seen.status}, {seen.reason}: {seen.run.why}, {seen.run.notices}"
            time.sleep(_LOOK_S)
        return seen

    def until(self, loop: str, *statuses: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for one of `statuses`, and give the entry of `status --json`; fails at once if the run ends otherwise."""
        seen = self.wait(loop, lambda one: one.status in (*statuses, "ended"), patience_s)
        assert seen.status in statuses, f"{loop} ended: {seen.reason} ({seen.run.why})"
        return self.glance(loop)

    def until_ended(self, loop: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for the end, and give the entry."""
        self.wait(loop, lambda one: one.status == "ended" and not one.live, patience_s)
        return self.glance(loop)

    def glance(self, loop: str) -> dict[str, Any]:
        """Its newest entry as `entry` gives it, without a process of its own."""
        document = json.loads(json.dumps(plain(self.deck.document())))
        return dict([one for one in document["loops"] if one["loop"] == loop][-1])

    def allow(self, loop: str) -> None:
        """Approve what it waits for."""
        [waits] = self.glance(loop)["approvals"]
        self.ok("approve", waits["id"])

    def done(self, loop: str, *more: str) -> Run:
        """Start it, wait, and give what it came to, which must be `done`."""
        said = self.run("start", loop, "--wait", *more)
        assert said.code == 0, (said, self.log(loop))
        return self.folded(loop)

    def ended(self, loop: str, code: int, *more: str) -> Run:
        """Start it, wait, and give what it came to, which must have that exit code."""
        said = self.run("start", loop, "--wait", *more)
        assert said.code == code, (said, self.log(loop))
        return self.folded(loop)

    def show(self, loop: str) -> dict[str, Any]:
        """What `show --json` says."""
        return dict(self.ok("show", loop, "--json").json)

    def log(self, loop: str) -> str:
        """What its runner had to say for itself."""
        with suppress(OSError):
            return self.paths(loop).runner_log.read_text("utf-8", "replace")
        return ""

    def events(self, loop: str) -> list[ev.AnyEvent]:
        """Its journal."""
        return [one.event for one in read_journal(self.paths(loop).journal).entries]

    def trace(self, loop: str) -> list[tr.AnyTraceEvent]:
        """Its trace."""
        return list(read_trace(self.paths(loop).trace))

    def blob(self, loop: str, name: str) -> str:
        """The text of one of its blobs."""
        return Blobs(self.paths(loop).blobs).get(name).decode()

    def prompts(self, loop: str, iteration: int, role: str = "maker") -> list[dict[str, str]]:
        """Of each model call of an iteration, the parts that were sent: name → text."""
        sent = [one for one in self.trace(loop) if isinstance(one, tr.PromptSent)]
        return [
            {part.name: self.blob(loop, part.blob) for part in one.parts}
            for one in sent
            if one.iteration == iteration and one.role == role
        ]

    def outputs(self, loop: str) -> list[str]:
        """What the maker was told of its tool calls, in order."""
        return [one.output for one in self.trace(loop) if isinstance(one, tr.ToolReturned)]

    def worktree(self, loop: str) -> Path:
        """Its worktree."""
        return Path(self.folded(loop).worktree)

    def end(self) -> None:
        """End what is still running, also what a slain runner had started."""
        super().end()
        for paths in self.deck.home.all_runs():
            sweep(paths.run)

    def slay(self, loop: str) -> None:
        """kill -9 its runner, as the kernel does when memory is short, and see it gone. What it had started lives on."""
        seen = look(self.paths(loop).lease)
        assert seen.holder is not None, f"{loop} never had a runner"
        if seen.held:
            with suppress(ProcessLookupError):
                os.kill(seen.holder.pid, signal.SIGKILL)
        self.wait(loop, lambda one: not one.live, 5)

    def says(self, *args: str, code: int = 2) -> Said:
        """Run a verb that must exit with `code`, and without a traceback."""
        said = self.run(*args)
        assert said.code == code, (args, said)
        assert "Traceback" not in said.err
        return said


def nap() -> str:
    """A command that sleeps for long and looks like no other."""
    return f"sleep 40{os.getpid()}.{next(_naps)}"


def runs(words: str) -> bool:
    """True if a process runs with these words in its command line."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if words in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def until_runs(words: str, patience_s: float = 20) -> None:
    """Wait until a process runs whose command line is just these words: a shell that may get to them some day is none."""
    deadline = time.monotonic() + patience_s
    while not any(" ".join(one.info["cmdline"] or ()) == words for one in psutil.process_iter(["cmdline"])):
        assert time.monotonic() < deadline, f"{words} never ran"
        time.sleep(0.02)


def plain(value: object) -> Any:
    """An event as JSON would have it."""
    return msgspec.to_builtins(value)


@contextmanager
def seated(base: Path, files: Mapping[str, str | bytes], env: Mapping[str, str] | None = None) -> Iterator[Seat]:
    """A seat before a new repository `base`/repo with one commit of `files`; at the end nothing of it runs any more."""
    base = base.resolve()
    seat = Seat(make_repo(base / "repo", files), base, env)
    try:
        yield seat
    finally:
        seat.end()
