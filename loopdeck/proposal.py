"""What a gated call would do, exactly: its command, or what it would make of a file, as lines in which every character can be seen.

Invariant: nothing of the arguments is left out, and nothing is cut: whoever has read all lines has read the call. The file that it
would change is read as the tool would read it, within the worktree and never through a link or a device that leads elsewhere.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from loopdeck.core import gatedpaths
from loopdeck.core.columns import Cell
from loopdeck.core.plural import some
from loopdeck.core.redact import Redactor, secrets_of
from loopdeck.core.text import Shown, pieces
from loopdeck.tools import arguments as args
from loopdeck.tools import files, within
from loopdeck.tools.port import ToolFailed

Line = tuple[Cell, ...]

MOST_READ = 4 << 20
"""Bytes of a file that a call is compared with; beyond it the new content stands alone."""
_MOST_COMPARED = 4_000
"""Lines that differ, before and after, which are aligned with each other; above it the old stand before the new."""
_AROUND = 3


class Proposal(Struct, frozen=True, eq=False):
    """`what` says what kind of text `lines` are; `notes` are what a reader should know besides, raw."""

    what: str
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


def proposal(tool: str, arguments: str, worktree: str) -> Proposal:
    """What the call would do in `worktree` as it is now. Never raises: what can't be told is a note beside the arguments."""
    given, doubled = _given(arguments)
    if given is None:
        return Proposal("the arguments, which are no JSON object", shown(arguments))
    if doubled:
        return Proposal("the arguments as they came", shown(arguments), (f"the name {doubled!r} occurs twice: the last one counts",))
    match tool, given:
        case "bash", {"command": str(command), **rest}:
            return Proposal("the command", (*shown(command, "strong"), *_rest(rest)), _strange(command))
        case "write_file", {"path": str(path), "content": str(content), **rest} if not rest:
            return _written(worktree, path, content)
        case "edit_file", {"path": str(path), "old": str(), "new": str()}:
            return _edited(worktree, path, arguments)
        case _:
            return Proposal("the arguments", shown(json.dumps(given, ensure_ascii=False, indent=2)))


def shown(text: str, style: str = "plain", sign: str = "") -> tuple[Line, ...]:
    """`text` line by line, each whole; what could not be seen stands out in the style `mark`. `sign` goes before each line."""
    return tuple(_line(line, style, sign) for line in text.split("\n"))


def difference(before: str, after: str) -> tuple[Line, ...]:
    """The lines in which two texts differ, with a few around them; none if they are the same."""
    return tuple(_difference(before.split("\n"), after.split("\n")))


def _line(text: str, style: str, sign: str = "") -> Line:
    bare = text.rstrip(" ")
    cells = [Cell(Shown(sign), style)] if sign else []
    cells += [Cell(piece, "mark" if hidden else style) for piece, hidden in pieces(bare)]
    if len(bare) < len(text):
        cells.append(Cell(Shown(" " * (len(text) - len(bare))), "mark"))
    return tuple(cells)


