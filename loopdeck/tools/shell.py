"""bash: one command line in a shell of its own, at the root of the worktree, through the run's door."""

from functools import cache
from pathlib import Path

from loopdeck.core import ends
from loopdeck.core.text import strip_ansi
from loopdeck.errors import WorkspaceError
from loopdeck.sandbox.port import Command, Finished
from loopdeck.tools.arguments import MAX_TIMEOUT_S, Bash
from loopdeck.tools.port import ToolContext, ToolFailed, ToolOutcome, failed
from loopdeck.tools.within import SCRATCH

MOST_SHOWN = 30_000
"""Characters of output that the model sees: the head and the tail."""
_SHELLS = ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/bin/sh")


@cache
def shell() -> str:
    """The shell that commands run in: bash if there is one, because models write bash."""
    return next((path for path in _SHELLS if Path(path).exists()), "/bin/sh")


async def bash(given: Bash, context: ToolContext) -> ToolOutcome:
    """The command's output and how it ended; not to have ended with 0 is a problem, `tool_failed`.

    A sandbox lets it write to the worktree, at the level of a report only to the loop's own folder in there.
    """
    timeout_s = min(given.timeout_s, MAX_TIMEOUT_S)
    command = Command(
        argv=(shell(), "-c", given.command),
        cwd=context.worktree,
        env=context.env,
        timeout_s=timeout_s,
        output_limit=4 * MOST_SHOWN,
        writable=(context.worktree / SCRATCH if context.level == "report" else context.worktree,),
    )
    try:
        finished = await context.door.run(command)
    except WorkspaceError as error:
        raise ToolFailed(f"The command could not be run: {error.what}.") from error
    text = _shortened(strip_ansi(finished.text), finished)
    ending = _ending(finished, timeout_s)
    refusals = "".join(f"\n[{one}]" for one in finished.refusals)
    told = (f"{text.rstrip()}\n[{ending}]" if text.strip() else f"[{ending}, no output]") + refusals
    return ToolOutcome(told) if finished.exit_code == 0 else failed(told)


def _ending(finished: Finished, timeout_s: float) -> str:
    if finished.ended_by == "timeout":
        return f"ended after {timeout_s:g} s, it took too long"
    return f"ended by {finished.ended_by}" if finished.ended_by else f"exit code {finished.exit_code}"


def _shortened(text: str, finished: Finished) -> str:
    if len(text) <= MOST_SHOWN:
        return text
    half = MOST_SHOWN // 2
    note = f"\n[... {finished.size} bytes in all, the middle is left out ...]\n"
    return f"{ends.head(text, half)}{note}{ends.tail(text, half)}"
