"""Runs that a run's maker starts: another loop of the deck, with its own contract and worktree, and a share of this run's budget.

A loop grants its maker the tool `loops.NAME` by naming it. The share is set aside before the child begins and is its cap; what it took
is this run's, too. Invariant: a child never outlives its parent, and its spend is in the parent's books once, whoever dies in between.
"""

import asyncio
import contextlib
import json
import uuid
from datetime import UTC, datetime

import msgspec
from msgspec import Struct, structs

from loopdeck.core import childevents as ce
from loopdeck.core import prompt
from loopdeck.core.budget import taken_cost, taken_tokens
from loopdeck.core.commands import Kill
from loopdeck.core.conversation import ToolSchema
from loopdeck.core.plural import some
from loopdeck.core.run import Run
from loopdeck.core.spec import CHILDREN, LoopSpec
from loopdeck.core.usage import dollars, picodollars
from loopdeck.errors import Exhausted, LoopdeckError, WorkspaceError
from loopdeck.git.diff import appliable
from loopdeck.runner.site import Site
from loopdeck.shipped import prompt_text
from loopdeck.store import inbox, specs
from loopdeck.store.folded import load_run
from loopdeck.store.frozen import Frozen, freeze
from loopdeck.store.layout import RunPaths, claim_run
from loopdeck.store.loopfolder import NAME, LoopFolder
from loopdeck.supervisor.start import start
from loopdeck.tools.port import ToolFailed, ToolOutcome

LOOK_S = 0.25
MOST_DEEP = 3
"""How many runs may stand above one another."""
_SHARE = 0.5
"""The part of what is left that a child gets if the call names no cap."""
_PATCH_BYTES = 2_000_000
_FOLDER = "children"
_ENDING_S = 30.0
_SCHEMA = json.dumps({
    "type": "object",
    "properties": {
        "input": {"type": "string", "description": "What the run is to do, in full: it sees nothing of this conversation."},
        "max_cost_usd": {"type": "number", "description": "The most it may spend; half of what is left here if not given."},
        "max_tokens": {"type": "integer", "description": "Likewise in tokens."},
    },
    "required": ["input"],
    "additionalProperties": False,
}, separators=(",", ":"))  # fmt: skip


class _Asked(Struct, forbid_unknown_fields=True):
    input: str
    max_cost_usd: float | None = None
    max_tokens: int | None = None


