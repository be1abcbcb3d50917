"""What a shell would make of a command line, as far as a gate may rely on it.

Two readings that err in opposite directions. `plain` is for saying yes: it knows the words only of one simple command whose words
are all literal, and of nothing else. `commands` is for saying no: it finds every place where a command might start, also within
substitutions, and a word that is computed counts as any word. Neither runs nor expands anything.
"""

import re
from functools import lru_cache
from typing import NamedTuple

LONGEST = 16_384
"""Characters; longer command lines are never plain."""
_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-")
_BLANK = frozenset(" \t")
_KEYWORDS = "if then else elif fi case esac for select while until do done in function time coproc { } ! [[ ]]"
KEYWORDS = frozenset(_KEYWORDS.split())
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^]]*\])?\+?=")
_NAME = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!-]")
_DEPTH = 40


class Word(NamedTuple):
    """A word as far as it is known: its literal beginning and end, which are the same if `known`.

    A word that `splits` may come to any number of words, none too.
    """

    begin: str
    end: str
    known: bool = True
    splits: bool = False


Command = tuple[Word, ...]


def plain(line: str) -> tuple[str, ...] | None:
    """The words of `line` if it is one simple command of literal words, else None.

    None for anything a shell would expand, join, redirect, split or take for a keyword, an assignment or a comment; for control
    characters and line ends even within quotes; for letters beyond ASCII outside of them.
    """
    if len(line) > LONGEST or any(not (character.isprintable() or character == "\t") for character in line):
        return None
    words: list[str] = []
    word: str | None = None
    at = 0
    while at < len(line):
        character = line[at]
        if character in _BLANK:
            if word is not None:
                words.append(word)
            word, at = None, at + 1
            continue
        piece = _piece(line, at)
        if piece is None:
            return None
        text, at = piece
        word = (word or "") + text
    if word is not None:
        words.append(word)
    if not words or words[0] in KEYWORDS or not words[0] or _ASSIGNMENT.match(words[0]):
        return None
    return tuple(words)


def _piece(line: str, at: int) -> tuple[str, int] | None:
    """The literal piece of a word that starts at `at`, and where the next one starts."""
    match line[at]:
        case "'":
            end = line.find("'", at + 1)
            return None if end < 0 else (line[at + 1 : end], end + 1)
        case '"':
            return _double(line, at + 1)
        case "\\":
            follows = line[at + 1 : at + 2]
            return (follows, at + 2) if follows.isascii() and follows.isprintable() and follows else None
        case bare:
            return (bare, at + 1) if bare in _BARE else None


def _double(line: str, at: int) -> tuple[str, int] | None:
    text: list[str] = []
    while at < len(line):
        character = line[at]
        at += 1
        if character == '"':
            return "".join(text), at
        if character in "$`":
            return None
        if character == "\\" and line[at : at + 1] in {"$", "`", '"', "\\"}:
            character = line[at : at + 1]
            at += 1
        text.append(character)
    return None


def quoted(words: tuple[str, ...]) -> str:
    """A line whose `plain` reading is `words`."""
    return " ".join(word if word and _BARE.issuperset(word) else "'" + word.replace("'", "'\\''") + "'" for word in words)


@lru_cache(maxsize=64)
def commands(line: str) -> tuple[Command, ...]:
    """Every simple command that a shell might run for `line`, and some that it would not.

    Comments and here-documents are read both as such and as commands, each line also by itself, because a quote in one of them
    must not hide what comes after it. Redirections, keywords and assignments before a command are left out.
    """
    joined = line.replace("\\\n", "")
    texts = [joined]
    if "#" in joined or "<<" in joined:
        texts += [*joined.split("\n"), re.sub(r"(^|[\s;&|()])#[^\n]*", r"\1", joined)]
    found: dict[Command, None] = {}
    for text in texts:
        reader = _Reader(text)
        reader.read(0, "", 0)
        found.update(dict.fromkeys(reader.found))
    return tuple(found)


