"""Criteria out of a rubric's Markdown: bullets, numbered items, headings with prose, or just paragraphs.

Pure. `[minor]`, `[major]` and `[blocker]` before or behind a criterion's text, or in the heading above, say how grave it is. An item
that reads `run: ` and a command in backticks is decided by that command instead of a model; so one rubric can hold both kinds. The
invariant: whatever the text, every criterion has an id that no other has, and the same text always gives the same ids.
"""

import re

from msgspec import Struct

from loopdeck.core.findings import Severity

MOST_CRITERIA = 60
_ID_WORDS = 7


class RubricCriterion(Struct, frozen=True, omit_defaults=True):
    """One thing to be judged. `run` is the command that decides it, empty if the model does."""

    id: str
    text: str
    severity: Severity | None = None
    run: str = ""


class _Item(Struct):
    """A criterion being read."""

    lines: list[str]
    severity: Severity | None = None
    heading: bool = False
    level: int = 0
    parent: bool = False
    """A heading with items of its own below it."""


_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*$")
_BULLET = re.compile(r"(\s*)(?:[-*+]|\d{1,3}[.)])\s+(.*)$")
_BOX = re.compile(r"\[[ xX]\]\s+")
_FENCE = re.compile(r"\s*(```|~~~)")
_MARK = re.compile(r"\s*\[(blocker|major|minor)\]\s*", re.IGNORECASE)
_RUN = re.compile(r"run:\s*`([^`\n]{1,2000})`")
_BOLD = re.compile(r"\*\*(.{1,100}?)[.:]?\*\*")
_WORD = re.compile(r"[^\W_]+")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


def parse_rubric(text: str) -> tuple[RubricCriterion, ...]:
    """The criteria of a rubric, in order, at most `MOST_CRITERIA`; none if it says nothing."""
    text = _COMMENT.sub("", text.replace("\r\n", "\n"))
    items = _items(text)
    bullets = [item for item in items if not item.heading]
    chosen = [item for item in items if _is_criterion(item, with_bullets=bool(bullets))]
    if not chosen:
        chosen = [_Item([part]) for part in re.split(r"\n\s*\n", text) if part.strip() and not _HEADING.match(part.strip())]
    taken: set[str] = set()
    return tuple(_criterion(item, taken) for item in chosen[:MOST_CRITERIA])


def _is_criterion(item: _Item, *, with_bullets: bool) -> bool:
    if not item.heading:
        return True
    # A title above everything introduces; a section without items is a criterion said at length.
    return not item.parent and len(item.lines) > 1 and not (item.level == 1 and with_bullets)


def _items(text: str) -> list[_Item]:
    items: list[_Item] = []
    open_item: _Item | None = None
    above: list[_Item] = []
    indent = 0
    fenced = False
    for line in text.split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
        heading = None if fenced else _HEADING.match(line)
        bullet = None if fenced else _BULLET.match(line)
        if heading is not None:
            level = len(heading[1])
            above = [one for one in above if one.level < level]
            severity = _severity_of(heading[2]) or (above[-1].severity if above else None)
            open_item = _Item([heading[2]], severity, heading=True, level=level)
            for one in above:
                one.parent = one.parent or one.level > 1
            above.append(open_item)
            items.append(open_item)
        elif bullet is not None and (open_item is None or open_item.heading or len(bullet[1]) <= indent):
            indent = len(bullet[1])
            for one in above:
                one.parent = True
            open_item = _Item([_BOX.sub("", bullet[2], count=1)], above[-1].severity if above else None)
            items.append(open_item)
        elif open_item is not None and line.strip():
            if line[0].isspace() or open_item.heading or open_item.lines[-1]:
                open_item.lines.append(line.strip())
            else:
                open_item = None
        elif open_item is not None and not open_item.heading:
            open_item.lines.append("")
    return items


def _severity_of(text: str) -> Severity | None:
    found = _MARK.search(text)
    match found[1].lower() if found else "":
        case "blocker":
            return "blocker"
        case "major":
            return "major"
        case "minor":
            return "minor"
    return None


def _criterion(item: _Item, taken: set[str]) -> RubricCriterion:
    raw = "\n".join(line for line in item.lines if line).strip()
    text = _MARK.sub(" ", raw).strip()
    run = _RUN.match(text)
    bold = _BOLD.match(text)
    name = bold[1] if bold else (run[1] if run else item.lines[0])
    return RubricCriterion(
        _unique(_slug(_MARK.sub(" ", name)), taken), text, _severity_of(raw) or item.severity, run[1].strip() if run else ""
    )


def _slug(text: str) -> str:
    words = _WORD.findall(text.lower()[:400])[:_ID_WORDS]
    return "-".join(words)[:60].strip("-") or "criterion"


def _unique(name: str, taken: set[str]) -> str:
    number = 1
    candidate = name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    taken.add(candidate)
    return candidate
