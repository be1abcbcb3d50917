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
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial

from loopdeck.errors import WorkspaceError
from loopdeck.sandbox import family
from loopdeck.sandbox.frost import Frost, Held
from loopdeck.sandbox.inlets import Inlets, Opener
from loopdeck.sandbox.kernel import below, dead, readable, waits
from loopdeck.sandbox.launching import Launch, launched
from loopdeck.sandbox.outlet import OnOutput, Outlet
from loopdeck.sandbox.plain import GRACE_S
from loopdeck.sandbox.port import Command, Conversation, Finished, OnReached
from loopdeck.sandbox.seals import Seals
from loopdeck.sandbox.talk import Talk, talking
from loopdeck.sandbox.waiting import pidfd, refuse, undisturbed
from loopdeck.sandbox.walls import LARGEST_FILE, MOST_PROCESSES, Walls
from loopdeck.sandbox.ways import Ways, same_ports, ways

_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: LARGEST_FILE,
    resource.RLIMIT_NPROC: MOST_PROCESSES,
}
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
        with self._entered(command, talks=False) as launch:
            running = _Held(launch, on_output)
            try:
                await running.exit_or_timeout(self._frost)
            finally:
                await undisturbed(self._end(running))
            return running.finished()

    @contextlib.asynccontextmanager
    async def open(self, command: Command) -> AsyncIterator[Conversation]:
        """Start it and talk with it; see the port. Raises WorkspaceError as `run` does."""
        refuse(command)
        with self._entered(command, talks=True) as launch:
            running = _Held(launch)
            async with talking(running, self._frost, partial(self._end, running)) as conversation:
                await running.begun()
                yield conversation

    @contextlib.contextmanager
    def _entered(self, command: Command, *, talks: bool) -> Iterator[Launch]:
        """How the command is started; what it needs stands meanwhile."""
        led: Ways | None = None
        if self._walls.open_to(command):
            same_ports(command)
        else:
            led = ways(command, self._walls.listed(command), self._tell)
            command = replace(command, env={**command.env, **led.env})
        inlets = Inlets(self._opener, led.served) if led and led.served else None
        sealed = command.role in ("tool", "agent") and self._walls.tree in command.writable
        mark = family.Mark(self._marker, uuid.uuid4().hex)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_subreaper)
            options = self._walls.options(command, self._lay(stack) if sealed else ())
            yield Launch(self._program, tuple(options), command, mark, inlets, led.refusals if led else tuple, talks)

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


