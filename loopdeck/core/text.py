"""Outside text made fit for a screen.

Whatever an agent, a file name, a branch or an error says reaches a terminal only as `Shown`, and only `clean` and `clean_line` make
it. What they return holds no character that a terminal would act upon or a reader would not see: each becomes a visible symbol.
Nothing is silently dropped, so that what the operator approves is what will run. Both are idempotent.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import NewType

Shown = NewType("Shown", str)
"""Text that has been through the sanitiser. Markup is not looked at: a widget must be told to take it as it is."""

MAX_MARKS = 4
"""Combining marks a character may carry; more is meant to hurt."""

_SHORT = {0x7F: "␡", 0x85: "␤", 0xFE0E: "·", 0xFE0F: "·"}
_UNSEEN = (
    (0x80, 0x9F),  # C1: an 8-bit terminal takes them for escape sequences
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),  # zero width, and the first bidi marks
    (0x2028, 0x202E),  # line separators, bidi embeddings and overrides
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xD800, 0xDFFF),  # lone surrogates can't be encoded at all
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),  # tags and variation selectors: whole messages can hide in them
)
# Where marks live; a scan of all of Unicode would take longer than a verb may take to start.
_MARKED = ((0x300, 0x2000), (0x20D0, 0x3100), (0xA600, 0xAC00), (0xFB1E, 0xFB1F), (0xFE20, 0xFE30))
_MARKED_BEYOND = ((0x101F0, 0x12000), (0x13000, 0x13500), (0x16100, 0x17000), (0x1BC00, 0x1F000))


# Made when a text first needs them, as they take longer to make than most verbs take for all they do.


@cache
def _table(kept: str) -> dict[int, str]:
    table = {code: chr(0x2400 + code) for code in range(0x20)}
    for first, last in _UNSEEN:
        table.update((code, f"<U+{code:04X}>") for code in range(first, last + 1))
    return {code: shown for code, shown in (table | _SHORT).items() if chr(code) not in kept}


@cache
def _found(kept: str) -> re.Pattern[str]:
    spans = "".join(f"{chr(first)}-{chr(last)}" for first, last in _UNSEEN)
    return re.compile("[" + "".join(re.escape(chr(code)) for code in (*range(0x20), 0x7F) if chr(code) not in kept) + spans + "]")


def _seen(text: str, kept: str) -> str:
    """`text` with everything but `kept` visible that would not be."""
    if (text.isascii() and text.isprintable()) or not _found(kept).search(text):
        return text
    return text.translate(_table(kept))


_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"  # CSI
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\x9d]*+(?:\x07|\x1b\\|\x9c)"  # OSC, ended by BEL or ST
    r"|\x1b[()*+][0-9A-Za-z]"  # a character set, as `tput sgr0` selects one
)


def _marks(blocks: tuple[tuple[int, int], ...]) -> str:
    spans: list[list[int]] = []
    for first, end in blocks:
        for code in range(first, end):
            if unicodedata.category(chr(code))[0] != "M":
                continue
            if spans and spans[-1][1] == code - 1:
                spans[-1][1] = code
            else:
                spans.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in spans)


# To make the exact sets takes longer than most verbs do, so a look at the blocks comes first; few texts have five of these in a row.
@cache
def _maybe_crowd() -> re.Pattern[str]:
    blocks = "".join(f"{chr(first)}-{chr(end - 1)}" for first, end in (*_MARKED, *_MARKED_BEYOND))
    return re.compile(f"[{blocks}]{{{MAX_MARKS + 1}}}")


@cache
def _crowds() -> tuple[re.Pattern[str], re.Pattern[str]]:
    near, far = _marks(_MARKED), _marks(_MARKED_BEYOND)
    coarse = f"{near}{chr(_MARKED_BEYOND[0][0])}-{chr(_MARKED_BEYOND[-1][1])}"
    # A set with every range beyond the first plane is slow to miss: the coarse one finds the places, the fine one looks closer.
    # One mark stands alone in front, so that the search can skip everything else quickly.
    return (
        re.compile(f"[{coarse}][{coarse}]{{{MAX_MARKS},}}"),
        re.compile(f"[{near}{far}]{{{MAX_MARKS + 1},}}"),
    )


def _thin(text: str) -> str:
    if text.isascii() or len(text) <= MAX_MARKS or not _maybe_crowd().search(text):
        return text
    coarse, fine = _crowds()
    return coarse.sub(lambda place: fine.sub(_first_marks, place[0]), text)


def _first_marks(found: re.Match[str]) -> str:
    return f"{found[0][:MAX_MARKS]}<+{len(found[0]) - MAX_MARKS} marks>"


def _cut(line: str, limit: int) -> str:
    if len(line) <= limit:
        return line
    kept = max(0, limit - len(f"… <+{len(line)} characters>"))
    return f"{line[:kept]}… <+{len(line) - kept} characters>"


def clean(text: str, *, max_line: int = 4000) -> Shown:
    """`text` for a screen, its lines and tabs kept (CR LF counts as a line end); lines over `max_line` characters are cut with a count.

    `max_line` is at least 40.
    """
    text = _thin(_seen(text.replace("\r\n", "\n"), "\t\n"))
    if len(text) > max_line:
        lines = text.split("\n")
        if max(map(len, lines)) > max_line:
            text = "\n".join([_cut(line, max_line) for line in lines])
    return Shown(text)


def clean_line(text: str, max_length: int = 200) -> Shown:
    """`text` as one line of at most `max_length` characters (at least 40); line ends and tabs become visible symbols too."""
    # What is cut off need not be looked at: a megabyte on a status line would cost a frame.
    beyond = len(text) - 4 * max_length
    head = text if beyond <= 0 else text[: 4 * max_length]
    head = _thin(_seen(head, ""))
    if beyond <= 0:
        return Shown(_cut(head, max_length))
    kept = min(len(head), max(0, max_length - len(f"… <+{len(head) + beyond} characters>")))
    return Shown(f"{head[:kept]}… <+{len(head) - kept + beyond} characters>")


_BLANKS = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000"
"""Look like a blank and are none."""


def pieces(line: str) -> Iterator[tuple[Shown, bool]]:
    """`line` whole, for a reader who must see every character of it; True where a piece stands for what could not be seen.

    Line ends and tabs count as such, and so do blanks that are not the blank.
    """
    if line.isascii() and line.isprintable():
        yield Shown(line), False
        return
    at = 0
    for found in _unlike().finditer(line):
        if found.start() > at:
            yield Shown(_thin(line[at : found.start()])), False
        yield Shown("".join(_symbol(character) for character in found[0])), True
        at = found.end()
    if at < len(line):
        yield Shown(_thin(line[at:])), False


@cache
def _unlike() -> re.Pattern[str]:
    return re.compile(f"(?:{_found('').pattern}|[{_BLANKS}])+")


@cache
def _symbol(character: str) -> str:
    return _table("").get(ord(character)) or f"<U+{ord(character):04X}>"


def strip_ansi(text: str) -> str:
    """`text` without colours, cursor moves and titles: whole CSI and OSC sequences go, anything else stays as it is.

    For tool output on its way into findings and prompts. What is left is still outside text: `clean` it before it is shown.
    """
    if "\x1b" in text or "\x9b" in text or "\x9d" in text:
        return _SEQUENCE.sub("", text)
    return text
