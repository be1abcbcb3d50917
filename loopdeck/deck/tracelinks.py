"""Ways through a trace: where an iteration or a minute begins, what caused an event, what came of it.

All by looking at a few lines, never at the whole trace: iterations and times only grow from line to line, and what belongs together
is near. Numbers are those of lines, from 0.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from loopdeck.core import trace as tr
from loopdeck.core.conversation import ToolUse
from loopdeck.core.traceline import told, words
from loopdeck.core.unknown import Unknown
from loopdeck.store.trace import TraceEntry, TraceWindow

_FAR = 10_000
"""Lines that are looked at for what belongs to one of them."""
_STEP = 64
_GIST = 80
_TIME = re.compile(r"(?:(\d{4}-\d\d-\d\d)[T ])?(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d+)?))?Z?")

Event = tr.AnyTraceEvent
Test = Callable[[Event], bool]


def iteration_start(window: TraceWindow, iteration: int, count: int) -> int | None:
    """The first of `count` lines that is of `iteration`, or of a later one if that has none; None if it is not there yet."""
    return _first(window, count, lambda entry: int(getattr(entry.event, "iteration", 0)) >= iteration)


def time_start(window: TraceWindow, at: str, count: int) -> int | None:
    """The first of `count` lines written at `at` (UTC, RFC 3339, its beginning is enough) or later; None if there is none."""
    return _first(window, count, lambda entry: entry.at >= at)


def target(window: TraceWindow, words: str, near: int, count: int) -> int | None:
    """The line that `words` name, or None: a line's number from 1, `i3` for an iteration, or a time (UTC), with or without a date.

    Without one it is a time of the day on which line `near` was written.
    """
    words = words.strip()
    if words.isdecimal():
        return min(max(1, int(words[:18])), count) - 1
    if words[:1] == "i" and words[1:].isdecimal():
        return iteration_start(window, int(words[1:10]), count)
    found = _TIME.fullmatch(words)
    if found is None:
        return None
    date, hour, minute, second = found.groups()
    if not date:
        here = next((row.entry for row in window.rows(near, 1)), None)
        date = here.at[:10] if here is not None else ""
    return time_start(window, f"{date}T{int(hour):02}:{minute}:{second or '00'}", count)


def cause(window: TraceWindow, number: int) -> int | None:
    """The line that led to this one: a result's call, a call's reply, a reply's prompt; of anything else, the reply before it."""
    event = _event(window, number)
    match event:
        case tr.ToolReturned(call=call):
            before = _find(window, number, -1, lambda one: _asks(one, call) or (isinstance(one, tr.ToolCalled) and one.call == call))
        case tr.ToolCalled(call=call):
            before = _find(window, number, -1, lambda one: _asks(one, call))
        case tr.ModelReplied(call=call) | tr.ModelFailed(call=call):
            before = _find(window, number, -1, lambda one: isinstance(one, tr.PromptSent) and one.call == call)
        case None | tr.PromptSent() | tr.StateRead():
            before = None
        case _:
            before = _find(window, number, -1, lambda one: isinstance(one, tr.ModelReplied | tr.ModelFailed))
    return before


def effect(window: TraceWindow, number: int) -> int | None:
    """The line that this one led to: a prompt's reply, a reply's first call, a call's result."""
    event = _event(window, number)
    match event:
        case tr.PromptSent(call=call):
            return _find(window, number, 1, lambda one: isinstance(one, tr.ModelReplied | tr.ModelFailed) and one.call == call)
        case tr.ModelReplied():
            asked = {block.id for block in event.blocks if isinstance(block, ToolUse)}
            return _find(window, number, 1, lambda one: isinstance(one, tr.ToolCalled | tr.ToolReturned) and one.call in asked)
        case tr.ToolCalled(call=call):
            return _find(window, number, 1, lambda one: isinstance(one, tr.ToolReturned) and one.call == call)
        case _:
            return None


class Said(NamedTuple):
    """An earlier line that was sent along with a prompt: its number, whose words, their bytes, the gist."""

    number: int
    whose: str
    size: int
    gist: str


def conversation(window: TraceWindow, number: int) -> list[Said]:
    """The replies and results that went with the prompt at `number`, oldest first: those of its iteration, if it is the maker's."""
    prompt = _event(window, number)
    said: list[Said] = []
    if not isinstance(prompt, tr.PromptSent) or prompt.role != "maker":
        return said
    for at, event in _walk(window, number, -1):
        if event is None or isinstance(event, Unknown):
            continue
        if event.iteration != prompt.iteration:
            break
        if (isinstance(event, tr.ModelReplied) and event.role == "maker") or isinstance(event, tr.ToolReturned):
            whose = f"result of {event.tool}" if isinstance(event, tr.ToolReturned) else "reply"
            size = sum(len(text.encode("utf-8", "replace")) for text in words(event))
            said.append(Said(at, whose, size, told(event).said[:_GIST]))
    return said[::-1]


def _asks(event: Event, call: str) -> bool:
    return isinstance(event, tr.ModelReplied) and any(isinstance(block, ToolUse) and block.id == call for block in event.blocks)


def _event(window: TraceWindow, number: int) -> Event | None:
    return next((row.entry.event for row in window.rows(number, 1) if row.entry is not None), None)


def _find(window: TraceWindow, number: int, way: int, test: Test) -> int | None:
    """The nearest line before (-1) or after (1) `number` that passes the test, within its iteration."""
    here = _event(window, number)
    iteration = getattr(here, "iteration", 0)
    for found, event in _walk(window, number, way):
        if event is None or isinstance(event, Unknown):
            continue
        if event.iteration != iteration:
            return None
        if test(event):
            return found
    return None


def _walk(window: TraceWindow, number: int, way: int) -> Iterator[tuple[int, Event | None]]:
    """Lines and their events from beside `number` on, in one direction."""
    step, at = 4, number + way
    end = number + way * _FAR
    while at >= 0 and (at - end) * way < 0:
        first = at if way > 0 else max(0, at - step + 1)
        rows = window.rows(first, step if way > 0 else at - first + 1)
        if not rows:
            return
        for row in rows if way > 0 else reversed(rows):
            yield row.number, None if row.entry is None else row.entry.event
        at = rows[-1].number + 1 if way > 0 else first - 1
        step = _STEP


def _first(window: TraceWindow, count: int, holds: Callable[[TraceEntry], bool]) -> int | None:
    """The first of `count` lines for which `holds` is true, if it is true for all that come after it."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        found = _readable(window, middle, high)
        if found is None or holds(found[1]):
            high = middle
        else:
            low = found[0] + 1
    return low if low < count else None


def _readable(window: TraceWindow, first: int, end: int) -> tuple[int, TraceEntry] | None:
    """The first line from `first` to before `end` that has an entry which tells of an iteration."""
    at = first
    while at < end:
        rows = window.rows(at, min(_STEP, end - at))
        if not rows:
            return None
        for row in rows:
            if row.entry is not None and not isinstance(row.entry.event, Unknown):
                return row.number, row.entry
        at = rows[-1].number + 1
    return None
