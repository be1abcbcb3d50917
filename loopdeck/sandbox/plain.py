"""The plain door: runs a command as it is, confines nothing, and still leaves nothing behind.

A command gets a session of its own, exactly the environment it was given plus its marks, and /dev/null or bytes to read. However it
ends (by itself, by the clock, by cancellation), all that carries its marks is ended with it: asked (INT), told (TERM), killed after
`grace_s` seconds, and looked for again until there is none. Its first process is reaped last, so that its number, which is its
group's, can't pass on to somebody else in between.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import BinaryIO, ClassVar

from loopdeck.errors import WorkspaceError
from loopdeck.sandbox import family
from loopdeck.sandbox.frost import Frost, Held
from loopdeck.sandbox.hunt import Hunt
from loopdeck.sandbox.outlet import OnOutput, Outlet
from loopdeck.sandbox.port import Command, Conversation, Finished
from loopdeck.sandbox.talk import Talk, talking
from loopdeck.sandbox.waiting import not_started, pidfd, refuse, undisturbed
from loopdeck.sandbox.ways import same_ports

GRACE_S = 1.6
"""Seconds between INT and KILL, with TERM half way: of the two within which whoever ends a run sees it over, the rest is for KILL and
for seeing that nobody is left."""
_STUBBORN_S = 10.0
_LOOKED_AT_EVERY_S = 1.0
_subreaper = family.Subreaper()


class PlainDoor(Held):
    """Runs commands unconfined. `marker` names the run in the environment of each; `grace_s` lies between INT and KILL."""

    name = "plain"
    confines = False

    def __init__(self, marker: str, *, grace_s: float = GRACE_S) -> None:
        super().__init__(marker, grace_s)

    async def run(self, command: Command, on_output: OnOutput | None = None) -> Finished:
        """Run to the end; see the port. A command that ended while something it left had to be killed has ended all the same.

        Raises WorkspaceError if the command can't be started, or if the kernel does not let go of one of its processes.
        """
        refuse(command)
        same_ports(command)
        with _subreaper:
            running = _Running(command, family.Mark(self._marker, uuid.uuid4().hex), on_output)
            try:
                await running.exit_or_timeout(self._frost)
            finally:
                await undisturbed(self._end(running))
            return running.finished()

    @contextlib.asynccontextmanager
    async def open(self, command: Command) -> AsyncIterator[Conversation]:
        """Start it and talk with it; see the port. Raises WorkspaceError as `run` does."""
        refuse(command)
        with _subreaper:
            running = _Talked(command, family.Mark(self._marker, uuid.uuid4().hex), None)
            async with talking(running, self._frost, partial(self._end, running)) as conversation:
                yield conversation

    async def _end(self, running: "_Running") -> None:
        try:
            # Whoever waits may lose patience meanwhile, so the grace is asked for again and again.
            await running.end(lambda: self._grace_s)
        finally:
            self.ended += len(running.struck)


def _start(command: Command, mark: family.Mark, talk: int = -1) -> "subprocess.Popen[bytes]":
    """Start it; `talk` is the end of a pipe for it to read from, and then its stderr is kept apart."""
    try:
        with contextlib.ExitStack() as stack:
            stdin: BinaryIO | int = talk if talk >= 0 else subprocess.DEVNULL
            if command.stdin and talk < 0:
                # A file rather than a pipe: it can't block, whether it is read or not.
                file = stack.enter_context(tempfile.TemporaryFile())
                file.write(command.stdin)
                file.seek(0)
                stdin = file
            process = subprocess.Popen(
                (*mark.launcher, *command.argv),
                cwd=command.cwd,
                env={**command.env, **mark.environment},
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if talk >= 0 else subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )
            mark.put_on(process.pid)
            return process
    except (OSError, ValueError, IndexError) as error:
        raise not_started(command, error) from error


class _Running:
    """One command under way."""

    _talks: ClassVar[bool] = False

    def __init__(self, command: Command, mark: family.Mark, on_output: OnOutput | None) -> None:
        self._mark = mark
        self._timeout_s = command.timeout_s
        self.ended_by = ""
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[None] = self._loop.create_future()
        self._begun = time.monotonic()
        self.talk: Talk | None = None
        if self._talks:
            self._begin_talk(command)
        else:
            self._process = _start(command, mark)
            assert self._process.stdout is not None
            self._outlet = Outlet(self._process.stdout.fileno(), command.output_limit, on_output, self._failed)
        root = family.process(self._process.pid)
        self._known: dict[int, family.Process] = {root.pid: root} if root else {}
        self.struck: set[int] = set()
        self._handle = pidfd(self._process.pid)
        if self._handle >= 0:
            self._loop.add_reader(self._handle, self._gone)

    def _begin_talk(self, command: Command) -> None:
        theirs, ours = os.pipe()
        try:
            self._process = _start(command, self._mark, theirs)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._outlet = Outlet(self._process.stderr.fileno(), command.output_limit, None, self._failed)
        self.talk = Talk(ours, self._process.stdout.fileno(), self._outlet.capture, self.finished)

    def _gone(self) -> None:
        self._loop.remove_reader(self._handle)
        if not self._exited.done():
            self._exited.set_result(None)

    def _failed(self, error: Exception) -> None:
        # What the listener raises ends the command.
        if not self._exited.done():
            self._exited.set_exception(error)

    async def exit_or_timeout(self, frost: Frost) -> None:
        """Wait for the first process to end, for as long as the command may take."""
        due = frost.due(self._timeout_s)
        while not self._exited.done() and await frost.wait(self._exited, due, _LOOKED_AT_EVERY_S if self._handle >= 0 else 0.005):
            if self._handle < 0 and self._over():
                return
            if not self._exited.done():
                self._reap_orphans()
        if self._exited.done():
            self._exited.result()
            self._outlet.settle()
        else:
            self.ended_by = "timeout"

    def _reap_orphans(self) -> None:
        # A command that makes daemons all day would fill the machine with their corpses.
        for pid in family.children() or ():
            one = family.process(pid)
            if one is not None and one.dead and pid != self._process.pid and self._mark.on(pid):
                family.reap(pid)

    def _reap_early_ones(self) -> None:
        """Reap who died so early that no mark was on the command yet: the session tells whose corpse it is."""
        first = self._process.pid
        for pid in family.children() or ():
            if pid != first and family.in_session(pid, first) and (one := family.process(pid)) and one.dead:
                family.reap(pid)

    async def end(self, grace_s: Callable[[], float]) -> None:
        """End whatever is left, read the last of the output, take the status, let go of everything."""
        try:
            if not (self._over() and self._childless()):
                await self._end_all(grace_s)
            self._reap_early_ones()
            self._outlet.drain()
        finally:
            self._outlet.close()
            if self._handle >= 0:
                self._loop.remove_reader(self._handle)
                os.close(self._handle)
            if self.talk is not None:
                self.talk.over()
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
        self._process.wait()

    def _over(self) -> bool:
        now = family.process(self._process.pid)
        return now is None or now.dead

    def _childless(self) -> bool:
        # Orphans come to us: once the first process is dead, whatever it left behind is below a child that carries the mark.
        children = family.children() if _subreaper.works else None
        return children is not None and not any(self._mark.on(pid) for pid in children if pid != self._process.pid)

    async def _end_all(self, grace_s: Callable[[], float]) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            # Anew each time: what was asked to end may have started something else instead.
            found = family.members(self._mark, self._known.values())
            for pid in (pid for pid, one in found.items() if one.dead and pid != self._process.pid):
                # A corpse carries no mark any more: if not now, nobody will ever know it for one of ours.
                family.reap(pid)
            self._known = {pid: one for pid, one in found.items() if not one.dead}
            if not self._known or grace_s() <= 0:
                break
            self._signal(number)
            await self._until_gone(grace_s)
        hunt = Hunt(self._mark, self._known, self._process.pid)
        until = time.monotonic() + _STUBBORN_S
        while True:
            # The group first: the kernel reaches all of it at once, so nobody in it can fork away from the signal.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            if hunt.over():
                self.struck |= hunt.ended
                return
            if time.monotonic() > until:
                left = ", ".join(map(str, hunt.left))
                raise WorkspaceError(f"processes of a command could not be ended: {left}", remedy="The kernel holds them.")
            await asyncio.sleep(0.001)

    def _signal(self, number: signal.Signals) -> None:
        self.struck |= self._known.keys()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
        for one in self._known.values():
            if not family.in_group(one.pid, self._process.pid):
                family.send(one, number)

    async def _until_gone(self, grace_s: Callable[[], float]) -> None:
        """Give those who are known half of the grace to be gone."""
        begun = time.monotonic()
        pause = 0.001
        while time.monotonic() < begun + grace_s() / 2:
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.05)
            now = [family.process(pid) for pid in self._known]
            if all(one is None or one.dead for one in now):
                return

    def finished(self) -> Finished:
        """What came of it, once it has ended."""
        status = self._code()
        ended_by = self.ended_by or (f"signal {-status}" if status < 0 else "")
        return Finished(
            exit_code=None if ended_by else status,
            output=self._outlet.capture.output,
            output_hash=self._outlet.capture.hash,
            size=self._outlet.capture.size,
            seconds=time.monotonic() - self._begun,
            ended_by=ended_by,
        )

    def _code(self) -> int:
        """Its exit code or, below zero, the signal; looked at without reaping it if that is yet to come."""
        if self._process.returncode is not None:
            return self._process.returncode
        told = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if told is None:
            return 0
        return told.si_status if told.si_code == os.CLD_EXITED else -told.si_status


class _Talked(_Running):
    """One that is talked with: its stdin and stdout are the talk's, its stderr is kept."""

    _talks = True
