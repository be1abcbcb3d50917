"""Reader of pytest's reports: a place for each failed test and each error, with the lines that say why.

Pure. It reads the sections `ERRORS` and `FAILURES` in every traceback style (long, short, line, native) and the short summary, and
joins the two: the summary knows a test's full name, the section where and why it failed.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from loopdeck.checks.places import Frame, Place, Reading, frame
from loopdeck.checks.stacks import own, traceback_at

_BANNER = re.compile(r"=+ (.*?) =+$")
_TITLE = re.compile(r"_{2,}(?: (.+?))? ?_{2,}$")
_CAPTURED = re.compile(r"-{3,} Captured .* -{3,}$")
_LAST_LINE = re.compile(r"(?:=+ )?\d+ (?:failed|passed|errors?|skipped|deselected|xfailed|xpassed|warnings?)\b.* in [\d.]+")
_SUMMARY = re.compile(r"(FAILED|ERROR) (\S.*)$")
_SUBTEST = re.compile(r"SUBFAILED(\S.{0,200}?) (\S+::.*)$")
_HAS_SUBTESTS = re.compile(r"contains \d+ failed subtest")
_PLACE = re.compile(r"([^\s:][^:\n]{0,400}):(\d{1,7}): ?(.*)$")
_SAID = re.compile(r"E(?:\s{2,}(.*)|\s*)$")
_PREFIX = re.compile(r"(?:ERROR (?:collecting|at setup of|at teardown of) |\[doctest\] )")
_MOST_SAID = 40
_MOST_FRAMES = 50
_MOST_ALIKE = 100
_MOST_LOOSE = 200


class _Section(Struct):
    """One failure as the long report tells it."""

    title: str = ""
    frames: list[Frame] = []
    said: list[str] = []
    """The lines that explain it, the failing line of code first."""
    message: str = ""
    used: bool = False
    captured: bool = False
    rows: list[str] = []

    @property
    def error(self) -> bool:
        """True if something around a test broke, not the test."""
        return self.title.startswith("ERROR ")

    @property
    def name(self) -> str:
        """The test's name as the section has it: no file, and dots between its parts."""
        return _PREFIX.sub("", self.title, count=1)


class _Entry(Struct, frozen=True):
    """One line of the short summary."""

    error: bool
    name: str
    variant: str
    """Which subtest, if it is one."""
    message: str
    line: str

    @property
    def title(self) -> str:
        """The name as the section has it."""
        path, _, inner = self.name.partition("::")
        plain, bracket, parameters = inner.partition("[")
        title = f"{plain.replace('::', '.')}{bracket}{parameters}" if inner else path
        return f"{title} {self.variant}".strip()


def read_pytest(lines: Sequence[str], at: int) -> Reading | None:
    """Everything from the first banner of a pytest report to its last line."""
    if not _starts(lines[at]):
        return None
    sections: list[_Section] = []
    loose: list[tuple[Frame, str]] = []
    summary: list[_Entry] = []
    while at < len(lines) and not _LAST_LINE.match(lines[at]):
        banner = _BANNER.match(lines[at])
        at += 1
        if banner is None:
            continue
        if banner[1] in {"ERRORS", "FAILURES"}:
            at = _read_sections(lines, at, sections, loose)
        elif banner[1] == "short test summary info":
            at = _read_summary(lines, at, summary)
    by_name: dict[tuple[str, bool], list[_Section]] = {}
    for section in sections:
        by_name.setdefault((section.name, section.error), []).append(section)
    places = [_joined(entry, by_name.get((entry.title, entry.error), []), loose) for entry in summary]
    places.extend(_alone(section) for section in sections if not section.used and section.message)
    if not summary:
        places.extend(Place(message, own((place,)), evidence=message, sure=True) for place, message in loose)
    return Reading(tuple(dict.fromkeys(places)), at + 1)


def _starts(line: str) -> bool:
    banner = _BANNER.match(line) if line.startswith("=") else None
    return banner is not None and banner[1] in {"ERRORS", "FAILURES", "short test summary info"}


def _read_sections(lines: Sequence[str], at: int, sections: list[_Section], loose: list[tuple[Frame, str]]) -> int:
    now = _Section()
    while at < len(lines) and not _BANNER.match(lines[at]) and not _LAST_LINE.match(lines[at]):
        line = lines[at]
        title = _TITLE.match(line) if line.startswith("__") else None
        if title is not None:
            now = _Section(title=title[1] or "")
            sections.append(now)
            at += 1
        elif (found := traceback_at(lines, at)) is not None and now.title and not now.captured:
            now.frames.extend(found.frames[-_MOST_FRAMES:])
            now.message = found.message
            now.said = found.text.split("\n")[-_MOST_SAID:]
            at = found.next
        else:
            at = _take(lines, at, now, loose)
    return at


