"""The bubble: runs a command in a sandbox of bubblewrap's, from which nothing gets out and in which nothing stays.

The command's processes are in namespaces of their own. The first process in there, bubblewrap's, is the kernel's handle on all of
them: when it is killed they are dead before it is, wherever they fled to. So a command is over when that one is gone, and that is
waited for. The launcher starts with no variable but the marks: what is in the runner's environment is nowhere in the sandbox, not in
/proc either. The command is held by a word that it waits to read, until limits and marks are on: a runner that dies before has
started nothing.
"""

import asyncio
import contextlib
import json
import os
import resource
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from loopdeck.errors import WorkspaceError
from loopdeck.sandbox import family
from loopdeck.sandbox.frost import Frost, Held
from loopdeck.sandbox.inlets import Inlets, Opener
from loopdeck.sandbox.launching import Launch, launched
from loopdeck.sandbox.outlet import OnOutput, Outlet
from loopdeck.sandbox.plain import GRACE_S
from loopdeck.sandbox.port import Command, Finished, OnReached
from loopdeck.sandbox.seals import Seals
from loopdeck.sandbox.waiting import pidfd, refuse, undisturbed
from loopdeck.sandbox.walls import Walls
from loopdeck.sandbox.ways import same_ports, ways

MOST_PROCESSES = 4096
"""Of one command, for an ordinary user: the kernel counts none of root's."""
LARGEST_FILE = 16 << 30
_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: LARGEST_FILE,
    resource.RLIMIT_NPROC: MOST_PROCESSES,
}
_STUBBORN_S = 10.0
_PATIENCE_S = 0.05
"""How often it is asked whether whoever waits still has patience."""
_START_S = 5.0
_SETTLE_S = 0.0005
_BY_SIGNAL = 128
_FATAL = frozenset(
    (signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGXCPU,
     signal.SIGXFSZ, signal.SIGSYS)
)  # fmt: skip
"""Signals that an exit code of 128 and more is taken for: no program ends so by itself."""
_subreaper = family.Subreaper()


class BubbleDoor(Held):
    """Runs commands within `walls` by the bubblewrap at `program`. `marker` names the run; `grace_s` lies between INT and KILL.

    `tell` hears of every connection that a command asked for where hosts are listed.
    """

    name = "bubblewrap"
    confines = True

    def __init__(self, program: str, walls: Walls, marker: str, *, grace_s: float = GRACE_S, tell: OnReached | None = None) -> None:
        super().__init__(marker, grace_s)
        self._program = program
        self._walls = walls
        self._seals = Seals(walls.tree, walls.protect)
        self._tell = tell
        self._opener = Opener()

    def close(self) -> None:
        """See the port."""
        self._opener.close()

    async def run(self, command: Command, on_output: OnOutput | None = None) -> Finished:
        """Run to the end; see the port. The command sees its own folders and what the walls show, and nothing else.

        Raises WorkspaceError if the sandbox or the command can't be started, or if the kernel does not let go of its processes.
        """
        refuse(command)
        if self._walls.open_to(command):
            same_ports(command)
            return await self._run(command, on_output, None)
        led = ways(command, self._walls.listed(command), self._tell)
        inlets = Inlets(self._opener, led.served) if led.served else None
        finished = await self._run(replace(command, env={**command.env, **led.env}), on_output, inlets)
        return replace(finished, refusals=led.refusals())

    async def _run(self, command: Command, on_output: OnOutput | None, inlets: Inlets | None) -> Finished:
        sealed = command.role == "tool" and self._walls.tree in command.writable
        with contextlib.ExitStack() as stack:
            stack.enter_context(_subreaper)
            options = self._walls.options(command, self._lay(stack) if sealed else ())
            launch = Launch(self._program, tuple(options), family.Mark(self._marker, uuid.uuid4().hex), inlets)
            running = _Held(launch, command, on_output)
            try:
                await running.exit_or_timeout(self._frost)
            finally:
                await undisturbed(self._end(running))
            return running.finished()

    async def _end(self, running: "_Held") -> None:
        try:
            # Whoever waits may lose patience meanwhile, so the grace is asked for again and again.
            await running.end(lambda: self._grace_s)
        finally:
            self.ended += len(running.struck)

    def _lay(self, stack: contextlib.ExitStack) -> list[str]:
        options = self._seals.lay()
        stack.callback(self._seals.lift)
        return options