class _Held:
    """One command under way, from its launcher's start to the end of its last process."""

    def __init__(self, launch: Launch, on_output: OnOutput | None = None) -> None:
        self._launch = launch
        self._mark = launch.mark
        self._inlets = launch.inlets
        self._opening: asyncio.Task[None] | None = None
        self._command = launch.command
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[None] = self._loop.create_future()
        self._held: asyncio.Future[None] = self._loop.create_future()
        self._released: asyncio.Future[None] = self._loop.create_future()
        self._told = b""
        self._init = 0
        self._init_handle = -1
        self.ended_by = ""
        self.struck: set[int] = set()
        self._begun = time.monotonic()
        self._status, status_end = os.pipe()
        word_end, self._word = os.pipe()
        try:
            self._process = launched(launch, status_end, word_end)
        except BaseException:
            os.close(self._status)
            os.close(self._word)
            raise
        finally:
            os.close(status_end)
            os.close(word_end)
        heard = self._process.stderr or self._process.stdout
        assert heard is not None
        self._outlet = Outlet(heard.fileno(), self._command.output_limit, on_output, self._failed)
        self.talk = self._talk() if launch.talks else None
        os.set_blocking(self._status, False)
        self._loop.add_reader(self._status, self._listen)
        self._handle = pidfd(self._process.pid)
        self._loop.add_reader(self._handle, self._gone)

    def _talk(self) -> Talk:
        assert self._process.stdout is not None
        # The shell that waits for the word reads no further than its line: what follows on the same pipe is the command's.
        return Talk(os.dup(self._word), self._process.stdout.fileno(), self._outlet.capture, self.finished)

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
        if self._inlets is not None:
            # Meanwhile: the namespace is there, and the sandbox around it takes longer to make than ports take to open.
            self._opening = asyncio.ensure_future(self._inlets.open(pid))
        self._release(time.monotonic() + _START_S)

    def _release(self, latest: float) -> None:
        """Let the command go once the first process waits for it: from then on it dies with its launcher, and that with us.

        Before, a runner that is killed would leave a command behind that nobody holds.
        """
        if self._exited.done() or self._word < 0:
            return
        if not waits(self._init) and time.monotonic() < latest:
            self._loop.call_later(_SETTLE_S, self._release, latest)
            return
        if self._opening is None:
            self._go()
        else:
            self._opening.add_done_callback(self._opened)

    def _opened(self, opening: "asyncio.Task[None]") -> None:
        """The command's ports are open, and it can go; or they can't be, and it must not be waited for."""
        if opening.cancelled():
            return
        error = opening.exception()
        if isinstance(error, Exception):
            self._failed(error)
        else:
            self._go()

    def _go(self) -> None:
        if self._word >= 0:
            with contextlib.suppress(BrokenPipeError, OSError):
                os.write(self._word, b"go\n")
            if self.talk is not None:
                # Else it would not see the end of its input when the talk closes it.
                os.close(self._word)
                self._word = -1
            self._released.set_result(None)

    async def begun(self) -> None:
        """Wait until the command has been let go. Raises WorkspaceError if it never is."""
        await asyncio.wait((self._released, self._exited), return_when=asyncio.FIRST_COMPLETED)
        if not self._released.done():
            self._exited.result()
            self._hear()
            self._outlet.settle()
            self.finished()

    def _hear(self) -> bool:
        try:
            heard = os.read(self._status, 4096) if self._status >= 0 else b""
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
            self._hear()
        else:
            self.ended_by = "timeout"

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
            found = below(self._init) if self._init else []
            self.struck |= {one.pid for one in found}
            if not found or grace_s() <= 0:
                return
            for one in found:
                family.send(one, number)
            begun = time.monotonic()
            while (left := begun + grace_s() / 2 - time.monotonic()) > 0:
                if await readable(self._loop, self._handle, min(left, _PATIENCE_S)):
                    return

    async def _kill(self) -> None:
        if self._init_handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_handle, signal.SIGKILL)
            await dead(self._loop, self._init_handle, self._init)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await dead(self._loop, self._handle, self._process.pid)
        self._process.wait()
        if self._init:
            # The launcher may have gone first; then its child is ours.
            family.reap(self._init)

    def _let_go(self) -> None:
        self._outlet.close()
        if self.talk is not None:
            self.talk.over()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        for handle in (self._status, self._handle, self._init_handle):
            if handle >= 0:
                self._loop.remove_reader(handle)
                os.close(handle)
        if self._word >= 0:
            os.close(self._word)
        self._status = self._word = -1
        if not self._exited.done():
            self._exited.set_result(None)

    def finished(self) -> Finished:
        """What came of it, once it has ended. Raises WorkspaceError if the command never began."""
        code = self._reported("exit-code")
        if code is None and not self.ended_by:
            said = self._outlet.capture.output.decode("utf-8", "replace").strip()
            raise WorkspaceError(
                f"the sandbox could not be made: {said[-300:] or f'bubblewrap ended with {self._process.returncode}'}",
                where=str(self._command.cwd),
                remedy="`loopdeck doctor` tries what this machine can do.",
            )
        ended_by = self.ended_by
        if not ended_by and code is not None and code - _BY_SIGNAL in _FATAL:
            ended_by = f"signal {code - _BY_SIGNAL}"
        return Finished(
            exit_code=None if ended_by else code,
            output=self._outlet.capture.output,
            output_hash=self._outlet.capture.hash,
            size=self._outlet.capture.size,
            seconds=time.monotonic() - self._begun,
            ended_by=ended_by,
            refusals=self._launch.refusals(),
        )
