"""A loop played through without a runner: the scripted maker's calls by plain code, the real checks, the real detectors and budget.

It says how a loop of the sample project must end, independently of the engine that plays it in the demo. The invariant: a call of the
script that does not do what it says (an edit whose text isn't there, a search without a hit, a command that was not expected to
fail) stops the rehearsal.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from loopdeck.agents import prices
from loopdeck.agents.scripted import NO_TURN, ScriptedAgent
from loopdeck.checks.command import CommandCheck
from loopdeck.checks.links import LinksCheck
from loopdeck.checks.port import ChangedPath, CheckContext
from loopdeck.checks.schema import SchemaFilesCheck
from loopdeck.checks.scope import ScopeOfChange
from loopdeck.core import progress
from loopdeck.core.budget import NoRoom, room
from loopdeck.core.conversation import Message, ModelReply, ModelRequest, Text, ToolResult, ToolUse
from loopdeck.core.decide import grade
from loopdeck.core.findings import Finding, Verdict, counted
from loopdeck.core.globs import matches
from loopdeck.core.happening import Settings
from loopdeck.core.harness import BASE_DIGEST
from loopdeck.core.prompt import findings_text
from loopdeck.core.run import Iteration, Run
from loopdeck.core.script import Script
from loopdeck.core.spec import CheckSpec, LoopSpec
from loopdeck.sandbox.plain import PlainDoor
from tests.kit.repos import git

_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
ENVIRONMENT = {"PATH": _PATH, "LC_ALL": "C.UTF-8"}


@dataclass
class Ending:
    """How a rehearsal ended: the reason, the iterations played, picodollars, and what happened on the way."""

    reason: str = ""
    iterations: int = 0
    cost: int = 0
    played: set[str] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    written: set[str] = field(default_factory=set)


class Rehearsal:
    """One loop in one checkout, a git repository with a first commit."""

    def __init__(self, spec: LoopSpec, script: Script, checkout: Path) -> None:
        self.spec = spec
        self.agent = ScriptedAgent(script)
        self.checkout = checkout
        self.end = Ending()
        limits = spec.exit
        self.run = Run(settings=Settings(limits.max_iterations, max_cost=limits.max_cost, no_progress=limits.no_progress))
        self._session = ""
        self._rounds: list[Iteration] = []

    async def play(self) -> Ending:
        """To the end, by the reasons of the product, in the order in which a run looks for them."""
        findings: tuple[Finding, ...] = ()
        while not self.end.reason:
            self.end.iterations += 1
            in_budget = await self._make(findings)
            verdicts = await self.grade()
            findings = counted(tuple(one for verdict in verdicts for one in verdict.findings), findings, regressed=False)
            self.end.reason = self._reason(verdicts, findings, in_budget)
        return self.end

    async def grade(self) -> list[Verdict]:
        """What every check says of the checkout as it is."""
        git(self.checkout, "add", "--all")
        self.run.verdicts = [(await self._check(one))[0] for one in self.spec.checks]
        self.end.verdicts = self.run.verdicts
        return self.run.verdicts

    def _reason(self, verdicts: list[Verdict], findings: tuple[Finding, ...], in_budget: bool) -> str:
        score, passed = grade(self.run, self.spec)
        self.end.scores.append(score)
        now = Iteration(
            self.end.iterations,
            "",
            "",
            digest=git(self.checkout, "diff", "HEAD") or BASE_DIGEST,
            score=score,
            passed=passed,
            outcomes={one.check: one.outcome for one in verdicts},
            fingerprints=tuple(sorted(one.fingerprint for one in findings)),
        )
        self._rounds.append(now)
        if passed:
            return "done"
        if not in_budget:
            return "budget"
        if now.number >= self.spec.exit.max_iterations:
            return "max_iterations"
        k = self.spec.exit.no_progress
        return "no_progress" if progress.stopping(progress.signals(self._rounds, BASE_DIGEST, k), k) else ""

    async def _make(self, findings: tuple[Finding, ...]) -> bool:
        """The maker's part; False if a call did not fit into the budget."""
        messages: list[Message] = [Message("user", (Text(findings_text(findings) if findings else "Work towards the goal."),))]
        model = self.spec.maker.model
        rates = prices.rates(model, "scripted", {})
        while True:
            request = ModelRequest(model, (), tuple(messages), session=self._session, iteration=self.end.iterations)
            allowed = room(self.run, rates, self.agent.input_bound(request), self.spec.maker.max_output_tokens)
            if isinstance(allowed, NoRoom):
                return False
            reply = await self._ask(request)
            if not reply.calls:
                return True
            results = tuple(ToolResult(call.id, self._tool(call)) for call in reply.calls)
            messages += [Message("assistant", reply.blocks), Message("user", results)]

    async def _ask(self, request: ModelRequest) -> ModelReply:
        reply = await self.agent.call(request, lambda _: None)
        assert reply.text != NO_TURN, f"iteration {request.iteration} has no turn"
        self._session = reply.session
        paid = prices.cost(request.model, reply.usage, "scripted", {})
        assert paid is not None
        self.end.cost += paid
        self.run.spend.cost += paid
        self.end.played.add(reply.text)
        return reply

    # The tools, in their plainest form

    def _tool(self, call: ToolUse) -> str:
        assert call.tool in self.spec.maker.tools, f"{call.tool} is not among the maker's tools"
        given: dict[str, str] = json.loads(call.arguments)
        if call.tool in ("write_file", "edit_file"):
            assert self.spec.level != "report" or given["path"] == ".loop/REPORT.md"
            assert not any(matches(given["path"], glob) for glob in self.spec.workspace.protect)
            self.end.written.add(given["path"])
        match call.tool:
            case "bash":
                self.end.commands.append(given["command"])
                done = subprocess.run(
                    given["command"], shell=True, cwd=self.checkout, env=ENVIRONMENT, capture_output=True, text=True, check=False
                )
                return done.stdout + done.stderr
            case "read_file":
                return (self.checkout / given["path"]).read_text(encoding="utf-8")
            case "write_file":
                target = self.checkout / given["path"]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(given["content"], encoding="utf-8")
                return "written"
            case "edit_file":
                return self._edit(given["path"], given["old"], given["new"])
            case "glob":
                return self._hits(name for name in self._files() if matches(name, given["pattern"]))
            case "grep":
                return self._grep(re.compile(given["pattern"]), given.get("path", "."))
            case "update_state":
                return "kept"
        raise AssertionError(f"no such tool: {call.tool}")

    def _edit(self, path: str, old: str, new: str) -> str:
        text = (self.checkout / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} holds {old!r} {text.count(old)} times"
        (self.checkout / path).write_text(text.replace(old, new), encoding="utf-8")
        return "edited"

    def _grep(self, pattern: re.Pattern[str], path: str) -> str:
        within = [name for name in self._files() if path == "." or name == path or name.startswith(f"{path}/")]
        lines = ((name, (self.checkout / name).read_text(encoding="utf-8").splitlines()) for name in within)
        return self._hits(
            f"{name}:{number}: {text}" for name, held in lines for number, text in enumerate(held, 1) if pattern.search(text)
        )

    def _files(self) -> list[str]:
        return git(self.checkout, "ls-files").splitlines()

    @staticmethod
    def _hits(found: Iterable[str]) -> str:
        hits = "\n".join(found)
        assert hits, "a search of the script finds nothing"
        return hits

    async def _check(self, check: CheckSpec) -> tuple[Verdict, bytes]:
        context = CheckContext(
            checkout=self.checkout, root=self.checkout, loop_dir=self.checkout / ".loopdeck" / "loops" / self.spec.name,
            door=PlainDoor("rehearsal"), env=ENVIRONMENT, goal=self.spec.goal, state="", iteration=self.end.iterations,
            changed=self._changed(), diff="", transcript="", ask=None, now="2026-01-01T00:00:00Z",
        )  # fmt: skip
        if check.run:
            return await CommandCheck().run(check, context)
        if check.links:
            return await LinksCheck().run(check, context)
        if check.schema:
            return await SchemaFilesCheck().run(check, context)
        assert check.scope, f"{check.name} is of no kind that a rehearsal can play"
        return await ScopeOfChange().run(check, context)

    def _changed(self) -> tuple[ChangedPath, ...]:
        rows = (line.split("\t") for line in git(self.checkout, "diff", "HEAD", "--numstat").splitlines())
        return tuple(ChangedPath(path, int(added), int(removed)) for added, removed, path in rows if not path.startswith(".loop/"))


def rehearse(spec: LoopSpec, script: Script, checkout: Path) -> tuple[list[Verdict], Ending]:
    """What the checks say before anything was done, and how the loop ends."""

    async def both() -> tuple[list[Verdict], Ending]:
        before = await Rehearsal(spec, script, checkout).grade()
        return before, await Rehearsal(spec, script, checkout).play()

    return asyncio.run(both())