def _take(lines: Sequence[str], at: int, now: _Section, loose: list[tuple[Frame, str]]) -> int:
    line = lines[at]
    if _CAPTURED.match(line):
        now.captured = True
    if now.captured and now.title:
        return at + 1
    if _SAID.match(line) and line.startswith("E"):
        return _take_said(lines, at, now)
    place = _PLACE.match(line)
    if place is not None and not line.startswith((" ", ">", "E ")):
        where = frame(place[1], place[2])
        if now.title:
            now.frames.append(where)
            del now.frames[:-_MOST_FRAMES]
        elif len(loose) < _MOST_LOOSE:
            # With --tb=line a place and the reason are all there is.
            loose.append((where, place[3].strip()))
    if line.strip() and len(now.rows) < _MOST_SAID:
        now.rows.append(line)
    return at + 1


def _take_said(lines: Sequence[str], at: int, now: _Section) -> int:
    """A run of `E` lines. The last one of a section is that of the exception that ended the test."""
    above = lines[at - 1].rstrip() if at else ""
    said = [above] if above.startswith((">", "    ")) and above.strip("^ ") else []
    now.message = ""
    while at < len(lines) and (found := _SAID.match(lines[at])):
        text = (found[1] or "").rstrip()
        now.message = now.message or text
        if len(said) < _MOST_SAID:
            said.append(lines[at].rstrip())
        at += 1
    now.said = said
    return at


def _read_summary(lines: Sequence[str], at: int, summary: list[_Entry]) -> int:
    while at < len(lines) and not _LAST_LINE.match(lines[at]) and not _BANNER.match(lines[at]):
        if found := _SUMMARY.match(lines[at]):
            name, message = _split(found[2])
            # The subtests themselves are listed beside it.
            if not _HAS_SUBTESTS.match(message):
                summary.append(_Entry(found[1] == "ERROR", name, "", message, lines[at]))
        elif found := _SUBTEST.match(lines[at]):
            name, message = _split(found[2])
            summary.append(_Entry(False, name, found[1], message, lines[at]))
        at += 1
    return at


def _joined(entry: _Entry, sections: Sequence[_Section], loose: list[tuple[Frame, str]]) -> Place:
    path, _, _ = entry.name.partition("::")
    section = _section_of(path, sections)
    frames: tuple[Frame, ...] = ()
    message, evidence = entry.message, entry.line
    if section is not None:
        section.used = True
        message = section.message or message or _last(section)
        frames = own(section.frames)
        evidence = _evidence(section, entry.line)
    elif found := _loose_of(entry, path, loose):
        loose.remove(found)
        frames = own((found[0],))
        message = found[1]
    title = entry.title.rsplit("/", 1)[-1] if "::" not in entry.name else entry.title
    name = f"{entry.name} {entry.variant}".strip()
    return Place(f"{title}: {message}" if message else title, (frame(path, "0"), *frames), name, evidence, sure=True)


def _loose_of(entry: _Entry, path: str, loose: Sequence[tuple[Frame, str]]) -> tuple[Frame, str] | None:
    # The summary cuts a long reason off.
    fits = [one for one in loose if entry.message and one[1].startswith(entry.message.removesuffix("..."))]
    near = [one for one in fits if one[0][0].endswith(path)]
    return next(iter(near or fits), None)


def _split(rest: str) -> tuple[str, str]:
    """A test's full name and the reason. Parameters stand in brackets and may hold anything, the separator too."""
    dash = rest.find(" - ")
    bracket = rest.find("[")
    if 0 <= bracket < dash:
        closed = rest.find("] - ", bracket)
        if closed >= 0:
            return rest[: closed + 1], rest[closed + 4 :].strip()
        return rest.strip(), ""
    return (rest[:dash].strip(), rest[dash + 3 :].strip()) if dash >= 0 else (rest.strip(), "")


def _section_of(path: str, sections: Sequence[_Section]) -> _Section | None:
    """The first of the sections of that name which is still free, rather one that speaks of the test's file."""
    free = [section for section in sections[:_MOST_ALIKE] if not section.used]
    near = [section for section in free if any(name.endswith(path) for name, _ in section.frames)]
    return next(iter(near or free), None)


def _alone(section: _Section) -> Place:
    return Place(f"{section.name}: {section.message}", own(section.frames), section.name, _evidence(section, section.title), sure=True)


def _last(section: _Section) -> str:
    """What a section without an exception ends with, such as a doctest's failure."""
    last = section.rows[-1].strip() if section.rows else ""
    place = _PLACE.match(last)
    return place[3] if place is not None and place[3] else last


def _evidence(section: _Section, otherwise: str) -> str:
    text = "\n".join(section.said or section.rows[-12:]).strip("\n")
    return text or otherwise
