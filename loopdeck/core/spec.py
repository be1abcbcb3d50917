"""What a loop file says, once it has been read: the whole of `loop.toml` over the defaults of `deck.toml`.

These are values without doubt: `core.loopfile` turns text into them or into a list of problems. Durations are seconds, money is
picodollars, paths and globs are relative to the repository root with `/`. The frozen copy of a run (`spec.toml`) holds the same.
"""

from typing import Literal

from msgspec import Struct

from loopdeck.core.findings import Severity

AgentKind = Literal["anthropic", "openai", "claude", "codex", "acp", "command", "scripted"]
CHILDREN = "loops."
"""What the tools begin with by which a maker starts other loops."""
OUTSIDE: frozenset[AgentKind] = frozenset({"claude", "codex", "acp", "command"})
"""Agents with a loop of their own, in a process of their own; the others are models that loopdeck drives itself."""
Level = Literal["report", "assisted", "unattended"]
Context = Literal["lean", "rich"]
Overlap = Literal["skip", "queue", "replace"]
Missed = Literal["once", "never"]
When = Literal["always", "others_pass"]

TOOL_NAMES = ("bash", "read_file", "write_file", "edit_file", "glob", "grep", "update_state", "skill")
"""The built-in tools, as product words; a connector's are `server.tool`."""
FOREIGN_TOOLS = ("read_outside", "glob_outside", "grep_outside", "webfetch", "agent", "task")
"""Tools of outside agents that do what none of ours does, as rules name them: looking outside the worktree, the web, sub-agents."""


class Trigger(Struct, frozen=True, omit_defaults=True):
    """What starts the loop, besides a person. `every_s`, `jitter_s` in seconds."""

    cron: str = ""
    timezone: str = ""
    every_s: float = 0
    watch: tuple[str, ...] = ()
    webhook: str = ""
    on: tuple[str, ...] = ()
    message: str = ""
    after: str = ""
    git: str = ""
    overlap: Overlap = "skip"
    missed: Missed = "once"
    until: str = ""
    jitter_s: float = 0
    enabled: bool = True

    @property
    def scheduled(self) -> bool:
        """True if something starts it with nobody there."""
        return bool(self.cron or self.every_s or self.watch or self.webhook or self.message or self.after or self.git)


class Connector(Struct, frozen=True, omit_defaults=True):
    """An MCP server the maker may use."""

    name: str
    command: str = ""
    url: str = ""
    tools: tuple[str, ...] = ()


class Maker(Struct, frozen=True, omit_defaults=True):
    """Who does the work. `script` and `system` are paths relative to the loop's folder."""

    agent: AgentKind
    model: str = ""
    command: str = ""
    base_url: str = ""
    script: str = ""
    tools: tuple[str, ...] = TOOL_NAMES
    system: str = ""
    max_turns: int = 50
    max_output_tokens: int = 8192
    connectors: tuple[Connector, ...] = ()


class Models(Struct, frozen=True, omit_defaults=True):
    """Models by role, each `agent:model` or a model of the maker's agent."""

    triage: str = ""
    draft: str = ""
    check: str = ""
    review: str = ""
    fallback: str = ""


class SchemaCheck(Struct, frozen=True):
    """Files that must hold to a JSON Schema. `schema` is relative to the repository root."""

    files: tuple[str, ...]
    schema: str


class ScopeCheck(Struct, frozen=True, omit_defaults=True):
    """Where and how much the run may change; 0 means no bound."""

    paths: tuple[str, ...] = ()
    max_files: int = 0
    max_lines: int = 0


class MetricCheck(Struct, frozen=True, omit_defaults=True):
    """A number in a command's output that must be held."""

    run: str
    pattern: str
    at_most: float | None = None
    at_least: float | None = None


class RubricCheck(Struct, frozen=True, omit_defaults=True):
    """Written criteria, judged by a model in a session of its own. `file` is relative to the loop's folder.

    An empty `agent` and `model` are those of `models.check`, else the maker's (another session all the same).
    """

    file: str
    agent: str = ""
    model: str = ""
    base_url: str = ""
    script: str = ""


