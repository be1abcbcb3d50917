"""The front matter of a SKILL.md: simple YAML, as people and other agents write it.

Pure. Read are keys with text (plain, quoted, folded or as a block), lists of texts, and one level of keys below a key. Invariant: what
is beyond that comes back as `None` with its line, never guessed at.
"""

import json
import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

Value = str | tuple[str, ...] | dict[str, str] | None
_KEY = re.compile(r"([A-Za-z0-9_.-]+)[ \t]*:(?:[ \t]+(.*))?")
_BLOCK = re.compile(r"([|>])([+-]?[1-9]?|[1-9][+-]?)(?:[ \t]+#.*)?")
_ITEM = re.compile(r"-(?:[ \t]+(.*))?")
_BEYOND = frozenset("{&*!@`%?|>")


class Entry(Struct, frozen=True):
    """What stands below a key, and in which line of the file the key is."""

    line: int
    value: Value


class Head(Struct, frozen=True):
    """The entries by key, and the lines that belong to none."""

    entries: Mapping[str, Entry]
    strays: tuple[int, ...] = ()


def read_head(lines: Sequence[str], first: int) -> Head:
    """The front matter in `lines`, the first of which is line `first` of its file. Of a key that comes twice the first counts."""
    entries: dict[str, Entry] = {}
    strays: list[int] = []
    at = 0
    while at < len(lines):
        line = lines[at].rstrip()
        begun, at = at, at + 1
        if not line or line.startswith("#"):
            continue
        found = _KEY.fullmatch(line)
        if found is None:
            strays.append(first + begun)
            continue
        while at < len(lines) and _belongs(lines[at]):
            at += 1
        if found[1] in entries:
            strays.append(first + begun)
            continue
        entries[found[1]] = Entry(first + begun, _value(found[2] or "", [one.rstrip() for one in lines[begun + 1 : at]]))
    return Head(entries, tuple(strays))


def _belongs(line: str) -> bool:
    return not line.strip() or line[0] in " \t" or line.startswith("- ") or line.rstrip() == "-"


def _value(written: str, below: list[str]) -> Value:
    written = written.strip()
    if written.startswith("#"):
        written = ""
    if block := _BLOCK.fullmatch(written):
        return _block(block[1], below)
    told = [line.strip() for line in below if line.strip() and not line.strip().startswith("#")]
    if written:
        if written[0] == "[":
            return _flow(" ".join([written, *told]))
        return _scalar(" ".join([written, *told]))
    if not told:
        return ""
    if all(_ITEM.fullmatch(line) for line in told):
        items = [_scalar((_ITEM.fullmatch(line) or [""])[1] or "") for line in told]
        return None if None in items else tuple(item for item in items if item is not None)
    return _mapping(below, told)


def _block(style: str, below: list[str]) -> str:
    """A literal (`|`) or folded (`>`) text; how many line ends it closes with makes no difference here."""
    indent = min((len(line) - len(line.lstrip()) for line in below if line), default=0)
    lines = [line[indent:] for line in below]
    if style == "|":
        return "\n".join(lines).strip("\n")
    paragraphs = re.split(r"\n{2,}", "\n".join(lines).strip("\n"))
    return "\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)


def _mapping(below: list[str], told: list[str]) -> Value:
    found = [_KEY.fullmatch(line) for line in told]
    level = {len(line) - len(line.lstrip()) for line in below if line.strip() and not line.strip().startswith("#")}
    if not all(found):
        # Text that begins below its key.
        return _scalar(" ".join(told)) if found[0] is None else None
    values = {one[1]: _scalar(one[2] or "") for one in found if one}
    if len(level) != 1 or None in values.values():
        return None
    return {key: value for key, value in values.items() if value is not None}


def _flow(written: str) -> Value:
    inner = re.sub(r"\s+#.*", "", written).strip()
    if not inner.endswith("]") or any(mark in inner[1:-1] for mark in "[]{}"):
        return None
    items = [_scalar(one) for one in inner[1:-1].split(",") if one.strip()]
    return None if None in items else tuple(item for item in items if item is not None)


def _scalar(written: str) -> str | None:
    """A text on one line, or folded into one; None for what is more than that."""
    written = written.strip()
    if written[:1] == '"':
        return _quoted(re.sub(r'("(?:[^"\\]|\\.)*+")\s+#.*', r"\1", written))
    if written[:1] == "'":
        whole = re.fullmatch(r"'((?:[^']|'')*+)'(?:\s+#.*)?", written)
        return whole[1].replace("''", "'") if whole else None
    return None if written[:1] in _BEYOND or written[:1] == "[" else re.sub(r"(?:^|\s+)#.*", "", written)


def _quoted(written: str) -> str | None:
    try:
        value = json.loads(written)
    except ValueError:
        return None
    return value if isinstance(value, str) else None
