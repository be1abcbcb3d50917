"""Passages of texts, and which of them are about a question. Pure.

A text is cut where it pauses: at headings and blank lines. Passages are ranked by the words they share with the question, rare words
counting more (BM25). Invariant: a passage is a run of whole lines of its file, so that it can be cited by path and line.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct

MOST_LINES = 24
LEAST_CHARACTERS = 240
"""A shorter piece is joined with what follows it."""
_HEADING = re.compile(r"#{1,6} +(.+?)#* *$")
_WORD = re.compile(r"[^\W_]+")
_K1, _B = 1.2, 0.75
_TITLE_WEIGHT = 2


class Passage(Struct, frozen=True):
    """Lines `first` to `last` (from 1) of the file `path`; `title` is the heading they stand under."""

    path: str
    first: int
    last: int
    title: str
    text: str


def cut(path: str, text: str) -> Iterator[Passage]:
    """The passages of a text, in order; blank ones left out."""
    lines = text.splitlines()
    held: list[str] = []
    title, first = "", 1
    for number, line in enumerate(lines, 1):
        heading = _HEADING.fullmatch(line)
        pause = not line.strip() and sum(len(one) for one in held) >= LEAST_CHARACTERS
        if heading or pause or len(held) >= MOST_LINES:
            yield from _made(path, first, held, title)
            held, first = [], number
        if heading:
            title = heading[1].strip()
        held.append(line)
    yield from _made(path, first, held, title)


def _made(path: str, first: int, lines: list[str], title: str) -> Iterator[Passage]:
    while lines and not lines[0].strip():
        lines, first = lines[1:], first + 1
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    if lines:
        yield Passage(path, first, first + len(lines) - 1, title, "\n".join(lines))


def words(text: str) -> list[str]:
    """The words of a text, small, without the endings that only say how many."""
    return [_stem(word) for word in _WORD.findall(text.casefold())]


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


class Index:
    """Passages by their words."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._passages = list(passages)
        self._holding: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._sizes: list[int] = []
        for number, one in enumerate(self._passages):
            counts = Counter(words(one.text))
            counts.update(dict.fromkeys(words(f"{one.path} {one.title}"), _TITLE_WEIGHT))
            self._sizes.append(counts.total())
            for word, count in counts.items():
                self._holding[word].append((number, count))
        self._mean = sum(self._sizes) / max(1, len(self._sizes))

    def __len__(self) -> int:
        return len(self._passages)

    def about(self, question: str, most: int) -> list[Passage]:
        """Those that have most to do with the question, the best first; none that shares no word with it."""
        scores: defaultdict[int, float] = defaultdict(float)
        for word in dict.fromkeys(words(question)):
            holding = self._holding.get(word, ())
            rare = math.log(1 + (len(self._passages) - len(holding) + 0.5) / (len(holding) + 0.5))
            for number, count in holding:
                length = 1 - _B + _B * self._sizes[number] / self._mean
                scores[number] += rare * count * (_K1 + 1) / (count + _K1 * length)
        best = sorted(scores, key=lambda number: (-scores[number], number))
        return [self._passages[number] for number in best[:most]]
