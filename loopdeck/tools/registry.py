"""The tools by name: what a model is offered, whether a call makes sense, and the call itself."""

from collections.abc import Sequence
from typing import assert_never, cast

from loopdeck.core.conversation import ToolSchema
from loopdeck.tools import arguments as args
from loopdeck.tools import files, memory, search, shell
from loopdeck.tools.port import ToolContext, ToolFailed, ToolOutcome, failed


def schemas(names: Sequence[str]) -> tuple[ToolSchema, ...]:
    """The built-in ones of `names` as they are offered to a model, always in the same order and the same words."""
    return tuple(schema for name, schema in args.SCHEMAS.items() if name in names)


def misfit(tool: str, arguments: str, names: Sequence[str]) -> str:
    """What is wrong with a call before it is weighed, with the shape it should have; empty if nothing is."""
    if tool not in names:
        return f"There is no tool {tool!r}. There are: {', '.join(names) or 'none'}."
    if tool not in args.TYPES:
        return ""
    given = args.parse(tool, arguments)
    return given if isinstance(given, str) else ""


async def call(tool: str, arguments: str, context: ToolContext) -> ToolOutcome:
    """Carry out a call that the gate has let through. What goes wrong is the outcome, never an exception."""
    if tool not in args.TYPES:
        return ToolOutcome(f"There is no tool {tool!r}.", is_error=True, problem="malformed_output")
    given = args.parse(tool, arguments)
    if isinstance(given, str):
        return ToolOutcome(given, is_error=True, problem="malformed_output")
    try:
        return await _carried_out(cast("args.Arguments", given), context)
    except ToolFailed as error:
        return failed(str(error))
    except OSError as error:
        return failed(f"{tool} failed: {error.strerror or error}.")


async def _carried_out(given: args.Arguments, context: ToolContext) -> ToolOutcome:
    match given:
        case args.Bash():
            return await shell.bash(given, context)
        case args.ReadFile():
            return files.read_file(given, context)
        case args.WriteFile():
            return files.write_file(given, context)
        case args.EditFile():
            return files.edit_file(given, context)
        case args.Glob():
            return await search.glob(given, context)
        case args.Grep():
            return await search.grep(given, context)
        case args.UpdateState():
            return memory.update_state(given, context)
        case args.Skill():
            return memory.skill(given, context)
    assert_never(given)
