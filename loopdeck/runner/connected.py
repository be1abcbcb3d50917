"""The connectors of a run: its maker's MCP servers, started when they are needed, and held to what they said first.

What a server lists when the run first sees it is pinned, in the run's folder. The maker is offered that and nothing else; a tool that
says something else later is a notice, is not run by an allowance that was given for the old one, and asks from then on. No server
lives beyond its iteration, so that none is at work on the worktree when it is committed.
"""

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from loopdeck.connectors import told
from loopdeck.connectors.http import HttpChannel
from loopdeck.connectors.offers import Listing, differences, listing
from loopdeck.connectors.session import Channel, ConnectorFailed, Refused, Session
from loopdeck.connectors.stdio import StdioChannel
from loopdeck.core import events as ev
from loopdeck.core.conversation import ToolSchema
from loopdeck.core.spec import Connector, LoopSpec
from loopdeck.errors import ConnectorLost, WorkspaceError
from loopdeck.runner.record import Record
from loopdeck.sandbox.port import Command, Door
from loopdeck.store.files import write_atomic
from loopdeck.tools.port import ToolOutcome, failed
from loopdeck.tools.shell import shell
from loopdeck.tools.within import SCRATCH

ATTEMPTS = 2
"""How often a server is started before the run stands still for want of it."""
_LOOKED_BACK = 20
MOST_FAILURES = 3
"""In a row; after that its calls fail at once, until the next iteration."""


class Line:
    """One server of the run, as it is known."""

    def __init__(self, connector: Connector, pinned: Listing | None) -> None:
        self.connector = connector
        self.pinned = pinned
        self.session: Session | None = None
        self.changed: frozenset[str] = frozenset()
        self.gone: frozenset[str] = frozenset()
        self.failures = 0
        self.stack = AsyncExitStack()

    async def close(self) -> None:
        """End the server, and forget its failures."""
        self.session, self.failures = None, 0
        await self.stack.aclose()
        self.stack = AsyncExitStack()


