"""Code made into cells, coloured by what its lexer says each part is.

Invariant: the lexer gets clean, short lines and few of them at a time, since the text is a stranger's and a lexer is made of regular
expressions: what takes too long is shown without colours from then on. Tabs and blanks at the end are visible.
"""

import time
from collections.abc import Sequence
from functools import lru_cache

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Literal, Name, Number, String
from pygments.util import ClassNotFound
from rich.cells import cell_len

from loopdeck.core.columns import Cell
from loopdeck.core.text import Shown, clean_line

LONGEST = 2000
"""Characters of a line that are shown; what is cut off is counted."""
_LEXED = 200
"""Characters of a line that still get colours."""
_PATIENCE_S = 0.1
_TAB = 4
# `sized` of `clean_line` would make tabs symbols of their own; here they keep their width, so this stands for one meanwhile.
_TAB_MARK = "\ue000"

_STYLES = (
    (Comment, "dim"), (Keyword, "accent"), (Name.Function, "key"), (Name.Class, "key"), (Name.Decorator, "info"),
    (Name.Builtin, "info"), (Name.Tag, "accent"), (Name.Attribute, "info"), (Number, "info"), (String, "warn"), (Literal, "warn"),
    (Generic.Heading, "strong"), (Generic.Subheading, "strong"), (Generic.Strong, "strong"),
)  # fmt: skip


class Syntax:
    """Colours for the code of one file in `language` (a lexer's name; empty or unknown: none)."""

    def __init__(self, language: str) -> None:
        self._lexer = _lexer(language)

    def cells(self, lines: Sequence[str]) -> list[tuple[Cell, ...]]:
        """Each of `lines`, raw and without its end, as cells."""
        cleaned = [str(clean_line(line.replace(_TAB_MARK, "\ufffd").replace("\t", _TAB_MARK), LONGEST)) for line in lines]
        if self._lexer is None:
            return [_plain(line) for line in cleaned]
        began = time.perf_counter()
        coloured = self._coloured([line[:_LEXED] for line in cleaned], [line[_LEXED:] for line in cleaned])
        if time.perf_counter() - began > _PATIENCE_S:
            self._lexer = None
        return coloured if len(coloured) == len(cleaned) else [_plain(line) for line in cleaned]

    def _coloured(self, cleaned: Sequence[str], rests: Sequence[str]) -> list[tuple[Cell, ...]]:
        """`cleaned` in colours, each with the rest of its line behind it; nothing if the lexer made something else of them."""
        assert self._lexer is not None
        rows: list[list[tuple[str, str]]] = [[]]
        # Whatever the lexer does to blank lines at the ends, it keeps what stands between.
        for kind, text in self._lexer.get_tokens("\n".join(cleaned).replace(_TAB_MARK, "\t") + "\n"):
            style = _style(kind)
            first, *rest = text.split("\n")
            rows[-1].append((first, style))
            for part in rest:
                rows.append([(part, style)])
        if not _same(rows, cleaned):
            return []
        return [_tabbed([*parts, (rest.replace(_TAB_MARK, "\t"), "plain")]) for parts, rest in zip(rows, rests, strict=False)]


def _same(rows: Sequence[Sequence[tuple[str, str]]], cleaned: Sequence[str]) -> bool:
    """True if the lexer gave back exactly what it got."""
    given = ["".join(text for text, _ in parts) for parts in rows]
    return given[: len(cleaned)] == [line.replace(_TAB_MARK, "\t") for line in cleaned] and not any(given[len(cleaned) :])


def _plain(line: str) -> tuple[Cell, ...]:
    return _tabbed([(line.replace(_TAB_MARK, "\t"), "plain")])


def _tabbed(parts: Sequence[tuple[str, str]]) -> tuple[Cell, ...]:
    """`parts` as cells, with tabs drawn as arrows up to the next tab stop, and blanks at the end as dots."""
    found: list[Cell] = []
    at = 0
    for text, style in parts:
        first, *rest = text.split("\t")
        if first:
            found.append(Cell(Shown(first), style))
            at += cell_len(first)
        for part in rest:
            width = _TAB - at % _TAB
            found.append(Cell(Shown("→".ljust(width)), "dim"))
            at += width + cell_len(part)
            if part:
                found.append(Cell(Shown(part), style))
    return _dotted(found)


def _dotted(cells: list[Cell]) -> tuple[Cell, ...]:
    if cells and cells[-1].text.endswith(" ") and cells[-1].text[:1] != "→":
        last = cells.pop()
        kept = last.text.rstrip(" ")
        cells += [Cell(Shown(kept), last.style)] if kept else []
        cells.append(Cell(Shown("·" * (len(last.text) - len(kept))), "dim"))
    return tuple(cells)


def _style(kind: object) -> str:
    return next((style for token, style in _STYLES if kind in token), "plain")


@lru_cache(maxsize=64)
def _lexer(language: str) -> "Lexer | None":
    if not language:
        return None
    try:
        return get_lexer_by_name(language, stripnl=False, stripall=False, ensurenl=True)
    except ClassNotFound:
        return None
