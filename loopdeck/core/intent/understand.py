"""Reading the sentence: each rule takes the words it understands, in turn; what no rule took is named.

Deterministic, and it never guesses: a word is heard once, by the first rule that has a meaning for it.
"""

import re

from loopdeck.core.intent.caps import CAPS
from loopdeck.core.intent.draft import Draft, Kind, Part, Rule
from loopdeck.core.intent.facts import Facts
from loopdeck.core.intent.grading import BOUNDS, CHECKS
from loopdeck.core.intent.wish import Missed, Wish

MOST = 1000
"""Characters of a sentence that are read; what is over that is named as not understood."""

_WORDS = """
a an the and or but then until till when once while so that make makes sure please also with it its is are be to of do
does stop stops finish end ends keep going go work works working loop run runs done i we you want wants should must
need needs have has all if as soon in for ensure everything get let just only both than total overall per on at by not
more my our this there repeat again try trying will would like check checks checked graded grade goal task still really
always each every whole thing finished such after before
"""
_FILLING = frozenset(_WORDS.split())
"""Words that mean nothing by themselves."""
_BREAKS = re.compile(r"[,;!?\n]+|\.(?=\s|$)|\b(?:and|but|then|so that)\b", re.IGNORECASE)
_SEAM = re.compile(r"(?:[\s,;.]|\b(?:and|but|or|then|with|within)\b)*\0(?:[\s,;\0]|\b(?:and|but|or|then)\b)*", re.IGNORECASE)
"""Where something was taken out, with what joined it to the rest."""
_UNMEASURED = "no check came of it; it stays in the goal, as words for the maker"


def understand(sentence: str, facts: Facts) -> Wish:
    """The wish that `sentence` holds, in a repository that shows `facts`."""
    text = " ".join(sentence.replace("’", "'").replace("“", '"').replace("”", '"').split())
    over, text = text[MOST:], text[:MOST]
    draft = Draft(facts)
    heard: list[_Heard] = []
    for one in (*CHECKS, *CAPS, *BOUNDS):
        heard += _heard(one, text, draft, heard)
    heard.sort(key=lambda one: one.start)
    missed = [*draft.missed, *_left(text, heard)]
    if over:
        missed.append(Missed(over[:80], f"a sentence is read up to {MOST} characters"))
    told = tuple((text[one.start : one.end], one.meaning) for one in heard if one.meaning)
    return Wish(
        goal=_goal(text, heard),
        checks=draft.made_checks,
        caps=draft.made_caps,
        protect=draft.made_protect,
        every_s=draft.every_s,
        cron=draft.cron,
        heard=told,
        missed=tuple(missed),
    )


class _Heard:
    """Words from `start` to `end` that a rule took."""

    __slots__ = ("end", "kind", "meaning", "start")

    def __init__(self, start: int, end: int, kind: Kind, meaning: str) -> None:
        self.start, self.end, self.kind, self.meaning = start, end, kind, meaning


def _heard(one: Rule, text: str, draft: Draft, before: list[_Heard]) -> list[_Heard]:
    taken: list[_Heard] = []
    at = 0
    while match := one.pattern.search(text, at):
        # Paths take in every word they can; what another rule has heard is none of theirs.
        end = _first_clash(match, [*before, *taken])
        cut = match if end is None else one.pattern.match(text, match.start(), end)
        draft.at = match.start()
        meaning = one.means(draft, cut) if cut is not None and cut.start() < cut.end() else None
        if cut is None or meaning is None:
            at = match.start() + 1
            continue
        start, end = cut.span()
        if isinstance(meaning, Part):
            meaning, end = meaning
        if isinstance(meaning, Missed):
            draft.missed.append(meaning)
            meaning = ""
        taken.append(_Heard(start, end, one.kind, meaning))
        at = end
    return taken


def _first_clash(match: "re.Match[str]", heard: list[_Heard]) -> int | None:
    """Where the match runs into what was heard before; its own start if it begins in there, None if it doesn't run into anything."""
    starts = [max(each.start, match.start()) for each in heard if each.start < match.end() and match.start() < each.end]
    return min(starts, default=None)


def _left(text: str, heard: list[_Heard]) -> list[Missed]:
    """What nobody took, clause by clause; clauses of filling words alone are left out."""
    pieces = (piece.strip(" -–—:") for start, end in _gaps(text, heard) for piece in _BREAKS.split(text[start:end]))
    return [Missed(piece, _UNMEASURED) for piece in pieces if any(_plain(word) not in _FILLING for word in piece.split())]


def _gaps(text: str, heard: list[_Heard]) -> list[tuple[int, int]]:
    ends = [0, *(one.end for one in heard)]
    starts = [*(one.start for one in heard), len(text)]
    return [(end, start) for end, start in zip(ends, starts, strict=True) if end < start]


def _plain(word: str) -> str:
    return word.strip(".,;:!?()\"'`-–—…").lower()


def _goal(text: str, heard: list[_Heard]) -> str:
    """The sentence without its caps and schedule; nothing if it says nothing else."""
    kept, at = "", 0
    for one in heard:
        if one.kind in ("cap", "filling"):
            kept, at = kept + text[at : one.start] + "\0", one.end
    kept += text[at:]
    kept = _SEAM.sub(", ", kept)
    kept = re.sub(r"\s*,\s*(?=[.!?;])", "", kept).strip(" ,;:")
    kept = re.sub(r"^(?:and|but|or|then|until|so)\s+", "", kept, flags=re.IGNORECASE)
    kept = re.sub(r"[\s,;]+(?:and|but|or|then|until|with|within)?$", "", kept, flags=re.IGNORECASE).strip(" ,;:.")
    if all(_plain(word) in _FILLING for word in kept.split()):
        return ""
    begins = re.match(r"[a-z]+(?=[\s,.']|$)", kept)
    return (kept[0].upper() + kept[1:] if begins else kept) + ("" if kept[-1] in "!?" else ".")