class CheckSpec(Struct, frozen=True, omit_defaults=True):
    """One check: exactly one of `run`, `links`, `schema`, `scope`, `metric`, `rubric`, `human` is set."""

    name: str
    severity: Severity = "major"
    timeout_s: float = 600
    when: When = "always"
    run: str = ""
    links: tuple[str, ...] = ()
    schema: SchemaCheck | None = None
    scope: ScopeCheck | None = None
    metric: MetricCheck | None = None
    rubric: RubricCheck | None = None
    human: bool = False


class Workspace(Struct, frozen=True, omit_defaults=True):
    """How a checkout is made. `copy` and `link` come from the operator's checkout."""

    base: str = "HEAD"
    setup: str = ""
    copy: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    sparse: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()


class Exit(Struct, frozen=True, omit_defaults=True):
    """When the run ends; set before it starts. At least one of `max_cost` (picodollars) and `max_tokens` is there.

    `no_progress` is the number of iterations without progress that ends the run, 0 if the detectors are off.
    """

    max_iterations: int
    max_cost: int | None = None
    max_tokens: int | None = None
    max_wall_s: float | None = None
    max_tool_calls: int | None = None
    no_progress: int = 3
    severity_floor: Severity = "major"
    final_pass: bool = False


class Gates(Struct, frozen=True, omit_defaults=True):
    """Rules over tool calls: deny beats ask beats allow."""

    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class Sandbox(Struct, frozen=True, omit_defaults=True):
    """What a command may see beyond its worktree. `network` is False, True or a tuple of hosts."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    network: bool | tuple[str, ...] = False
    setup_network: bool | tuple[str, ...] = False
    env: tuple[str, ...] = ()


class MetricSource(Struct, frozen=True, omit_defaults=True):
    """Where an experiment's number is found: a regular expression, or a path into JSON output."""

    pattern: str = ""
    json: str = ""


class Experiment(Struct, frozen=True, omit_defaults=True):
    """A keep-or-discard loop."""

    run: str
    metric: MetricSource
    editable: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    direction: Literal["min", "max"] = "min"
    min_delta: float = 0
    repeats: int = 1
    time_box_s: float = 0
    kill_after_s: float = 0


class Price(Struct, frozen=True):
    """Dollars per million tokens, from `[prices."model"]`."""

    input: float
    output: float
    cache_read: float = 0
    cache_write: float = 0


class Deck(Struct, frozen=True, omit_defaults=True):
    """`deck.toml` beyond its defaults for loops. `max_runs` 0: from cores and memory. `max_cost_per_day` in picodollars.

    `max_runs_per_agent` are further bounds, by the maker's kind; `min_free_memory` is in bytes; `supervisor_idle_s` is how long a
    supervisor in the background stays when there is nothing to look after.
    """

    max_runs: int = 0
    max_cost_per_day: int | None = None
    max_unread_lines: int = 2000
    bell: bool = True
    desktop: bool = True
    max_runs_per_agent: dict[str, int] = {}
    min_free_memory: int = 256 << 20
    supervisor_idle_s: float = 600.0


class LoopSpec(Struct, frozen=True, omit_defaults=True):
    """One loop, ready to run. `prompt` is the text of PROMPT.md, `prices` those of the deck."""

    name: str
    goal: str
    maker: Maker
    checks: tuple[CheckSpec, ...]
    exit: Exit
    prompt: str = ""
    skills: tuple[str, ...] = ()
    context: Context = "lean"
    level: Level = "assisted"
    trigger: Trigger = Trigger()
    models: Models = Models()
    workspace: Workspace = Workspace()
    gates: Gates = Gates()
    sandbox: Sandbox = Sandbox()
    experiment: Experiment | None = None
    prices: dict[str, Price] = {}


class Problem(Struct, frozen=True, omit_defaults=True):
    """Something wrong in a loop file: where (`file:line`), what, and how to mend it. A warning doesn't stop a run."""

    file: str
    line: int
    what: str
    remedy: str = ""
    warning: bool = False

    def __str__(self) -> str:
        mark = "warning: " if self.warning else ""
        return f"{self.file}:{self.line}: {mark}{self.what}" + (f"\n  {self.remedy}" if self.remedy else "")
