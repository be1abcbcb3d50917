"""What a `context = "rich"` loop's maker is told beside the state: the whole diff so far, and the files its findings are in."""

import msgspec

from loopdeck.core.conversation import Part
from loopdeck.core.run import Run
from loopdeck.errors import LoopdeckError
from loopdeck.runner.site import Site
from loopdeck.tools.registry import call

MOST_FILES = 12
MOST_BYTES = 20_000
"""Of each file, and three times that of the diff."""


async def parts(site: Site, run: Run) -> tuple[Part, ...]:
    """Parts of the instruction; none in a first iteration, where nothing has been found or changed."""
    found: list[Part] = []
    if run.commit and run.commit != run.base:
        _, diff = await site.workplace.changes(run)
        found.append(Part("diff", f"# Your work so far, as a diff\n```diff\n{diff[: 3 * MOST_BYTES]}\n```", "git"))
    paths = list(dict.fromkeys(one.path for one in run.findings if one.path))[:MOST_FILES]
    for path in paths:
        text = await _content(site, path)
        if text:
            found.append(Part(f"file {path}", f"# `{path}` as it is now\n```\n{text[:MOST_BYTES]}\n```", path))
    return tuple(found)


async def _content(site: Site, path: str) -> str:
    """The file as the maker's own tool reads it, within the same walls; nothing if that refuses."""
    try:
        outcome = await call("read_file", msgspec.json.encode({"path": path}).decode(), site.tool_context())
    except LoopdeckError:
        return ""
    return "" if outcome.is_error else outcome.output