class _Reader:
    """Reads commands out of a text; where the text makes no sense it goes on as if it did."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.found: list[Command] = []

    def read(self, at: int, closer: str, depth: int) -> int:
        """Read commands from `at` to `closer` (or the end); returns where to go on."""
        text = self._text
        words: list[Word] = []
        skip = False
        while at < len(text):
            character = text[at]
            if character == closer:
                at += 1
                break
            if character in " \t":
                at += 1
            elif character in ";&|\n()":
                # A redirection to a descriptor (`>&2`) ends here as well: what follows then counts as a command, which errs to a no.
                self._take(words)
                words, skip = [], False
                at = self.read(at + 1, ")", depth + 1) if character == "(" and depth < _DEPTH else at + 1
            elif character in "<>" and text[at + 1 : at + 2] != "(":
                at, skip = at + 1, True
                while text[at : at + 1] in {"<", ">", "&", "|", "-"}:
                    at += 1
            else:
                word, at = self._word(at, closer, depth)
                if not skip and not (word.begin.isdigit() and text[at : at + 1] in {"<", ">"}):
                    words.append(word)
                skip = False
        self._take(words)
        return at

    def _take(self, words: list[Word]) -> None:
        first = 0
        while first < len(words) and words[first].known and _passes(words[first].begin):
            first += 1
        # An assignment of something computed is one all the same.
        while first < len(words) and not words[first].known and _ASSIGNMENT.match(words[first].begin):
            first += 1
        if words[first:]:
            self.found.append(tuple(words[first:]))

    def _word(self, at: int, closer: str, depth: int) -> tuple[Word, int]:
        text = self._text
        parts: list[str | None] = []
        splits = False
        start = at
        while at < len(text):
            character = text[at]
            if character == closer or character in " \t\n;&|()" or (character in "<>" and text[at + 1 : at + 2] != "("):
                break
            match character:
                case "'":
                    end = text.find("'", at + 1)
                    end = len(text) if end < 0 else end
                    parts.append(text[at + 1 : end])
                    at = end + 1
                case '"':
                    at = self._quotes(at + 1, parts, depth)
                case "\\":
                    parts.append(text[at + 1 : at + 2])
                    at += 2
                case "$" | "`" | "<" | ">":
                    before = len(parts)
                    at = self._expansion(at, parts, depth)
                    splits = splits or None in parts[before:]
                case "*" | "?" | "[" | "{" | "~" if text[at : at + 2].strip() != "{":
                    parts.append(None)
                    splits = True
                    at += 1
                case _:
                    parts.append(character)
                    at += 1
        return _joined(parts, splits), max(at, start + 1)

    def _quotes(self, at: int, parts: list[str | None], depth: int) -> int:
        text = self._text
        parts.append("")
        while at < len(text) and text[at] != '"':
            if text[at] == "\\":
                parts.append(text[at + 1 : at + 2] if text[at + 1 : at + 2] in {"$", "`", '"', "\\"} else text[at : at + 2])
                at += 2
            elif text[at] in "$`":
                at = self._expansion(at, parts, depth)
            else:
                parts.append(text[at])
                at += 1
        return at + 1

    def _expansion(self, at: int, parts: list[str | None], depth: int) -> int:
        text = self._text
        if depth >= _DEPTH:
            parts.append(None)
            return len(text)
        opened = text[at : at + 2]
        if text[at] == "`":
            parts.append(None)
            return self.read(at + 1, "`", depth + 1)
        if opened in {"$(", "<(", ">("}:
            parts.append(None)
            return self.read(at + 2, ")", depth + 1)
        if opened == "${":
            parts.append(None)
            return self.read(at + 2, "}", depth + 1)
        if opened in {"$'", '$"'}:
            parts.append(None)
            end = re.compile(r"(?:\\.|[^\\'])*'" if opened == "$'" else r'(?:\\.|[^\\"])*"', re.DOTALL).match(text, at + 2)
            return end.end() if end else len(text)
        name = _NAME.match(text, at + 1)
        parts.append(None if name else text[at])
        return name.end() if name else at + 1


def _passes(word: str) -> bool:
    """True for what may stand before a command without being one."""
    return word in KEYWORDS or _ASSIGNMENT.match(word) is not None


def _joined(parts: list[str | None], splits: bool) -> Word:
    if None not in parts:
        whole = "".join(part for part in parts if part)
        return Word(whole, whole)
    first = parts.index(None)
    last = len(parts) - parts[::-1].index(None)
    return Word(
        "".join(part for part in parts[:first] if part), "".join(part for part in parts[last:] if part), known=False, splits=splits
    )
