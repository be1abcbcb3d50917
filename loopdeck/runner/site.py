"""All that the steps of one run stand on: what was frozen at its start, its record, its workplace, its door to commands.

Facts, no steps.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from loopdeck.agents.port import ModelAgent
from loopdeck.agents.registry import make_agent
from loopdeck.core import binding, gate
from loopdeck.core.happening import Walls
from loopdeck.core.loopfile.who import asked_as, judge_of
from loopdeck.core.spec import LoopSpec, Price, RubricCheck
from loopdeck.runner.connected import Connected
from loopdeck.runner.day import Day
from loopdeck.runner.record import Record
from loopdeck.runner.steady import Steady
from loopdeck.runner.workplace import Workplace
from loopdeck.sandbox.port import Door
from loopdeck.store.frozen import Frozen
from loopdeck.store.state import LoopState
from loopdeck.tools.port import ToolContext

_REPORT_TOOLS = ("read_file", "write_file", "edit_file", "glob", "grep", "update_state", "skill")


class Site:
    """The run's surroundings."""

    def __init__(
        self, frozen: Frozen, record: Record, workplace: Workplace, state: LoopState, door: Door, env: Mapping[str, str]
    ) -> None:
        self.frozen = frozen
        self.record = record
        self.workplace = workplace
        self.state = state
        self.door = door
        self.env = env
        self._agents: dict[str, ModelAgent] = {}

    @property
    def spec(self) -> LoopSpec:
        """The loop, as frozen."""
        return self.frozen.spec

    @property
    def prices(self) -> dict[str, Price]:
        """Prices of the deck's own."""
        return self.spec.prices

    @property
    def root(self) -> Path:
        """The operator's checkout: to be read, never written."""
        return Path(self.frozen.root)

    @cached_property
    def day(self) -> Day:
        """The deck's budget for the day."""
        return Day(self.record, self.root)

    @property
    def loop_dir(self) -> Path:
        """The loop's folder in the operator's checkout."""
        return self.root / ".loopdeck" / "loops" / self.frozen.loop

    @property
    def state_hash(self) -> str:
        """The hash of the state that the running iteration started from."""
        now = self.record.run.current
        return now.state_hash if now is not None else ""

    @property
    def state_text(self) -> str:
        """The state that the running iteration started from, the same for maker and checks."""
        return self.record.text_of(self.state_hash) if self.state_hash else ""

    def tool_names(self) -> tuple[str, ...]:
        """The tools that the maker is offered."""
        asked = self.spec.maker.tools
        return tuple(name for name in asked if name in _REPORT_TOOLS) if self.spec.level == "report" else asked

    @cached_property
    def steady(self) -> Steady:
        """What the maker is told that stays the same."""
        return Steady(self.frozen)

    @cached_property
    def connected(self) -> Connected:
        """The maker's connectors."""
        return Connected(self.spec, self.record, self.workplace.path, self.door, self.env)

    def policy(self, tool: str = "") -> gate.Policy:
        """The gate's rules for `tool` as they hold now: those frozen, and those a person added to this run."""
        gates, run = self.spec.gates, self.record.run
        given = binding.in_force(run.rules, self.record.now(), run.clock)
        return gate.Policy(
            allow=(*gates.allow, *given), ask=gates.ask, deny=gates.deny, protect=self.spec.workspace.protect,
            confined=self.door.confines and not run.lacks and not self.connected.is_remote(tool),
            network=self.spec.sandbox.network is True, level=self.spec.level, listed=bool(self.spec.sandbox.network),
            partly=self.door.confines and bool(run.lacks),
        )  # fmt: skip

    @property
    def walls(self) -> Walls:
        """What holds the commands of this run."""
        return self.record.run.walls

    def tool_context(self) -> ToolContext:
        """What a tool call may touch."""
        return ToolContext(
            worktree=self.workplace.path, door=self.door, env=self.env, level=self.spec.level, skills=self.steady.skills()
        )

    def rubric_text(self, check: str) -> str:
        """The written criteria of a rubric check, as frozen."""
        return self.frozen.files.get(f"rubric:{check}", "")

    def model_agent(self, kind: str) -> ModelAgent:
        """The agent that makes the maker's calls to models of `kind`: its own, or another that work is routed to."""
        maker = self.spec.maker
        if kind != maker.agent:
            return self._agent(f"maker:{kind}", kind, self._base_url(kind), "script", maker.script)
        return self._agent("maker", kind, maker.base_url, "script", maker.script)

    def check_agent(self, check: str, rubric: RubricCheck) -> tuple[str, ModelAgent, str]:
        """Kind, agent and model of a rubric check, whose session is never the maker's."""
        kind, model = judge_of(self.spec, rubric, self.record.run.settings.model)
        base_url = rubric.base_url or self._base_url(kind)
        return kind, self._agent(f"check:{check}", kind, base_url, f"script:{check}", rubric.script), model

    def _base_url(self, kind: str) -> str:
        """The address that the loop file gives its maker, for another one of the same vendor."""
        maker = self.spec.maker
        return maker.base_url if kind == asked_as(maker.agent, maker.model) else ""

    def _agent(self, key: str, kind: str, base_url: str, script: str, where: str) -> ModelAgent:
        if key not in self._agents:
            text = self.frozen.files.get(script, "")
            self._agents[key] = make_agent(kind, base_url=base_url, script_text=text, script_where=where)
        return self._agents[key]

    async def close(self) -> None:
        """Let go of connections."""
        await self.connected.close()
        for agent in self._agents.values():
            await agent.close()
