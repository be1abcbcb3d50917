"""`loopdeck state`: a loop's memory, read and edited by hand, also while a run is going on.

Invariant: nobody's text is lost. What was typed is saved only if it fits to what is on disk now; else both are kept and named.
"""

import argparse
from collections import Counter

from loopdeck.cli import here, out
from loopdeck.core.plural import some
from loopdeck.deck import stating
from loopdeck.deck.decks import Deck
from loopdeck.errors import StoreError, UsageError
from loopdeck.store.state import LoopState, Version

_SHOWN = 40


def run(options: argparse.Namespace) -> int:
    """Print it, its history, or open it in an editor."""
    deck = here.deck()
    loop = _known(deck, options.loop)
    state = LoopState(deck.home.state_dir(loop))
    if options.board:
        return _board(deck, loop, options.json)
    if options.history:
        return _history(loop, state, options.json)
    now = state.peek()
    text = stating.initial(deck, loop) if now is None else now.text
    if options.edit:
        from loopdeck.cli.edit import edit

        return edit(deck, loop, LoopState(deck.home.state_dir(loop), initial=text), as_json=options.json)
    if options.json:
        out.document(
            {"loop": loop, "path": str(state.path), "exists": now is not None, "hash": now.hash if now else None, "text": text}
        )
        return 0
    out.say(text.rstrip("\n"))
    if now is None:
        out.warn(f"(not on disk yet: the first run begins with this; `loopdeck state {loop} --edit` changes it before)")
    return 0


def _board(deck: Deck, loop: str, as_json: bool) -> int:
    """The items of the state, as open, in progress and done."""
    from loopdeck.deck.project import lines, project

    found = project((deck,), (0, loop))
    if found.trouble:
        raise StoreError(found.trouble[0], where=str(deck.home.state_dir(loop)))
    if as_json:
        keys = ("text", "place", "heading", "line", "depth")
        said = [{key: getattr(one.item, key) for key in keys} for one in found.cards]
        out.document({"loop": loop, "items": said})
        return 0
    for line in lines(found):
        out.say(line)
    return 0


def _known(deck: Deck, loop: str) -> str:
    """`loop`, if there are files, runs or a state of it. Raises UsageError with the nearest name."""
    known = tuple(dict.fromkeys((*deck.loops(), *deck.home.loops())))
    if loop in known:
        return loop
    from loopdeck.core.tables import nearest

    there = f"Loops here: {', '.join(known)}." if known else "There are none yet; make one with `loopdeck new NAME`."
    raise UsageError(f"there is no loop '{loop}'", where=str(deck.root), remedy=nearest(loop, known) or there)


def _history(loop: str, state: LoopState, as_json: bool) -> int:
    versions = state.history()
    changes = _changes(state, versions)
    if as_json:
        entries = [
            {
                "number": one.number, "at": one.at, "author": one.author, "note": one.note, "kept": one.kept, "path": str(one.path),
                "added": added, "removed": removed,
            }
            for one, (added, removed) in zip(versions, changes, strict=True)
        ]  # fmt: skip
        out.document({"loop": loop, "path": str(state.path), "versions": entries})
        return 0
    if not versions:
        out.say("No versions yet: the first run makes the first.")
        return 0
    rows = [
        [str(one.number), one.at, one.author, f"+{added} -{removed}", one.note + (" (never was the state)" if one.kept else "")]
        for one, (added, removed) in zip(versions, changes, strict=True)
    ]
    if len(rows) > _SHOWN:
        out.say(f"{some(len(rows) - _SHOWN, 'earlier version is', 'earlier versions are')} not shown; `--json` has them all")
    out.table(("n", "when", "author", "lines", "note"), rows[-_SHOWN:])
    out.say(f"\nEach is a file in {versions[-1].path.parent}")
    return 0


def _changes(state: LoopState, versions: list[Version]) -> list[tuple[int, int]]:
    """Of each version, how many lines it has more and less than the state before it."""
    before: Counter[str] = Counter()
    changes: list[tuple[int, int]] = []
    for one in versions:
        lines = Counter(state.version(one.path.name).splitlines())
        changes.append(((lines - before).total(), (before - lines).total()))
        if not one.kept:
            before = lines
    return changes