class Connected:
    """All of them. `names` and `schemas` are what the maker is offered, the same from the first turn of the run to the last."""

    def __init__(self, spec: LoopSpec, record: Record, worktree: Path, door: Door, env: Mapping[str, str]) -> None:
        self._spec = spec
        self._record = record
        self._worktree = worktree
        self._door = door
        self._env = env
        pins = _read_pins(record.paths.connectors) if spec.maker.connectors else {}
        self._lines = {one.name: Line(one, pins.get(one.name)) for one in spec.maker.connectors}

    @property
    def schemas(self) -> tuple[ToolSchema, ...]:
        """The tools as they are offered; none of a server that has not been seen yet."""
        every = (offer.offered(name) for name, line in self._lines.items() if line.pinned for offer in line.pinned.offers)
        return tuple(one for one in every if self._is_named(one.name))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tools that are offered."""
        return tuple(one.name for one in self.schemas)

    def is_remote(self, tool: str) -> bool:
        """True if a call would leave by the runner's own connection, past any sandbox."""
        line = self._lines.get(tool.partition(".")[0])
        return line is not None and bool(line.connector.url)

    def doubt(self, tool: str) -> str:
        """Why no rule may let the tool through unseen; empty if nothing is against it."""
        server, _, name = tool.partition(".")
        line = self._lines.get(server)
        if line is None or name not in line.changed:
            return ""
        return f"its server describes {tool} differently than when the run began"

    async def ready(self) -> None:
        """See to it that every server has been seen once. Raises ConnectorLost if one can't be had."""
        for line in self._lines.values():
            if line.pinned is None:
                await self._first_seen(line)

    async def call(self, tool: str, arguments: str) -> ToolOutcome:
        """Carry out a call that the gate has let through."""
        server, _, name = tool.partition(".")
        line = self._lines[server]
        if line.failures >= MOST_FAILURES:
            return failed(f"The connector {server} has failed {line.failures} times in a row. Go on without it.")
        given = msgspec.json.decode(arguments, type=dict[str, object])
        knew = line.changed
        try:
            session = await self._opened(line)
            if name in line.gone:
                return failed(f"The server of {server} no longer has {name!r}. Go on without it.")
            if name in line.changed - knew:
                return failed(f"Not run: {self.doubt(tool)}. Call it again if you need it: a person will be asked.")
            outcome = told.outcome(await session.call(name, given))
            if session.changed:
                await self._compare(line, session)
        except Refused as refused:
            line.failures = 0
            return failed(f"{tool} was refused: {refused}.")
        except (ConnectorFailed, WorkspaceError) as error:
            return await self._failed(line, error)
        except BaseException:
            # Cut off in the middle of a conversation, which can't be taken up again.
            await line.close()
            raise
        line.failures = 0
        return outcome

    async def close(self) -> None:
        """End all servers; one that is needed again is started again."""
        for line in self._lines.values():
            await line.close()

    def _is_named(self, tool: str) -> bool:
        """True if the loop's own list of tools leaves it in: one that names no tool of a server leaves them all."""
        server = tool.partition(".")[0]
        asked = [one for one in self._spec.maker.tools if one.partition(".")[0] == server and "." in one]
        return not asked or tool in asked or f"{server}.*" in asked

    async def _first_seen(self, line: Line) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._opened(line)
                return
            except (ConnectorFailed, WorkspaceError) as error:
                await line.close()
                if attempt == ATTEMPTS:
                    where = line.connector.url or line.connector.command
                    remedy = f"Mend it, or take the connector out of the loop file; then resume {self._record.run.id}."
                    raise ConnectorLost(
                        f"the connector {line.connector.name} can't be had: {error}", where=where, remedy=remedy
                    ) from error

    async def _opened(self, line: Line) -> Session:
        """Its session, begun if there is none. Raises ConnectorFailed, WorkspaceError."""
        if line.session is None:
            await line.stack.aclose()
            line.stack = AsyncExitStack()
            session = Session(await line.stack.enter_async_context(self._channel(line.connector)), still=self._stands_still)
            await session.greet()
            await self._compare(line, session)
            line.session = session
        return line.session

    @asynccontextmanager
    async def _channel(self, connector: Connector) -> AsyncIterator[Channel]:
        if connector.url:
            http = HttpChannel(connector.url)
            try:
                yield http
            finally:
                await http.close()
            return
        reports = self._spec.level == "report"
        command = Command(
            argv=(shell(), "-c", connector.command),
            cwd=self._worktree,
            env=self._env,
            timeout_s=math.inf,
            writable=(self._worktree / SCRATCH if reports else self._worktree,),
        )
        async with self._door.open(command) as conversation:
            yield StdioChannel(conversation)

    async def _compare(self, line: Line, session: Session) -> None:
        """Pin what the server lists, or hold it against what is pinned, and say what a person should know."""
        name = line.connector.name
        now = listing(await session.listed(), line.connector.tools)
        if line.pinned is None:
            line.pinned = now
            self._save()
            self._hold_against_earlier(name, now)
            for left_out in now.left_out:
                self._say(f"connector {name}: {left_out}; the maker goes without it")
            return
        before = line.changed | line.gone
        line.changed, line.gone = differences(line.pinned, now)
        fresh = (line.changed | line.gone) - before
        if fresh:
            listed = ", ".join(sorted(fresh))
            self._say(f"connector {name} lists other tools than when the run began: {listed}; calls of them ask, or fail")

    def _hold_against_earlier(self, server: str, now: Listing) -> None:
        """Say what the server describes otherwise than to the last run that saw it."""
        own = self._record.paths
        for paths in reversed([one for one in own.home.runs_of(own.loop) if one.run < own.run][-_LOOKED_BACK:]):
            before = _read_pins(paths.connectors).get(server)
            if before is not None:
                changed, _ = differences(before, now)
                fresh = sorted(changed | (now.names() - before.names()))
                if fresh:
                    self._say(f"connector {server} describes tools otherwise than in run {paths.run}, or anew: {', '.join(fresh)}")
                return

    def _stands_still(self) -> bool:
        return self._record.run.status == "paused"

    async def _failed(self, line: Line, error: Exception) -> ToolOutcome:
        failures, name = line.failures + 1, line.connector.name
        await line.close()
        line.failures = failures
        if failures == MOST_FAILURES:
            self._say(f"connector {name} failed {failures} times in a row: {error}")
        return failed(f"The connector {name} failed: {error}. Whether the call had an effect is not known.")

    def _say(self, text: str) -> None:
        if text not in self._record.run.notices:
            self._record.happened(ev.NoticeRaised(text))

    def _save(self) -> None:
        pins = {name: line.pinned for name, line in self._lines.items() if line.pinned is not None}
        write_atomic(self._record.paths.connectors, msgspec.json.format(msgspec.json.encode(pins), indent=1) + b"\n")


def _read_pins(path: Path) -> dict[str, Listing]:
    """What was pinned in an earlier life; nothing if there is nothing, and then it is pinned anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Listing])
    except (OSError, msgspec.DecodeError):
        return {}
