"""One event of a trace in full, ready to be shown: its facts, and its texts, those in blobs fetched.

For a prompt: what was sent, part by part, with the size, the source, whether it stays the same from call to call, and the reply. All
texts are raw. A blob that is gone or damaged is named where its text would stand, and is no error.
"""

import msgspec
from msgspec import Struct

from loopdeck.core import trace as tr
from loopdeck.core.conversation import Block, Opaque, Text, ToolResult, ToolUse
from loopdeck.core.traceline import kind_of
from loopdeck.core.unknown import Unknown
from loopdeck.core.usage import dollars
from loopdeck.deck import tracelinks
from loopdeck.errors import StoreError
from loopdeck.store.blobs import Blobs
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import TraceWindow, window_on_trace

_BYTES_PER_TOKEN = 4
_AT_ONCE = 1 << 24

Facts = tuple[tuple[str, str], ...]


class Section(Struct, frozen=True):
    """A text of an event: what it is, a note on it (size, source), and itself.

    Of a prompt's part `figures` are its place from 1, bytes, estimated tokens, whether it is steady or changing, and its source.
    """

    title: str
    note: str
    text: str
    figures: tuple[str, ...] = ()


class EventText(Struct, frozen=True):
    """An event in full. `title` says what it is, `facts` are names and values, `beside` what belongs next to it: a prompt's reply."""

    number: int
    kind: str
    title: str
    facts: Facts
    sections: tuple[Section, ...]
    beside: tuple[Section, ...] = ()