class Children:
    """Starts the runs that the maker of one run asks for, and sees to their end."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._record = site.record

    @property
    def schemas(self) -> tuple[ToolSchema, ...]:
        """The tools by which other loops are started."""
        told = (
            "Start the loop {} as a run of its own, wait for its end, and get what it came to; its work lies beside yours as a patch."
        )
        return tuple(ToolSchema(name, told.format(_loop(name)), _SCHEMA) for name in self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(name for name in self._site.spec.maker.tools if name.startswith(CHILDREN))

    async def call(self, tool: str, arguments: str, call: str) -> ToolOutcome:
        """Start the run and wait for its end. Cancelled, it is ended. Raises StoreError."""
        try:
            asked = msgspec.json.decode(arguments, type=_Asked)
            paths, spec = self._claimed(_loop(tool), asked)
        except msgspec.DecodeError as error:
            return ToolOutcome(f"The arguments of {tool} make no sense: {error}. It takes {_SCHEMA}", True, "malformed_output")
        except (ToolFailed, LoopdeckError) as error:
            return ToolOutcome(str(error), is_error=True, problem="tool_failed")
        cost, tokens = spec.exit.max_cost or 0, spec.exit.max_tokens or 0
        self._record.happened(ce.ChildStarted(call, spec.name, paths.run, cost, tokens), durable=True)
        start(paths)
        try:
            run = await _ended(paths)
        except asyncio.CancelledError:
            await self.end(paths.run)
            raise
        self._settled(run)
        return await self._told(run)

    async def reconcile(self) -> None:
        """After a life that died: children that have ended are settled, and those that go on are ended: nobody waits for them."""
        for child in list(self._record.run.children.values()):
            if child.reason is None:
                await self.end(child.run)

    async def end(self, run_id: str) -> None:
        """End a child, if it goes on, and take what it took. One that can't be ended in time is charged its share."""
        child = self._record.run.children[run_id]
        paths = self._record.paths.home.run_dir(child.loop, run_id)
        kill = Kill(by=f"run {self._record.run.id}", why="the run that started it is ending", now=True)
        with contextlib.suppress(LoopdeckError, TimeoutError):
            if load_run(paths).run.status != "ended":
                inbox.put(paths.inbox, f"parent-{uuid.uuid4().hex}", msgspec.json.encode(kill))
            async with asyncio.timeout(_ENDING_S):
                self._settled(await _ended(paths))

    def _settled(self, run: Run) -> None:
        if self._record.run.status in ("running", "stopping", "paused"):
            self._record.happened(
                ce.ChildEnded(run.id, run.reason or "lost", run.spend.usage, run.cost, run.spend.certainty), durable=True
            )

    def _claimed(self, name: str, asked: _Asked) -> tuple[RunPaths, LoopSpec]:
        """The folder of a new run of loop `name`, frozen with its share. Raises ToolFailed with what to do instead."""
        frozen = self._site.frozen
        line = (*frozen.lineage, frozen.loop)
        if name in line:
            raise ToolFailed(f"The loop {name} is at work above this run already ({' > '.join(line)}): it can't start itself.")
        if len(line) >= MOST_DEEP:
            raise ToolFailed(f"{some(len(line), 'run')} stand above one another already ({' > '.join(line)}): do it yourself.")
        reading = specs.load_loop(self._site.root, name)
        wrong = [str(problem) for problem in reading.problems if not problem.warning]
        if wrong or reading.spec is None:
            raise ToolFailed(f"The loop {name} can't be started: {'; '.join(wrong) or 'there is none of that name'}")
        spec = self._shared(reading.spec, asked)
        now = datetime.now(UTC)
        paths = claim_run(self._record.paths.home, name, now)
        files = specs.gather(self._site.root, spec) | {
            "template": prompt_text(prompt.template_of(spec)), "state": specs.initial_state(self._site.root, name)
        }  # fmt: skip
        created = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        by = f"run {frozen.run}"
        freeze(paths.dir, structs.replace(
            Frozen(name, paths.run, frozen.root, frozen.common_dir, created, spec, frozen.deck, files, by, asked.input), lineage=line
        ))  # fmt: skip
        return paths, spec

    def _shared(self, spec: LoopSpec, asked: _Asked) -> LoopSpec:
        """The child's loop, its caps cut to its share, its work begun from this run's last commit."""
        run, limits, ends = self._record.run, self._record.run.settings, spec.exit
        cost, tokens = ends.max_cost, ends.max_tokens
        if limits.max_cost is not None:
            left = limits.max_cost - taken_cost(run)
            wanted = picodollars(asked.max_cost_usd) if asked.max_cost_usd else int(left * _SHARE)
            cost = min(part for part in (cost, wanted, left) if part is not None)
            if cost <= 0:
                raise ToolFailed(f"Nothing is left of this run's budget for another one (${dollars(max(0, left)):.4f}).")
        if limits.max_tokens is not None:
            room = limits.max_tokens - taken_tokens(run)
            tokens = min(part for part in (tokens, asked.max_tokens or int(room * _SHARE), room) if part is not None)
            if tokens <= 0:
                raise ToolFailed("Nothing is left of this run's tokens for another one.")
        base = run.commit if spec.workspace.base == "HEAD" and run.commit else spec.workspace.base
        return structs.replace(
            spec, exit=structs.replace(ends, max_cost=cost, max_tokens=tokens), workspace=structs.replace(spec.workspace, base=base)
        )

    async def _told(self, run: Run) -> ToolOutcome:
        """What the maker is told of a child that has ended; its work is put beside the maker's as a patch."""
        lines = [f"The run {run.id} of loop {run.loop} ended: {run.reason}" + (f" ({run.why})" if run.why else "") + "."]
        lines.append(f"{some(run.iteration, 'iteration')}, ${dollars(run.spend.cost):.4f}, {some(run.spend.usage.tokens, 'token')}.")
        if run.commit and run.commit != run.base:
            lines.append(await asyncio.to_thread(self._laid_beside, run))
        lines += [f"Open: {one.message}" for one in run.findings[:10]]
        return ToolOutcome("\n".join(lines), is_error=run.reason != "done", problem="" if run.reason == "done" else "tool_failed")

    def _laid_beside(self, run: Run) -> str:
        """The child's work as a file in the maker's worktree: where it is, in words."""
        made = appliable(self._site.workplace.repo, run.base, run.commit, limit_bytes=_PATCH_BYTES)
        if made is None:
            return f"Its work is on the branch {run.branch}, too much to be laid beside yours as a patch."
        file = f"{run.id}.patch"
        try:
            LoopFolder(self._site.workplace.path).add(_FOLDER, file, made)
        except Exhausted:
            raise
        except WorkspaceError as error:
            return f"Its work is on the branch {run.branch}; it could not be laid beside yours: {error.what}."
        where = f"{NAME}/{_FOLDER}/{file}"
        return f"Its work, branch {run.branch}, is in `{where}`: read it, and take it over with `git apply {where}`."


def _loop(tool: str) -> str:
    return tool.removeprefix(CHILDREN)


async def _ended(paths: RunPaths) -> Run:
    """The run once it has ended."""
    while (run := load_run(paths).run).status != "ended":
        await asyncio.sleep(LOOK_S)
    return run
