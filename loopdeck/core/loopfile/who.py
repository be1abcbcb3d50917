"""Who does the work: `[maker]` and `[models]`."""

import re
from collections.abc import Sequence
from typing import get_args

from loopdeck.core import shapes
from loopdeck.core.loopfile.available import NOT_YET, refuse
from loopdeck.core.loopfile.remedies import remedies
from loopdeck.core.shapes import loop_name
from loopdeck.core.spec import CHILDREN, OUTSIDE, TOOL_NAMES, AgentKind, Connector, LoopSpec, Maker, Models, RubricCheck
from loopdeck.core.tables import Complaint, Shape, Table, listed, nearest

AGENTS: tuple[AgentKind, ...] = get_args(AgentKind)
_BUILT = tuple(agent for agent in AGENTS if f"agent {agent}" not in NOT_YET)
_NEEDS: dict[AgentKind, tuple[str, str]] = {
    "anthropic": ("model", "claude-sonnet-4-5"),
    "openai": ("model", "gpt-5"),
    "scripted": ("script", "script.toml"),
    "command": ("command", "my-agent --print"),
    "acp": ("command", "my-agent --acp"),
}
_SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_SERVER_TOOL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ROLES = ("triage", "draft", "check", "review", "fallback")


def read_maker(table: Table, *, whole: bool) -> Maker:
    """`[maker]`. Only a `whole` one must name its agent and what that agent needs; a deck's defaults need not."""
    agent = read_agent(table, "agent")
    servers = table.tables("connector")
    connectors = tuple(_connector(one) for one in servers)
    _distinct(servers, connectors)
    maker = Maker(
        agent=agent or "scripted",
        model=table.text("model", shape=shapes.label),
        command=table.text("command", shape=shapes.command),
        base_url=table.text("base_url", shape=shapes.url),
        script=table.text("script", shape=shapes.path),
        tools=table.texts("tools", TOOL_NAMES, _tool_shape(connectors)),
        system=table.text("system", shape=shapes.path),
        max_turns=table.whole("max_turns", 50, 1, 10_000),
        max_output_tokens=table.whole("max_output_tokens", 8192, 1, 1_000_000),
        connectors=connectors,
    )
    table.unknown(remedies("maker"))
    if whole:
        _complete(table, agent)
    return maker


def read_agent(table: Table, key: str) -> AgentKind | None:
    """The kind of agent named by `key`; None if there is none, or none that this version has."""
    agent = table.choice(key, AGENTS, None)
    return None if agent and refuse(table, key, f"agent {agent}") else agent


def read_models(table: Table) -> Models:
    """`[models]`: roles."""
    models = Models(**{role: table.text(role, shape=shapes.label) for role in _ROLES})
    for role in _ROLES:
        agent, colon, _ = getattr(models, role).partition(":")
        if colon and not refuse(table, role, f"agent {agent}") and agent not in AGENTS:
            _misspelled(table, role, agent)
    table.unknown(remedies("models"))
    return models


def agent_of(written: str) -> AgentKind | None:
    """The agent of `agent:model`; None if only a model is named."""
    head, colon, _ = written.partition(":")
    return next((agent for agent in AGENTS if colon and agent == head), None)


def asked_as(kind: str, model: str) -> str:
    """Which of our own agents puts a question to a model of `kind`, for a triage or a rubric: where that is an agent with a loop of
    its own, its vendor's, as far as its name or the model's tells.
    """
    if kind not in OUTSIDE:
        return kind
    return "anthropic" if kind == "claude" or (kind != "codex" and model.startswith("claude")) else "openai"


def judge_of(spec: LoopSpec, rubric: RubricCheck, makers_model: str = "") -> tuple[str, str]:
    """Kind of agent and model of a rubric check: its own, else the loop's `models.check`, else the maker's (in another session).

    `makers_model` is the maker's as it is now, if it is not that of the loop file any more.
    """
    kind, model = rubric.agent, rubric.model
    if not model:
        routed = spec.models.check
        named = agent_of(routed)
        kind, model = kind or named or "", routed.partition(":")[2] if named else routed
    kind = kind or spec.maker.agent
    if not model and kind == spec.maker.agent:
        model = makers_model or spec.maker.model
    return asked_as(kind, model), model


def _misspelled(table: Table, role: str, agent: str) -> None:
    # A model's own name may hold a colon (`llama3:8b`), so only what looks like an agent is taken for one.
    if close := nearest(agent, AGENTS):
        table.note(role, f"{table.name(role)} names no agent: {agent!r}", close)


def _complete(table: Table, agent: AgentKind | None) -> None:
    if "agent" not in table:
        table.note("agent", "`[maker]` names no agent", f"Write `agent = …`, one of {listed(_BUILT)}.")
    elif agent in _NEEDS and _NEEDS[agent][0] not in table:
        key, example = _NEEDS[agent]
        table.note(key, f"`[maker]` has no {key}, which agent `{agent}` needs", f'Write `{key} = "{example}"`.')


def _distinct(tables: Sequence[Table], connectors: tuple[Connector, ...]) -> None:
    for one, read in zip(tables, connectors, strict=True):
        if read.name and read is not next(other for other in connectors if other.name == read.name):
            one.note("name", f"two connectors are called {read.name!r}", "Give each a name of its own: their tools go by it.")


def _server(name: str) -> Complaint | None:
    """A connector's name, which is the first part of its tools' names."""
    if name == "loopdeck":
        return "is the name of loopdeck's own server", "Give the connector another name."
    if _SERVER.fullmatch(name):
        return None
    return f"is not a plain name: {name[:60]!r}", "Use up to 32 letters, digits, `_` and `-`: its tools are called `name.tool`."


def _connector(table: Table) -> Connector:
    connector = Connector(
        name=table.text("name", shape=_server),
        command=table.text("command", shape=shapes.command),
        url=table.text("url", shape=shapes.url),
        tools=table.texts("tools", shape=_own_tool),
    )
    if "name" not in table:
        table.note("name", "a connector has no name", 'Write `name = "…"`.')
    if ("command" in table) == ("url" in table):
        remedy = "Write `command` for a server to start, or `url` for one that runs."
        table.note("command", "a connector has one of `command` and `url`", remedy)
    table.unknown({})
    return connector


def _own_tool(name: str) -> Complaint | None:
    """A tool's name as its server says it."""
    if _SERVER_TOOL.fullmatch(name):
        return None
    return f"can't be a tool of a server: {name[:80]!r}", "Write the tool's own name, without the connector's."


def _tool_shape(connectors: tuple[Connector, ...]) -> Shape:
    servers = {connector.name for connector in connectors}

    def known(tool: str) -> Complaint | None:
        if tool in TOOL_NAMES or tool.partition(".")[0] in servers:
            return None
        if tool.startswith(CHILDREN):
            return loop_name(tool.removeprefix(CHILDREN))
        return f"names no tool: {tool[:60]!r}", nearest(tool, TOOL_NAMES) or f"Tools are {listed(TOOL_NAMES)}."

    return known
