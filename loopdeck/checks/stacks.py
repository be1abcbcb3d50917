"""Readers of stack traces: Python's tracebacks and unittest, Rust's panics, JavaScript's errors and TAP.

Pure. Each reader looks at no line that it does not take, but for a fixed few, so that reading stays linear.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from loopdeck.checks.places import Frame, Place, Reading, frame

_FILE = re.compile(r'\s*File "([^"\n]{1,400})", line (\d{1,7})')
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_ERROR = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Warning|Interrupt|Exit|Failed|Iteration)\b")
_HEADING = re.compile(r"(FAIL|ERROR): (\S.*)$")
_PANIC = re.compile(r"thread '([^']{0,200})'(?: \(\d+\))? panicked at ([^:\n]{1,400}):(\d{1,7}):\d{1,7}:?\s*(.*)$")
_JS_FRAME = re.compile(r"\s+at (?:[^(\n]{0,300}\()?((?:file://)?[^():\n]{1,400}):(\d{1,7}):\d{1,7}\)?\s*$")
_JS_BARE = re.compile(r"((?:file://)?/[^:\n]{1,400}):(\d{1,7})$")
_JS_ERROR = re.compile(r"\s*(?:Uncaught )?(?:\w+\.)*\w*(?:Error|Exception)\b.*|\s*●.*")
_TAP = re.compile(r"(\s*)not ok \d+ (?:- )?(.*)$")
_TAP_LOCATION = re.compile(r"\s*location: '?((?:file://)?[^':\n]{1,400}):(\d{1,7}):\d{1,7}'?\s*$")
_TAP_STACK = re.compile(r"\s+\S.*\((?:file://)?([^():\n]{1,400}):(\d{1,7}):\d{1,7}\)\s*$")
_LOOK_BACK = 12
_MOST_FRAMES = 50
_FOREIGN = ("site-packages/", "node_modules/", "<", "node:", "/rustc/", "dist-packages/", "/lib/python3")


class Traceback(NamedTuple):
    """One Python traceback, a whole chain of causes: frames from the outermost to where it was raised, the last message, its text."""

    frames: tuple[Frame, ...]
    message: str
    text: str
    next: int


def own(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """`frames` without those of libraries and interpreters."""
    return tuple(one for one in frames if not any(mark in one[0] or one[0].startswith(mark) for mark in _FOREIGN))


def traceback_at(lines: Sequence[str], at: int) -> Traceback | None:
    """The traceback that begins in line `at`, with the exceptions that followed from it; None if none does."""
    if not lines[at].strip().startswith(_TRACEBACK):
        return None
    frames: list[Frame] = []
    message = ""
    end = start = at
    while end < len(lines) and lines[end].strip().startswith(_TRACEBACK):
        start = end
        end = _past_stack(lines, end + 1, frames)
        message = lines[end].strip() if end < len(lines) else message
        end = _past_message(lines, end)
        after = end
        while after < min(len(lines), end + 4) and (not lines[after].strip() or lines[after].strip().startswith(_CHAINED)):
            after += 1
        if after == end or not any(lines[row].strip().startswith(_CHAINED) for row in range(end, after)):
            break
        end = after
    return Traceback(tuple(frames), message, "\n".join(lines[start:end]), end)


def _past_stack(lines: Sequence[str], at: int, frames: list[Frame]) -> int:
    base = len(lines[at - 1]) - len(lines[at - 1].lstrip())
    while at < len(lines):
        line = lines[at]
        if line.strip() and len(line) - len(line.lstrip()) <= base:
            break
        if found := _FILE.match(line):
            frames.append(frame(found[1], found[2]))
        at += 1
    del frames[:-_MOST_FRAMES]
    return at


def _past_message(lines: Sequence[str], at: int) -> int:
    """After the exception's message, which may go on over lines until an empty one."""
    last = min(len(lines), at + 20)
    at += 1
    while at < last and lines[at].strip() and not lines[at].startswith(("=", "-", "_")) and _TRACEBACK not in lines[at]:
        at += 1
    return min(at, len(lines))


def read_traceback(lines: Sequence[str], at: int) -> Reading | None:
    """A Python traceback by itself."""
    found = traceback_at(lines, at)
    if found is None:
        return None
    frames = own(found.frames)
    if not found.message:
        return Reading((), found.next)
    return Reading((Place(found.message, frames, _name(found.message), found.text),), found.next)


def read_syntax_error(lines: Sequence[str], at: int) -> Reading | None:
    """What Python says of a file it can't parse: no traceback, only the place, the code and the error."""
    found = _FILE.match(lines[at])
    if found is None:
        return None
    for end in range(at + 1, min(len(lines), at + 8)):
        if _FILE.match(lines[end]):
            break
        if _ERROR.match(lines[end]):
            message = lines[end].strip()
            text = "\n".join(lines[at : end + 1])
            return Reading((Place(message, own((frame(found[1], found[2]),)), _name(message), text),), end + 1)
    return Reading((), at + 1)


