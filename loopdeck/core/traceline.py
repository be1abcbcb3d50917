"""What a trace event comes to in one line, for the verb and for the trace view. Pure.

Invariant: the line is short however large the event is, and never fails. Its texts are raw: whoever shows them cleans them.
"""

from collections.abc import Iterator

from msgspec import Struct

from loopdeck.core import trace as tr
from loopdeck.core.conversation import Block, Opaque, Text, ToolResult, ToolUse
from loopdeck.core.plural import some
from loopdeck.core.unknown import Unknown
from loopdeck.core.usage import dollars

WIDE = 400
"""Characters of an event's own words that are kept."""
_VERB_WIDE = 160


class Told(Struct, frozen=True):
    """An event in short. `head` is in our words, `said` in the event's, cut; `size` is how many characters it had to say.

    `depth` is its place in the tree of calls: a turn is 0, what it asks for 1, what came of that 2. `cost` is in picodollars.
    """

    kind: str
    iteration: int
    head: str
    said: str = ""
    size: int = 0
    trouble: bool = False
    seconds: float | None = None
    cost: int | None = None
    depth: int = 0


def kind_of(event: tr.AnyTraceEvent) -> str:
    """The event's kind, as it is on disk."""
    return event.kind if isinstance(event, Unknown) else str(event.__struct_config__.tag)


def told(event: tr.AnyTraceEvent) -> Told:
    """The event in short."""
    kind, iteration = kind_of(event), int(getattr(event, "iteration", 0))
    match event:
        case tr.PromptSent() | tr.ModelReplied() | tr.ModelFailed():
            return _model(kind, event)
        case tr.ToolCalled():
            return Told(kind, iteration, event.tool, *_short(event.arguments), depth=1)
        case tr.ToolReturned():
            trouble = event.is_error or event.problem is not None
            head = f"{event.tool} {event.problem or ('refused' if event.is_error else 'ok')}"
            return Told(kind, iteration, head, *_short(event.output), trouble, event.seconds, depth=2)
        case tr.CheckRan():
            head = f"{event.check}: {event.outcome}, score {event.score:.2f}, {some(event.findings, 'finding')}"
            last = event.tail.rstrip().rpartition("\n")[2]
            return Told(kind, iteration, head, *_short(last), event.outcome != "passed", event.seconds)
        case tr.Waited():
            return Told(kind, iteration, event.cause, seconds=event.seconds)
        case tr.HostReached():
            head = f"{event.verdict} {event.host}:{event.port} ({event.by})"
            passed = event.why or f"{event.sent:,} bytes sent, {event.received:,} received"
            return Told(kind, iteration, head, *_short(passed), event.verdict != "allowed", event.seconds)
        case tr.Noted():
            return Told(kind, iteration, "", *_short(event.text))
        case Unknown():
            return Told(kind, iteration, "", *_short(event.raw.decode("utf-8", "replace")))
        case _:
            return Told(kind, iteration, _fact(event))


def line(at: str, event: tr.AnyTraceEvent) -> str:
    """Time, iteration, kind and the gist, as the verb prints them."""
    one = told(event)
    cost = "" if one.cost is None else f"${dollars(one.cost):.4f}"
    seconds = "" if one.seconds is None else f"{one.seconds:.2f} s"
    gist = " ".join(part for part in (one.head, cost, seconds) if part)
    if one.said:
        gist = f"{gist}: {one.said[:_VERB_WIDE]}" if gist else one.said[:_VERB_WIDE]
    return f"{at[11:23]}  {one.iteration:>3}  {one.kind:<14}  {gist}"


def _fact(event: tr.StateRead | tr.StateWritten | tr.Committed) -> str:
    match event:
        case tr.Committed():
            change = "no change" if event.empty else f"{some(event.files, 'file')} +{event.added} -{event.removed}"
            return f"{event.commit[:12]} {change}"
        case tr.StateRead():
            return f"by {event.role} {event.hash[:12]}"
        case tr.StateWritten():
            return f"by {event.author} {event.hash[:12]}"


def _model(kind: str, event: tr.PromptSent | tr.ModelReplied | tr.ModelFailed) -> Told:
    who = f"{event.role} {event.call}"
    match event:
        case tr.PromptSent():
            size = sum(part.size for part in event.parts)
            sent = f"{some(len(event.parts), 'part')}, {size} bytes, {some(event.messages, 'message')}"
            to = f" to {event.model}" if event.model else ""
            return Told(kind, event.iteration, f"{who}{to}: {sent}")
        case tr.ModelFailed():
            return Told(kind, event.iteration, f"{who} {event.failure}", *_short(event.message), True, event.seconds)
        case tr.ModelReplied():
            said = " ".join(block.text for block in event.blocks if isinstance(block, Text))
            asked = ", ".join(block.tool for block in event.blocks if isinstance(block, ToolUse))[:WIDE]
            # A turn of an agent took nothing itself: what its requests took stands at each of them.
            took = event.usage.tokens or event.cost
            head = who + (f" {event.usage.tokens} tokens" if took else "") + (f", asks for {asked}" if asked else "")
            cost = event.cost if took else None
            return Told(kind, event.iteration, head, *_short(said), event.problem is not None, event.seconds, cost)


def _short(said: str) -> tuple[str, int]:
    # A megabyte need not be looked at to show a line of it.
    return " ".join(said[: 4 * WIDE].split())[:WIDE], len(said)


def words(event: tr.AnyTraceEvent) -> Iterator[str]:
    """All that an event says, text by text; of a prompt the list of its parts."""
    match event:
        case tr.ModelReplied():
            yield from map(_block, event.blocks)
        case tr.PromptSent():
            for part in event.parts:
                yield f"{part.name}: {part.size:,} bytes from {part.source or 'loopdeck'}, {'steady' if part.stable else 'changes'}"
        case tr.ToolCalled():
            yield event.arguments
        case tr.ToolReturned():
            yield event.output
        case tr.CheckRan():
            yield f"$ {event.command}" if event.command else event.check
            yield event.tail
        case tr.ModelFailed(message=text) | tr.Noted(text=text):
            yield text
        case tr.HostReached():
            yield f"{event.by}: {event.host}:{event.port}, {event.verdict}"
            yield event.why or f"{event.sent:,} bytes sent, {event.received:,} received, {event.seconds:.2f} s"
        case Unknown():
            yield event.raw.decode("utf-8", "replace")
        case tr.Waited():
            yield f"{event.seconds:.1f} s: {event.cause}"
        case _:
            yield _fact(event)


def _block(block: Block) -> str:
    match block:
        case Text(text=text):
            return text
        case ToolUse():
            return f"→ {block.tool} {block.arguments}"
        case ToolResult(output=output):
            return output
        case Opaque():
            return f"[{block.vendor}'s own block, {len(block.raw):,} characters]"