def _waits(pid: int) -> bool:
    """True if the process has started its child and sleeps until that ends; also if it is gone, or the system does not tell."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_bytes()
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    return bool(children.strip()) and stat[stat.rindex(b")") + 2 :][:1] == b"S"


class _Held:
    """One command under way, from its launcher's start to the end of its last process."""

    def __init__(self, launch: Launch, command: Command, on_output: OnOutput | None) -> None:
        self._mark = launch.mark
        self._inlets = launch.inlets
        self._opening: asyncio.Task[None] | None = None
        self._command = command
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[None] = self._loop.create_future()
        self._held: asyncio.Future[None] = self._loop.create_future()
        self._told = b""
        self._init = 0
        self._init_handle = -1
        self._ended_by = ""
        self.struck: set[int] = set()
        self._begun = time.monotonic()
        self._status, status_end = os.pipe()
        word_end, self._word = os.pipe()
        try:
            self._process = launched(launch, command, status_end, word_end)
        except BaseException:
            os.close(self._status)
            os.close(self._word)
            raise
        finally:
            os.close(status_end)
            os.close(word_end)
        assert self._process.stdout is not None
        self._outlet = Outlet(self._process.stdout.fileno(), command.output_limit, on_output, self._failed)
        os.set_blocking(self._status, False)
        self._loop.add_reader(self._status, self._listen)
        self._handle = pidfd(self._process.pid)
        self._loop.add_reader(self._handle, self._gone)

    def _failed(self, error: Exception) -> None:
        if not self._exited.done():
            self._exited.set_exception(error)

    def _gone(self) -> None:
        self._loop.remove_reader(self._handle)
        if not self._exited.done():
            self._exited.set_result(None)

    def _listen(self) -> None:
        """Hear of the namespace's first process; put limits and mark on it and let the command go."""
        if not self._hear():
            self._loop.remove_reader(self._status)
        if self._held.done() or not (pid := self._reported("child-pid")):
            return
        self._init = pid
        self._init_handle = pidfd(pid)
        self._held.set_result(None)
        for limit, most in _LIMITS.items():
            with contextlib.suppress(OSError, ValueError):
                hard = resource.prlimit(pid, limit)[1]
                least = most if hard == resource.RLIM_INFINITY else min(most, hard)
                resource.prlimit(pid, limit, (least, least))
        self._mark.put_on(pid)
        self._mark.put_on(self._process.pid)
        self._release(time.monotonic() + _START_S)

    def _release(self, latest: float) -> None:
        """Let the command go once the first process waits for it: from then on it dies with its launcher, and that with us.

        Before, a runner that is killed would leave a command behind that nobody holds.
        """
        if self._exited.done() or self._word < 0:
            return
        if not _waits(self._init) and time.monotonic() < latest:
            self._loop.call_later(_SETTLE_S, self._release, latest)
            return
        if self._inlets is None:
            self._go()
        else:
            self._opening = asyncio.ensure_future(self._open(self._inlets))

    async def _open(self, inlets: Inlets) -> None:
        """Open the command's ports in its namespace, then let it go."""
        try:
            await inlets.open(self._init)
        except Exception as error:  # whatever it is, the command must not be waited for
            self._failed(error)
        else:
            self._go()

    def _go(self) -> None:
        if self._word >= 0:
            with contextlib.suppress(BrokenPipeError, OSError):
                os.write(self._word, b"go\n")

    def _hear(self) -> bool:
        try:
            heard = os.read(self._status, 4096)
        except BlockingIOError:
            return True
        self._told += heard
        return bool(heard)

    def _reported(self, name: str) -> int | None:
        """A number that bubblewrap has told of what it does."""
        for line in self._told.splitlines():
            with contextlib.suppress(ValueError):
                found = json.loads(line).get(name)
                if found is not None:
                    return int(found)
        return None

    async def exit_or_timeout(self, frost: Frost) -> None:
        """Wait for the command to end, for as long as it may take."""
        due = frost.due(self._command.timeout_s)
        while not self._exited.done() and await frost.wait(self._exited, due):
            pass
        if self._exited.done():
            self._exited.result()
        else:
            self._ended_by = "timeout"

    async def end(self, grace_s: Callable[[], float]) -> None:
        """End whatever is left, wait until the kernel says that nothing is, read the last of the output, let go of everything."""
        try:
            if self._process.poll() is None:
                # Without its first process a sandbox can't be ended for certain; it is told of within milliseconds.
                await asyncio.wait((self._held, self._exited), timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
                await self._ask(grace_s)
            await self._kill()
            self._outlet.drain()
            self._hear()
        finally:
            self._let_go()
            await self._close()

    async def _close(self) -> None:
        """Close the command's ports, and all that came through them."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._inlets is not None:
            await self._inlets.close()

    async def _ask(self, grace_s: Callable[[], float]) -> None:
        """Ask every process of the command to end (INT), then tell them (TERM), half of the grace for each.

        It is over when the command's own process is gone, and with it the launcher: whoever is left has had their chance.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            # Anew each time: what was asked to end may have started something else instead.
            found = _below(self._init) if self._init else []
            self.struck |= {one.pid for one in found}
            if not found or grace_s() <= 0:
                return
            for one in found:
                family.send(one, number)
            begun = time.monotonic()
            while (left := begun + grace_s() / 2 - time.monotonic()) > 0:
                if await _readable(self._loop, self._handle, min(left, _PATIENCE_S)):
                    return

    async def _kill(self) -> None:
        if self._init_handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_handle, signal.SIGKILL)
            await _dead(self._loop, self._init_handle, self._init)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await _dead(self._loop, self._handle, self._process.pid)
        self._process.wait()
        if self._init:
            # The launcher may have gone first; then its child is ours.
            family.reap(self._init)

    def _let_go(self) -> None:
        self._outlet.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        for handle in (self._status, self._handle, self._init_handle):
            if handle >= 0:
                self._loop.remove_reader(handle)
                os.close(handle)
        os.close(self._word)
        self._word = -1

    def finished(self) -> Finished:
        """What came of it, once it has ended. Raises WorkspaceError if the command never began."""
        code = self._reported("exit-code")
        if code is None and not self._ended_by:
            said = self._outlet.capture.output.decode("utf-8", "replace").strip()
            raise WorkspaceError(
                f"the sandbox could not be made: {said[-300:] or f'bubblewrap ended with {self._process.returncode}'}",
                where=str(self._command.cwd),
                remedy="`loopdeck doctor` tries what this machine can do.",
            )
        ended_by = self._ended_by
        if not ended_by and code is not None and code - _BY_SIGNAL in _FATAL:
            ended_by = f"signal {code - _BY_SIGNAL}"
        return Finished(
            exit_code=None if ended_by else code,
            output=self._outlet.capture.output,
            output_hash=self._outlet.capture.hash,
            size=self._outlet.capture.size,
            seconds=time.monotonic() - self._begun,
            ended_by=ended_by,
        )


def _below(pid: int) -> list[family.Process]:
    """All that descend from a process."""
    fresh = list(family.children(pid) or ())
    found: list[family.Process] = []
    while fresh:
        found += [one for child in fresh if (one := family.process(child)) and not one.dead]
        fresh = [child for parent in fresh for child in family.children(parent) or ()]
    return found


async def _dead(loop: asyncio.AbstractEventLoop, handle: int, pid: int) -> None:
    """Wait until the process is dead, and with it, where it is a namespace's first, every other one in there."""
    if not await _readable(loop, handle, _STUBBORN_S):
        raise WorkspaceError(f"processes of a command could not be ended: those of {pid}", remedy="The kernel holds them.")


async def _readable(loop: asyncio.AbstractEventLoop, handle: int, seconds: float) -> bool:
    """Wait until there is something to read, but no longer than that; True if there is."""
    done: asyncio.Future[None] = loop.create_future()
    loop.add_reader(handle, lambda: None if done.done() else done.set_result(None))
    try:
        await asyncio.wait((done,), timeout=seconds)
    finally:
        loop.remove_reader(handle)
    return done.done()
