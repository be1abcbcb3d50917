"""What a maker is told beside the state where the context is rich: the diff so far, the files of its findings, what was said before.

A loop is rich throughout by its file; a lean one is for the final review and for work that was escalated, which see more to judge it.
"""

import msgspec

from loopdeck.core import trace as tr
from loopdeck.core.conversation import Part, Text
from loopdeck.core.routing import Route
from loopdeck.core.run import Run
from loopdeck.core.spec import LoopSpec
from loopdeck.errors import LoopdeckError
from loopdeck.runner.site import Site
from loopdeck.tools.registry import call

MOST_FILES = 12
MOST_BYTES = 20_000
"""Of each file and of what was said in an iteration, and three times that of the diff."""
MOST_ROUNDS = 3
MOST_LINE = 2000


def is_rich(spec: LoopSpec, route: Route) -> bool:
    """Whether the call that `route` names is told all this."""
    return spec.context == "rich" or route.phase in ("review", "escalated")


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
    found += _history(site, run)
    return tuple(found)


def _history(site: Site, run: Run) -> list[Part]:
    """What the maker said and did in the iterations before, the newest whole as far as that goes, each as a part of its own."""
    said: list[Part] = []
    for number in range(run.iteration - 1, max(0, run.iteration - 1 - MOST_ROUNDS), -1):
        lines = [line for event in site.record.entries_of(number) if (line := _line(event))]
        text = "\n".join(lines)
        if text:
            head = f"# What you said and did in iteration {number}\n"
            said.insert(0, Part(f"history {number}", head + _end(text), "trace"))
    return said


def _line(event: tr.AnyTraceEvent) -> str:
    match event:
        case tr.ModelReplied(role="maker", blocks=blocks):
            return "\n".join(block.text for block in blocks if isinstance(block, Text) and block.text)
        case tr.ToolCalled(tool=tool, arguments=arguments):
            return f"[call] {tool} {arguments[:MOST_LINE]}"
        case tr.ToolReturned(output=output):
            return f"[result] {output[:MOST_LINE]}"
        case _:
            return ""


def _end(text: str) -> str:
    return text if len(text) <= MOST_BYTES else f"[…]\n{text[-MOST_BYTES:]}"


async def _content(site: Site, path: str) -> str:
    """The file as the maker's own tool reads it, within the same walls; nothing if that refuses."""
    try:
        outcome = await call("read_file", msgspec.json.encode({"path": path}).decode(), site.tool_context())
    except LoopdeckError:
        return ""
    return "" if outcome.is_error else outcome.output