def _given(arguments: str) -> tuple[dict[str, object] | None, str]:
    """The arguments, and a name that occurs in them twice."""
    doubled = ""

    def pairs(found: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal doubled
        names = sorted(name for name, _ in found)
        doubled = doubled or next((one for one, other in pairwise(names) if one == other), "")
        return dict(found)

    try:
        given = json.loads(arguments, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return None, ""
    return (given, doubled) if isinstance(given, dict) else (None, "")


def _rest(rest: dict[str, object]) -> Iterator[Line]:
    for name, value in rest.items():
        yield from shown(f"{name}: {json.dumps(value, ensure_ascii=False)}", "info")


def _strange(command: str) -> tuple[str, ...]:
    """What the eye may take for something else."""
    notes = []
    beyond = sum(1 for character in command if not character.isascii())
    if beyond:
        notes.append(f"{beyond} characters are not ASCII: some may look like others")
    if command.count("\n") > 0:
        notes.append(f"it has {command.count(chr(10)) + 1} lines")
    return tuple(notes)


def _written(worktree: str, path: str, content: str) -> Proposal:
    notes = _of_path(path)
    old = _content(worktree, path)
    if isinstance(old, str):
        return Proposal(f"the whole of {path}", shown(content, "add", "+"), (*notes, old))
    before, cut = old
    if cut:
        return Proposal(f"the whole of {path}", shown(content, "add", "+"), (*notes, f"in place of more than {MOST_READ >> 20} MiB"))
    changes = difference(before.decode("utf-8", "replace"), content)
    if not changes:
        notes = (*notes, "the file says this already")
    return Proposal(f"what it changes in {path}", changes, notes)


def _edited(worktree: str, path: str, arguments: str) -> Proposal:
    notes = _of_path(path)
    given = args.parse("edit_file", arguments)
    if not isinstance(given, args.EditFile):
        return Proposal("the arguments", shown(arguments), (str(given),))
    bare = (*shown(given.old, "del", "-"), *shown(given.new, "add", "+"))
    where = f"in {path}{', wherever it occurs' if given.replace_all else ''}"
    old = _content(worktree, path)
    if isinstance(old, str) or old[1]:
        why = old if isinstance(old, str) else f"the file has more than {MOST_READ >> 20} MiB"
        return Proposal(f"the old text and the new {where}", bare, (*notes, why))
    try:
        after, count, _ = files.replaced(old[0], given)
    except (ToolFailed, UnicodeError) as error:
        return Proposal(f"the old text and the new {where}", bare, (*notes, f"as the file is now it would fail: {error}"))
    changes = difference(old[0].decode("utf-8", "replace"), after.decode("utf-8", "replace"))
    return Proposal(f"what it changes {where}", changes or bare, (*notes, *((some(count, "place"),) if count > 1 else ())))


def _of_path(path: str) -> tuple[str, ...]:
    inside = gatedpaths.normal(path)
    if inside is None:
        return ("the path is outside the worktree",)
    return ("tools run the code of this file by themselves",) if gatedpaths.flagged(inside) else ()


def _content(worktree: str, path: str) -> tuple[bytes, bool] | str:
    """The file, and whether there is more of it; or in words why there is nothing to compare with."""
    try:
        place = Path(worktree, within.normal(path))
        if not os.path.lexists(place) and place.parent.resolve().is_relative_to(Path(worktree).resolve()):
            return "a new file"
        with within.opened(Path(worktree), path) as file:
            content = file.read(MOST_READ + 1)
    except (ToolFailed, OSError, ValueError) as error:
        return f"the file as it is can't be shown: {error}"
    # The call was written down without its secrets, and what it is compared with is shown without them as well.
    return Redactor(secrets_of(os.environ)).raw(content[:MOST_READ]), len(content) > MOST_READ


def _difference(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    head = _same(before, after)
    tail = min(_same(before[::-1], after[::-1]), min(len(before), len(after)) - head)
    if head == len(before) == len(after):
        return
    low = max(0, head - _AROUND)
    old, new = before[low : len(before) - tail + min(tail, _AROUND)], after[low : len(after) - tail + min(tail, _AROUND)]
    if max(len(old), len(new)) > _MOST_COMPARED:
        yield _head(head, len(before) - head - tail, head, len(after) - head - tail)
        yield from _signed("-", "del", before[head : len(before) - tail])
        yield from _signed("+", "add", after[head : len(after) - tail])
        return
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(_AROUND):
        yield _head(low + group[0][1], group[-1][2] - group[0][1], low + group[0][3], group[-1][4] - group[0][3])
        for kind, first, end, new_first, new_end in group:
            if kind == "equal":
                yield from _signed(" ", "plain", old[first:end])
                continue
            yield from _signed("-", "del", old[first:end])
            yield from _signed("+", "add", new[new_first:new_end])


def _same(one: Sequence[str], other: Sequence[str]) -> int:
    return next((at for at, (mine, its) in enumerate(zip(one, other, strict=False)) if mine != its), min(len(one), len(other)))


def _head(old: int, olds: int, new: int, news: int) -> Line:
    return (Cell(Shown(f"@@ -{old + 1},{olds} +{new + 1},{news} @@"), "info"),)


def _signed(sign: str, style: str, lines: Iterable[str]) -> Iterator[Line]:
    for line in lines:
        yield _line(line, style, sign)
