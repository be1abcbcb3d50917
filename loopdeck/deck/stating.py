"""A loop's state as an operator works on it: opened, saved without losing anybody's words, its history.

Invariant: what a person typed is either the state, or kept among its versions, or still in the hands of the caller, who is told which.
"""

from contextlib import suppress
from difflib import unified_diff

from msgspec import Struct

from loopdeck.core import memory
from loopdeck.core.memory import block_of, without_block
from loopdeck.core.merge3 import Conflict, merge3
from loopdeck.deck.decks import Deck
from loopdeck.errors import LoopdeckError
from loopdeck.store.state import LoopState, StateClash, StateText, Version

_TRIES = 20


class Opened(Struct, frozen=True):
    """A state to work on: as it is now, whether it is on disk yet, and every version there was, oldest first."""

    now: StateText
    exists: bool
    versions: tuple[Version, ...] = ()


class Saved(Struct, frozen=True):
    """What came of saving: the state before and after; `merged` says that others' changes are in it as well as what was typed."""

    old: StateText
    new: StateText
    merged: bool = False


class Clashed(Struct, frozen=True):
    """It was not saved: others changed the same lines. `now` is theirs; `version` names the file that keeps what was typed."""

    now: StateText
    version: str = ""


def folder(deck: Deck, loop: str, text: str = "") -> LoopState:
    """The state of `loop`; `text` is what it begins with."""
    return LoopState(deck.home.state_dir(loop), initial=text)


def opened(deck: Deck, loop: str) -> Opened:
    """The state to look at or to edit; nothing is made by it. Raises StoreError."""
    state = folder(deck, loop)
    now = state.peek()
    if now is not None:
        return Opened(now, True, tuple(state.history()))
    return Opened(StateText(initial(deck, loop), ""), False)


def initial(deck: Deck, loop: str) -> str:
    """What the state of a loop that has not run yet starts from."""
    # Only before the first run: what a loop file means takes a while to import.
    from loopdeck.store import specs

    reading = specs.load_loop(deck.root, loop)
    goal = reading.spec.goal if reading.spec is not None else ""
    return specs.initial_state(deck.root, loop) or memory.initial(loop, goal)


def save(state: LoopState, before: StateText, typed: str, by: str) -> Saved:
    """Make `typed`, which was made of `before`, the state; what others wrote meanwhile is merged in.

    Raises StateClash if they changed the same place, and StoreError; then nothing was changed.
    """
    text, seen = typed, before
    for tried in range(_TRIES):
        try:
            return Saved(seen, state.write(text, "operator", by, seen.hash), merged=tried > 0)
        except StateClash as clash:
            seen = clash.current
            merged = merge3(without_block(before.text), without_block(typed), without_block(seen.text))
            if isinstance(merged, Conflict):
                raise
            block = block_of(seen.text)
            text = f"{merged.rstrip(chr(10))}\n\n{block}" if block else merged
    raise StateClash(state.path, seen)


def save_or_keep(deck: Deck, loop: str, before: Opened, typed: str, by: str) -> Saved | Clashed:
    """As `save`; where it clashes, what was typed is kept among the versions. Raises StoreError."""
    state = folder(deck, loop, before.now.text)
    start = before.now if before.exists else state.read()
    try:
        return save(state, start, typed, by)
    except StateClash as clash:
        version = ""
        with suppress(LoopdeckError):
            version = state.keep_version(typed, "operator", by)
        return Clashed(clash.current, version)


def difference(old: str, new: str, *, before: str = "before", now: str = "now") -> tuple[str, ...]:
    """A unified diff, line by line without line ends; empty if they are the same."""
    return tuple(line.rstrip("\n") for line in unified_diff(old.splitlines(True), new.splitlines(True), before, now))


def change_of(deck: Deck, loop: str, versions: tuple[Version, ...], which: Version) -> tuple[str, tuple[str, ...]]:
    """The text of a version, and what it changed in the state before it. Raises StoreError."""
    state = folder(deck, loop)
    earlier = [one for one in versions if one.number < which.number and not one.kept]
    text = state.version(which.path.name)
    was = state.version(earlier[-1].path.name) if earlier else ""
    return text, difference(was, text, before=f"version {earlier[-1].number}" if earlier else "nothing", now=f"version {which.number}")
