"""What programs print, made fit for findings, prompts and records.

The invariant: nothing that leaves here holds an escape sequence or a control character, and what is said in it never gets
longer than the reader asked for. Work is linear in the length of the output.
"""

from loopdeck.core.text import clean, strip_ansi

TAIL = 2000
"""Characters of output that a verdict's evidence carries; the whole of it is kept apart."""

MAX_LINE = 1000
_ROUGH_LINE = 4 * MAX_LINE


def plain(output: str) -> str:
    """`output` without colours and control characters; a lone carriage return ends a line, so that no line hides another."""
    lines = output.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    # Line by line, so that a sequence without an end can't swallow what follows it.
    return clean("\n".join(strip_ansi(_short(line)) for line in lines), max_line=MAX_LINE)


def plain_line(text: str, longest: int = 300) -> str:
    """`text` as one plain line of at most `longest` characters."""
    joined = " ".join(plain(text[: 4 * longest]).split())
    return joined if len(joined) <= longest else f"{joined[: longest - 1]}…"


def tail(text: str, size: int = TAIL) -> str:
    """The last `size` characters of plain `text`, from the beginning of a line where there is one."""
    text = text.strip("\n")
    if len(text) <= size:
        return text
    end = text[-size:]
    cut = end.find("\n")
    return "…\n" + (end[cut + 1 :] if 0 <= cut < size // 2 else end)


def head(text: str, size: int) -> str:
    """The first `size` characters of plain `text`, with a mark where something is missing."""
    text = text.strip("\n")
    return text if len(text) <= size else f"{text[: size - 2]}\n…"


def _short(line: str) -> str:
    if len(line) <= _ROUGH_LINE:
        return line
    return f"{line[: _ROUGH_LINE // 2]}…{line[-_ROUGH_LINE // 2 :]}"
