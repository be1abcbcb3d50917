"""Where the attacks happen: a repository of its own with a home beside it, runs in it, and eyes on what comes of them.

Invariant: everything is below one scratch folder, and when the stage is closed no process that was started on it is left.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from loopdeck.core.commands import Command, Kill
from loopdeck.deck.decks import Deck
from loopdeck.deck.launch import readied, start
from loopdeck.deck.reading import over
from loopdeck.deck.serving import SWITCH
from loopdeck.deck.verification import verified
from loopdeck.deck.view import RunView
from loopdeck.deck.waking import awake
from loopdeck.errors import LoopdeckError
from loopdeck.gameday.scenario import Ground, Seen
from loopdeck.git.fresh import commit_all_of
from loopdeck.sandbox.choice import UNSANDBOXED
from loopdeck.sandbox.family import Mark, members
from loopdeck.sandbox.hunt import sweep
from loopdeck.store.journal import read_journal
from loopdeck.store.layout import DeckHome, RunPaths, deck_home
from loopdeck.store.lease import look
from loopdeck.store.trace import read_trace

PATIENCE_S = 25.0
"""How long a run is given for what takes seconds; after that it is judged as it stands."""
_LOOK_S = 0.03
_BY = "gameday"
_GONE_S = 15.0
"""How long runs are given to be gone: one that is only being started must first come up."""


class Stalled(LoopdeckError):
    """The attack never got going."""


class Stopped(LoopdeckError):
    """The stage is being closed."""


class Said(NamedTuple):
    """What a verb came to, as the bytes it wrote say it."""

    code: int
    text: str


class Stage:
    """The repository `deck.root` with a commit of every scenario's files; its home is `base`."""

    def __init__(self, deck: Deck, base: Path, ground: Ground, server: socket.socket, environ: Mapping[str, str]) -> None:
        self.deck = deck
        self.base = base
        self.ground = ground
        self._server = server
        # A supervisor would be quicker than we are in resuming what we have killed.
        self._env = {**environ, "LOOPDECK_HOME": str(base), SWITCH: "off"}
        self._closing = threading.Event()

    @classmethod
    def make(cls, folder: Path, files: Callable[[Ground], Mapping[str, str]], environ: Mapping[str, str]) -> "Stage":
        """Set up below `folder`, with the `files` that suit the ground. Raises LoopdeckError."""
        root, base = folder / "arena", folder / "home"
        seeing = {**environ, "LOOPDECK_HOME": str(base)}
        home = DeckHome(deck_home(root.name, root / ".git", seeing))
        server = socket.create_server(("127.0.0.1", 0))
        server.setblocking(False)
        ground = Ground(str(root), str(home.path / "gameday-canary"), os.urandom(12).hex(), server.getsockname()[1])
        for name, text in files(ground).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        commit_all_of(root, "Before the attacks")
        home.make()
        Path(ground.secret).write_text(ground.canary, encoding="utf-8")
        return cls(Deck.open(root, seeing), base, ground, server, environ)

    def connections(self) -> int:
        """How many have connected to our server since the last time this was asked."""
        count = 0
        while True:
            try:
                self._server.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def start(self, loop: str) -> RunPaths:
        """A run of the loop, with a runner of its own. Raises LoopdeckError, and Stopped if the stage is being closed."""
        self.rest(0)
        [spec] = readied(self.deck, [loop])
        return start(self.deck, spec, _BY)

    def wait(self, paths: RunPaths, holds: Callable[[RunView], bool], patience_s: float = PATIENCE_S) -> RunView:
        """The run as soon as `holds`, or as it is when patience is over. Raises Stopped if the stage is being closed."""
        deadline = time.monotonic() + patience_s
        while not holds(seen := self.deck.view(paths)) and time.monotonic() < deadline:
            self.rest()
        return seen

    def rest(self, seconds: float = _LOOK_S) -> None:
        """Wait a little. Raises Stopped if the stage is being closed."""
        if self._closing.wait(seconds):
            raise Stopped("gameday was interrupted")

    def ended(self, paths: RunPaths) -> RunView:
        """The run at its end, or as it is when patience is over."""
        return self.wait(paths, lambda one: one.status == "ended" and not one.live)

    def must(self, paths: RunPaths, holds: Callable[[], bool], what: str) -> None:
        """Wait until `holds`. Raises Stalled, saying that `what` never happened, if the run ends before or patience is over."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            view = self.deck.view(paths)
            if view.status == "ended" or time.monotonic() > deadline:
                raise Stalled(
                    f"the attack never got going: {what}; the run is {view.status} {view.reason or ''} {view.run.why}".strip()
                )
            self.rest()

    def send(self, paths: RunPaths, command: Command) -> None:
        """A word to the run."""
        self.deck.send(paths, command)

    def kill(self, paths: RunPaths, *, now: bool = False) -> None:
        """End the run, as an operator does."""
        self.send(paths, Kill(by=_BY, why="the attack is over", now=now))

    def slay(self, paths: RunPaths) -> bool:
        """kill -9 its runner, and see it gone; False if there was none any more."""
        seen = look(paths.lease)
        if not seen.held or seen.holder is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(seen.holder.pid, signal.SIGKILL)
        return not self.wait(paths, lambda one: not one.live, 5).live

    def say(self, *words: str) -> Said:
        """Run a verb as a process, as a person does."""
        process = self.open(*words)
        return self.hear(process)

    def open(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a verb."""
        return subprocess.Popen(
            [sys.executable, "-m", "loopdeck", *words],
            cwd=self.deck.root, env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def hear(self, process: "subprocess.Popen[bytes]") -> Said:
        """What a started verb came to."""
        with process:
            try:
                out, _ = process.communicate(timeout=PATIENCE_S)
            except BaseException:
                process.kill()
                raise
        return Said(process.returncode, out.decode("utf-8", "surrogateescape"))

    def alive(self, paths: RunPaths) -> int:
        """How many processes of the run's commands live."""
        return sum(not one.dead for one in members(Mark(paths.run)).values())

    def seen(self, paths: RunPaths, numbers: Mapping[str, float] | None = None, texts: Mapping[str, str] | None = None) -> Seen:
        """What is observed of the run now."""
        view = self.deck.view(paths)
        left = self.alive(paths)
        return Seen(
            view.run, view.status, view.reason,
            events=tuple(one.event for one in read_journal(paths.journal).entries),
            trace=tuple(read_trace(paths.trace)),
            damage=tuple(f"{one.part}: {one.wrong}" for one in verified(paths) if one.wrong) if not view.live else (),
            left=left,
            walled=not any(one.startswith(UNSANDBOXED) for one in view.run.notices),
            numbers=numbers or {}, texts=texts or {},
        )  # fmt: skip

    def revive(self, paths: RunPaths) -> None:
        """Go on with a run whose runner is gone, as `resume` does. Raises LoopdeckError."""
        view = self.deck.view(paths)
        if view.run.status != "ended" and not view.live:
            awake(self.deck, paths, view.run.life)

    def stop(self) -> None:
        """Have every wait on this stage end with Stopped."""
        self._closing.set()

    def close(self) -> None:
        """End everything that still runs here."""
        self.stop()
        self._server.close()
        runs = self.deck.home.all_runs()
        for paths in runs:
            # Also where there is no runner yet: one that has just been started takes this up first.
            if not over(self.deck.view(paths)):
                self.kill(paths, now=True)
        deadline = time.monotonic() + _GONE_S
        while not all(over(self.deck.view(paths)) for paths in runs) and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        for paths in runs:
            holder = look(paths.lease)
            if holder.held and holder.holder is not None:
                with suppress(ProcessLookupError):
                    os.kill(holder.holder.pid, signal.SIGKILL)
            sweep(paths.run)
