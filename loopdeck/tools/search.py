"""glob and grep: finding files by their path and lines by their text.

A regular expression can take for ever, and one that does would hold the whole runner. So it runs in a process of its own, through
the run's door and against its clock; a plain piece of text is looked for right here.
"""

import asyncio
import json
import re
import sys
import warnings
from pathlib import Path

from loopdeck.core import globs
from loopdeck.errors import WorkspaceError
from loopdeck.sandbox.port import Command
from loopdeck.tools import linesearch, within
from loopdeck.tools.arguments import Glob, Grep
from loopdeck.tools.listing import Listing, files
from loopdeck.tools.port import ToolContext, ToolFailed, ToolOutcome

MOST_PATHS = 500
MOST_LINES = 200
_MOST_SECONDS = 20.0
_TOO_LONG = f"The search took longer than {_MOST_SECONDS:g} s. Use a simpler pattern or a narrower path."
_SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")


async def glob(given: Glob, context: ToolContext) -> ToolOutcome:
    """Paths, one a line."""
    pattern = given.pattern[2:] if given.pattern.startswith("./") else given.pattern
    root = globs.fixed_root(pattern)
    if pattern.startswith("/") or ".." in pattern.split("/"):
        raise ToolFailed(f"{given.pattern!r} leads outside the worktree. Give a glob relative to its root, such as `src/**/*.py`.")
    real = within.resolved(context.worktree, root or ".")
    start = real if (context.worktree / real).is_dir() else real.rpartition("/")[0] or "."
    listing = await asyncio.to_thread(files, context.worktree, start, pattern, folders="**" not in pattern)
    shown = listing.paths[:MOST_PATHS]
    more = len(listing.paths) - len(shown)
    notes = [f"[{more} more; use a narrower pattern]"] if more else []
    return ToolOutcome("\n".join([*(shown or ["No file matches."]), *notes, *_notes(listing)]))


def _notes(listing: Listing) -> list[str]:
    notes = [f"[not looked into: {', '.join(sorted(listing.passed)[:5])}]"] if listing.passed else []
    return [*notes, "[there are too many files to look at them all; use a narrower path]"] if listing.cut else notes


async def grep(given: Grep, context: ToolContext) -> ToolOutcome:
    """Lines as `path:line:text`."""
    if not given.pattern:
        raise ToolFailed("`pattern` is empty.")
    real = within.resolved(context.worktree, given.path)
    if not (context.worktree / real).exists():
        raise ToolFailed(f"{given.path!r} does not exist.")
    if (context.worktree / real).is_dir():
        listing = await asyncio.to_thread(files, context.worktree, real, given.glob)
    else:
        listing = Listing([real])
    found = await _lines(given.pattern, listing.paths, context)
    notes = [f"[more than {MOST_LINES} lines; use a narrower pattern, path or glob]"] if len(found) > MOST_LINES else []
    if _not_a_pattern(given.pattern):
        notes.append("[the pattern is not a regular expression and was searched as it stands]")
    return ToolOutcome("\n".join([*(found[:MOST_LINES] or ["No line matches."]), *notes, *_notes(listing)]))


def _not_a_pattern(pattern: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError):
            return True
    return False


async def _lines(pattern: str, paths: list[str], context: ToolContext) -> list[str]:
    root = str(context.worktree)
    if not _SPECIAL.search(pattern) or _not_a_pattern(pattern):
        try:
            return await asyncio.to_thread(linesearch.search, re.escape(pattern), root, paths, MOST_LINES + 1, _MOST_SECONDS)
        except TimeoutError as error:
            raise ToolFailed(_TOO_LONG) from error
    asked = {"pattern": pattern, "root": root, "paths": paths, "most": MOST_LINES + 1, "seconds": 2 * _MOST_SECONDS}
    command = Command(
        argv=(sys.executable, "-I", "-S", "-W", "ignore", str(Path(linesearch.__file__))),
        cwd=context.worktree,
        env={"PYTHONIOENCODING": "utf-8"},
        timeout_s=_MOST_SECONDS,
        output_limit=4_000_000,
        stdin=json.dumps(asked).encode(),
    )
    try:
        finished = await context.door.run(command)
    except WorkspaceError as error:
        raise ToolFailed(f"The search could not be run: {error.what}.") from error
    if finished.ended_by == "timeout":
        raise ToolFailed(_TOO_LONG)
    if finished.exit_code != 0:
        raise ToolFailed(f"The search broke off: {finished.text[-500:].strip()}")
    return [str(line) for line in json.loads(finished.output)]
