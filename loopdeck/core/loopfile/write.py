"""A loop file from answers: the same keys that `files` reads, only those that say something, in the order a person would write them.

Invariant: what is written reads back, through `read_loop`, as what was answered.
"""

from collections.abc import Iterable

import tomli_w
from msgspec import Struct

from loopdeck.core.durations import written
from loopdeck.core.spec import CheckSpec, Exit, Level, Trigger
from loopdeck.core.usage import PICO_PER_DOLLAR

_SENTENCE = 200


class Answers(Struct, frozen=True):
    """What a new loop is to be. Texts are as typed; `sentence` is kept as a remark, `script` names a scripted maker's file."""

    name: str
    goal: str
    agent: str
    checks: tuple[CheckSpec, ...]
    exit: Exit
    model: str = ""
    script: str = ""
    level: Level = "assisted"
    protect: tuple[str, ...] = ()
    trigger: Trigger = Trigger()
    sentence: str = ""


def loop_text(answers: Answers) -> str:
    """The text of the loop.toml."""
    blocks = [_head(answers), _block("maker", _maker(answers))]
    blocks += [_block("check", _check(one), array=True) for one in answers.checks]
    blocks.append(_block("workspace", [("protect", answers.protect)]))
    blocks.append(_block("exit", _exit(answers.exit)))
    blocks.append(_block("trigger", _trigger(answers.trigger)))
    return "\n".join(block for block in blocks if block)


Items = Iterable[tuple[str, object]]


def _head(answers: Answers) -> str:
    said = "".join(character for character in " ".join(answers.sentence.split()) if character.isprintable())[:_SENTENCE]
    remark = f"# Made from: {said}\n" if said else ""
    return remark + _lines([("goal", answers.goal), ("level", "" if answers.level == "assisted" else answers.level)])


def _maker(answers: Answers) -> Items:
    return (("agent", answers.agent), ("model", answers.model), ("script", answers.script))


def _check(one: CheckSpec) -> Items:
    yield "name", one.name
    yield "run", one.run
    yield "links", one.links
    if one.schema is not None:
        yield "schema", {"files": one.schema.files, "schema": one.schema.schema}
    if one.scope is not None:
        yield "scope", {"paths": one.scope.paths, "max_files": one.scope.max_files, "max_lines": one.scope.max_lines}
    if one.rubric is not None:
        yield "rubric", one.rubric.file
        yield "agent", one.rubric.agent
        yield "model", one.rubric.model
        yield "script", one.rubric.script
    yield "human", one.human
    yield "severity", "" if one.severity == "major" else one.severity
    yield "timeout", "" if one.timeout_s == CheckSpec("").timeout_s else written(one.timeout_s)


def _exit(ends: Exit) -> Items:
    yield "max_iterations", ends.max_iterations
    yield "max_cost_usd", 0 if ends.max_cost is None else ends.max_cost / PICO_PER_DOLLAR
    yield "max_tokens", ends.max_tokens or 0
    yield "max_wall", "" if ends.max_wall_s is None else written(ends.max_wall_s)
    yield "max_tool_calls", ends.max_tool_calls or 0
    if ends.no_progress != Exit(1).no_progress:
        yield "no_progress", ends.no_progress or _OFF
    yield "severity_floor", "" if ends.severity_floor == "major" else ends.severity_floor
    yield "final_pass", ends.final_pass


def _trigger(trigger: Trigger) -> Items:
    yield "cron", trigger.cron
    yield "timezone", trigger.timezone
    yield "every", written(trigger.every_s) if trigger.every_s else ""


class _Off:
    """`false` where a key would otherwise be left out."""


_OFF = _Off()


def _block(name: str, items: Items, *, array: bool = False) -> str:
    lines = _lines(items)
    return f"[[{name}]]\n{lines}" if lines and array else f"[{name}]\n{lines}" if lines else ""


def _lines(items: Items) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in items if value)


def _value(value: object) -> str:
    match value:
        case _Off():
            return "false"
        case tuple():
            return f"[{', '.join(_value(one) for one in value)}]"
        case dict():
            return f"{{{', '.join(f'{key} = {_value(one)}' for key, one in value.items() if one)}}}"
        case float() if value == int(value) or round(value, 2) == value:
            return f"{value:.2f}"
        case str():
            # A lone half of a surrogate pair can't be written as UTF-8.
            return tomli_w.dumps({"v": value.encode("utf-8", "replace").decode()})[4:-1]
        case _:
            return tomli_w.dumps({"v": value})[4:-1]
