"""The script that the scripted agent plays: turns of a model, written in advance.

Read from the TOML file that `maker.script` or a rubric's `script` names. The invariant: a `Script` has at least one turn,
and every number in it can be used as it is.
"""

import json
import math
import re
from typing import Literal

from msgspec import Struct

from loopdeck.core.spec import Problem
from loopdeck.core.tables import Complaint, Table, parse
from loopdeck.core.usage import Usage

ScriptError = Literal["overloaded", "rate_limit", "malformed", "timeout"]
SCRIPT_ERRORS: tuple[ScriptError, ...] = ("overloaded", "rate_limit", "malformed", "timeout")

_TOOL = re.compile(r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64})?")
_MAX_TOKENS = 10**9
_MAX_DELAY_S = 86_400
_MAX_DEPTH = 40


class ScriptCall(Struct, frozen=True):
    """A tool call of a turn; `arguments` is the JSON text of its `input`, as a model would write it."""

    tool: str
    arguments: str = "{}"


class ScriptTurn(Struct, frozen=True, omit_defaults=True):
    """One model call's answer. Without calls it ends the iteration.

    `iteration` says that this is the first turn of that iteration (0: not said), `when` that it is played only if the
    prompt contains the text, `error` that the call fails as a provider's would (empty: it succeeds). `delay_s` is in
    seconds.
    """

    text: str = ""
    calls: tuple[ScriptCall, ...] = ()
    usage: Usage = Usage()
    delay_s: float = 0
    iteration: int = 0
    when: str = ""
    error: ScriptError | Literal[""] = ""


class Script(Struct, frozen=True, omit_defaults=True):
    """All turns, in order. `model` names whose prices are used; empty: the one asked for."""

    turns: tuple[ScriptTurn, ...]
    model: str = ""


def read_script(text: str, file: str) -> Script | tuple[Problem, ...]:
    """The script in `text`, or everything that is wrong with it. `file` is its name in problems."""
    top = parse(text, file)
    if top.problems:
        return tuple(top.problems)
    model = top.text("model")
    turns = tuple(_turn(table) for table in top.tables("turn"))
    if top.get("turn") in (None, []):
        top.note("turn", "the script has no [[turn]]", 'Add one: `[[turn]]`, below it `text = "Done."`.')
    top.unknown({})
    return tuple(top.problems) if top.problems else Script(turns, model)


def _turn(table: Table) -> ScriptTurn:
    turn = ScriptTurn(
        text=_free_text(table, "text"),
        calls=tuple(_call(call) for call in table.tables("calls")),
        usage=_usage(table.table("usage")),
        delay_s=table.number("delay_s", 0.0, 0, _MAX_DELAY_S),
        iteration=table.whole("iteration", 0, 1, 1_000_000),
        when=table.text("when"),
        error=table.choice("error", SCRIPT_ERRORS, ""),
    )
    table.unknown({})
    return turn


def _free_text(table: Table, key: str) -> str:
    return "" if table.get(key) == "" else table.text(key)


def _usage(table: Table) -> Usage:
    kinds = ("input", "output", "cache_read", "cache_write")
    usage = Usage(*(table.whole(kind, 0, 0, _MAX_TOKENS) for kind in kinds))
    table.unknown({})
    return usage


def _call(table: Table) -> ScriptCall:
    if "tool" not in table:
        table.note("tool", "a call names no tool", 'Write `{tool = "read_file", input = {path = "…"}}`.')
    tool = table.text("tool", shape=_tool_name)
    arguments = table.table("input")
    table.unknown({"arguments": "The arguments are called `input`.", "name": "The tool's name is called `tool`."})
    values = {key: item.value for key, item in arguments.items.items()}
    if not _is_json(values):
        table.note(
            "input",
            f"{table.name('input')} holds what JSON can't: a date, an infinite number, or lists in lists without end",
            "Write dates as texts and numbers as finite ones.",
        )
        return ScriptCall(tool)
    return ScriptCall(tool, json.dumps(values, ensure_ascii=False))


def _tool_name(name: str) -> Complaint | None:
    if _TOOL.fullmatch(name):
        return None
    return f"is not a tool's name: {name[:60]!r}", "Write a tool's name, such as `read_file` or `server.tool`."


def _is_json(value: object, depth: int = 0) -> bool:
    if depth > _MAX_DEPTH:
        return False
    match value:
        case str() | bool() | int():
            return True
        case float():
            return math.isfinite(value)
        case list():
            return all(_is_json(one, depth + 1) for one in value)
        case dict():
            return all(_is_json(one, depth + 1) for one in value.values())
        case _:
            return False