def estimated_tokens(size: int) -> int:
    """About how many tokens a text of `size` bytes is."""
    return -(-size // _BYTES_PER_TOKEN)


def event_text(paths: RunPaths, number: int) -> EventText:
    """Line `number` (from 0) of the run's trace, in full. Raises StoreError if the trace can't be read at all."""
    window = window_on_trace(paths.trace)
    try:
        while window.count() <= number and not window.grow(_AT_ONCE):
            pass
        return _event_text(window, Blobs(paths.blobs), number)
    finally:
        window.close()


def _event_text(window: TraceWindow, blobs: Blobs, number: int) -> EventText:
    row = next(iter(window.rows(number, 1)), None)
    if row is None:
        return EventText(number, "", "not there", (), (Section("There is no such line (any more).", "", ""),))
    if row.entry is None:
        note = f"{_size(len(row.raw))}, as it is on disk"
        return EventText(number, "", "damaged", (("line", f"{number + 1:,}"),), (_raw("This line can't be read", note, row.raw),))
    entry, event = row.entry, row.entry.event
    iteration = getattr(event, "iteration", 0)
    place = (
        ("line", f"{number + 1:,}{f' · iteration {iteration}' if iteration else ''} · seq {entry.seq} · life {entry.epoch}"),
        ("at", f"{entry.at} · after {entry.clock:.3f} s of active time"),
    )
    facts, sections = _told(event, blobs)
    beside: tuple[Section, ...] = ()
    if isinstance(event, tr.PromptSent):
        sections += _conversation(window, number, event.messages)
        beside = _reply(window, blobs, number)
    return EventText(number, kind_of(event), kind_of(event).replace("_", " "), place + facts, sections, beside)


_Told = tuple[Facts, tuple[Section, ...]]


def _told(event: tr.AnyTraceEvent, blobs: Blobs) -> _Told:
    match event:
        case tr.PromptSent():
            return _prompt(event, blobs)
        case tr.ModelReplied():
            return _replied(event)
        case tr.ToolCalled():
            return (("tool", event.tool), ("call", event.call)), (_section("arguments", event.arguments),)
        case tr.ToolReturned():
            how = event.problem or ("refused or failed" if event.is_error else "ok")
            facts = (("tool", event.tool), ("call", event.call), ("came to", how), ("took", _seconds(event.seconds)))
            return facts, (_whole("what the model was told", event.output, event.blob, blobs),)
        case tr.CheckRan():
            return _check(event, blobs)
        case tr.ModelFailed():
            return _failed(event), (_section("what the provider said", event.message),)
        case tr.StateRead(hash=name) | tr.StateWritten(hash=name):
            who = event.role if isinstance(event, tr.StateRead) else event.author
            return (("by", who), ("state", name)), (_whole("the state", "", name, blobs),)
        case tr.Noted():
            return (), (_section("note", event.text),)
        case Unknown():
            return (("kind", event.kind),), (_raw("of a kind that this version doesn't know", _size(len(event.raw)), event.raw),)
        case _:
            return tuple((name, str(value)) for name, value in msgspec.structs.asdict(event).items()), ()


def _failed(event: tr.ModelFailed) -> Facts:
    return (
        ("call", f"{event.call} · {event.role} · {event.model}"), ("failure", event.failure),
        ("took", _seconds(event.seconds)), ("retry after", "" if event.retry_after is None else _seconds(event.retry_after)),
    )  # fmt: skip


def _prompt(event: tr.PromptSent, blobs: Blobs) -> _Told:
    size, steady = sum(part.size for part in event.parts), sum(part.size for part in event.parts if part.stable)
    share = f", {steady / size:.0%} of it steady" if size else ""
    facts = (
        ("call", f"{event.call} · {event.role} · {event.model}"),
        ("sent", f"{len(event.parts)} parts, {_size(size)}, ~{estimated_tokens(size):,} tokens{share}"),
        ("messages", f"{event.messages} in the conversation{f', which began {event.history}' if event.history else ''}"),
        ("tools", ", ".join(event.tools) or "none"), ("most output", f"{event.max_output:,} tokens"), ("template", event.template),
    )  # fmt: skip
    return facts, tuple(_part(number, part, blobs) for number, part in enumerate(event.parts, 1))


def _conversation(window: TraceWindow, number: int, messages: int) -> tuple[Section, ...]:
    """What went with the parts of the prompt at `number`: replies and results before it, which are lines of the trace themselves."""
    if messages <= 1:
        return ()
    lines = [f"line {at + 1:,}  {kind}, {_size(size)}: {gist}" for at, kind, size, gist in tracelinks.conversation(window, number)]
    return (Section("the conversation so far", f"{messages} messages, the first of which are the parts", "\n".join(lines)),)


def _part(number: int, part: tr.PartNote, blobs: Blobs) -> Section:
    source = part.source or "loopdeck"
    figures = (str(number), f"{part.size:,}", f"~{estimated_tokens(part.size):,}", "steady" if part.stable else "changing", source)
    return Section(part.name, f"{_size(part.size)} from {source}", _blob(part.blob, blobs), figures)


def _reply(window: TraceWindow, blobs: Blobs, number: int) -> tuple[Section, ...]:
    """What was answered to the prompt at `number`."""
    after = tracelinks.effect(window, number)
    if after is None:
        return (Section("no reply", "none is in the trace, or not yet", ""),)
    entry = next((row.entry for row in window.rows(after, 1)), None)
    if entry is None:
        return ()
    facts, sections = _told(entry.event, blobs)
    told = "\n".join(f"{name}: {value}" for name, value in facts if value)
    return (Section("the reply", f"line {after + 1:,}", told), *sections)


def _replied(event: tr.ModelReplied) -> _Told:
    usage = event.usage
    read = usage.input + usage.cache_read + usage.cache_write
    cached = f"{usage.cache_read:,} of {read:,} tokens read from the cache ({usage.cache_read / read:.0%})" if read else "nothing read"
    cost = "not known" if event.cost is None else f"${dollars(event.cost):.6f} ({event.certainty})"
    facts = (
        ("call", f"{event.call} · {event.role} · {event.model}"), ("stopped", event.stop),
        ("usage", f"{usage.tokens:,} tokens: {usage.input:,} in, {usage.output:,} out, {usage.cache_write:,} written to the cache"),
        ("cache", cached), ("cost", cost), ("took", _seconds(event.seconds)), ("request", event.request_id),
        ("problem", event.problem or ""),
    )  # fmt: skip
    return facts, tuple(_block(block) for block in event.blocks)


def _block(block: Block) -> Section:
    match block:
        case Text():
            return _section("text", block.text)
        case ToolUse():
            return _section(f"asks for {block.tool} ({block.id})", block.arguments)
        case ToolResult():
            return _section(f"result of {block.id}", block.output)
        case Opaque():
            return _section(f"{block.vendor}'s own block", block.raw)


def _check(event: tr.CheckRan, blobs: Blobs) -> _Told:
    code = "" if event.exit_code is None else str(event.exit_code)
    facts = (
        ("check", event.check), ("outcome", event.outcome), ("score", f"{event.score:.2f}"), ("findings", str(event.findings)),
        ("took", _seconds(event.seconds)), ("commit", event.commit), ("command", event.command), ("exit code", code),
    )  # fmt: skip
    return facts, (_whole("its output", event.tail, event.blob, blobs),)


def _whole(title: str, inline: str, name: str, blobs: Blobs) -> Section:
    """The text of the blob, if there is one, else what is in the trace itself."""
    if not name:
        return _section(title, inline)
    try:
        data = blobs.get(name)
    except StoreError as error:
        lost = f"whole text: {error.what}"
        return Section(title, f"{_size(len(inline.encode('utf-8', 'replace')))} kept here; {lost}", _pretty(inline))
    return Section(title, f"{_size(len(data))}, from its blob", _pretty(data.decode("utf-8", "replace")))


def _blob(name: str, blobs: Blobs) -> str:
    try:
        return blobs.get(name).decode("utf-8", "replace")
    except StoreError as error:
        return f"[{error.what}]"


def _section(title: str, text: str) -> Section:
    return Section(title, _size(len(text.encode("utf-8", "replace"))), _pretty(text))


def _raw(title: str, note: str, raw: bytes) -> Section:
    return Section(title, note, _pretty(raw.decode("utf-8", "replace")))


def _pretty(text: str) -> str:
    """JSON laid out to be read; anything else as it is."""
    if text[:1] not in ("{", "["):
        return text
    try:
        return msgspec.json.format(text.encode("utf-8", "surrogatepass"), indent=2).decode("utf-8", "replace")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text


def _size(size: int) -> str:
    return f"{size:,} bytes"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f} s"