def read_unittest(lines: Sequence[str], at: int) -> Reading | None:
    """A failed test as `unittest` reports it: a ruled heading, then a traceback."""
    if not lines[at].startswith("=====") or at + 2 >= len(lines):
        return None
    heading = _HEADING.match(lines[at + 1])
    if heading is None:
        return None
    end = at + 2
    frames: tuple[Frame, ...] = ()
    message = ""
    while end < len(lines) and not lines[end].startswith("====="):
        found = traceback_at(lines, end)
        if found is not None:
            frames, message = own(found.frames), found.message
            end = found.next
            continue
        if lines[end].startswith("-----") and end > at + 3:
            break
        end += 1
    name = heading[2].strip()
    evidence = "\n".join(lines[at + 1 : end]).rstrip()
    place = Place(f"{name}: {message}" if message else name, frames, name, evidence, sure=True)
    return Reading((place,), end)


def read_rust_panic(lines: Sequence[str], at: int) -> Reading | None:
    """A panic of a Rust test: the thread is named as the test."""
    found = _PANIC.match(lines[at])
    if found is None:
        return None
    end = at + 1
    said = [found[4].strip()] if found[4].strip() else []
    while end < min(len(lines), at + 20) and lines[end].strip() and not lines[end].startswith(("note:", "stack backtrace:")):
        said.append(lines[end].strip())
        end += 1
    message = said[0] if said else "panicked"
    place = Place(
        f"{found[1]}: {message}", own((frame(found[2], found[3]),)), found[1], "\n".join(lines[at:end]), sure=found[1] != "main"
    )
    return Reading((place,), end)


def read_javascript(lines: Sequence[str], at: int) -> Reading | None:
    """A JavaScript stack: the error is said in the lines above the innermost call."""
    bare = _JS_BARE.match(lines[at])
    first = [frame(bare[1], bare[2])] if bare else []
    if not bare and not _JS_FRAME.match(lines[at]):
        return None
    end = at + 1 if bare else at
    # After a bare place come the code, a caret and the error, and only then the calls.
    while bare and end < min(len(lines), at + _LOOK_BACK) and not _JS_FRAME.match(lines[end]):
        end += 1
    calls: list[Frame] = []
    start = end
    while end < len(lines) and (found := _JS_FRAME.match(lines[end])):
        calls.append(frame(found[1], found[2]))
        end += 1
    above = [line for line in lines[max(0, start - _LOOK_BACK) : start] if _JS_ERROR.match(line)]
    if not above:
        return Reading((), max(end, at + 1))
    message = above[-1].strip().removeprefix("● ")
    frames = own(tuple(reversed([*first, *calls])))
    evidence = "\n".join(lines[max(0, start - _LOOK_BACK) : min(end, start + 3)]).strip("\n")
    return Reading((Place(message, frames, _name(message), evidence),), max(end, at + 1))


def read_tap(lines: Sequence[str], at: int) -> Reading | None:
    """A failed test of the Test Anything Protocol, with its block of details if it has one."""
    found = _TAP.match(lines[at])
    if found is None or "# TODO" in found[2] or "# SKIP" in found[2]:
        return None
    end = at + 1
    frames: list[Frame] = []
    block = end < len(lines) and lines[end].strip() == "---"
    while block and end < min(len(lines), at + 60):
        for pattern in (_TAP_LOCATION, _TAP_STACK):
            if place := pattern.match(lines[end]):
                frames.append(frame(place[1], place[2]))
        end += 1
        if lines[end - 1].strip() == "...":
            break
    details = lines[at + 1 : end]
    if any("subtestsFailed" in line for line in details):
        return Reading((), end)
    # The location of a test comes first, the calls after it with the innermost first.
    order = own((*frames[:1], *reversed(frames[1:])))
    name = found[2].strip() or "a test"
    return Reading((Place(f"{name}: {_tap_error(details)}", order, name, "\n".join(lines[at:end]), sure=True),), end)


def _tap_error(details: Sequence[str]) -> str:
    for at, line in enumerate(details):
        key, _, value = line.strip().partition(":")
        if key in {"error", "message"}:
            value = value.strip().strip("'\"")
            if value[:1] in {"|", ">"} or not value:
                following = [row.strip() for row in details[at + 1 : at + 4] if row.strip()]
                return following[0] if following else "failed"
            return value
    return "failed"


def _name(message: str) -> str:
    return message.split(":", 1)[0].strip() if ":" in message else ""
