"""What two iterations left behind, looked up: the loop's state as text, and the commits' diff.

Reads files and asks git, for a worker: never on the UI thread. What can't be found any more (a state that was cleaned up, a commit that
git has collected) is said in words beside what can.
"""

import hashlib

from msgspec import Struct

from loopdeck.core import memory
from loopdeck.deck.compare import lines_between
from loopdeck.deck.decks import Deck
from loopdeck.deck.passes import History, Pass
from loopdeck.errors import StoreError, WorkspaceError
from loopdeck.git import diff as diffs
from loopdeck.store.blobs import Blobs
from loopdeck.store.layout import RunPaths
from loopdeck.store.state import LoopState

MOST_BYTES = 1 << 20
"""Of a diff; more than this nobody reads on a terminal."""


class Differences(Struct, frozen=True, eq=False):
    """What lies between two iterations.

    `state` is a unified diff of STATE.md as maker and operator wrote it (the checks' block only repeats the verdicts), `patch` the
    lines of the commits' diff, `cut` says that it goes on. `block` says that the checks' block of the state is another one, `missing`
    what could not be looked up, and why.
    """

    state: tuple[str, ...]
    changes: tuple[diffs.Change, ...]
    patch: tuple[str, ...]
    cut: bool = False
    missing: tuple[str, ...] = ()
    block: bool = False


def differences(deck: Deck, paths: RunPaths, history: History, before: int, after: int) -> Differences:
    """What iteration `after` changed against `before` (0: the run's beginning). Raises StoreError if the system refuses."""
    old, now = history.at(before), history.at(after)
    missing: list[str] = []
    texts = [_state(deck, paths, one, history, missing) for one in (old, now)]
    was, is_ = (None if text is None else memory.without_block(text) for text in texts)
    state = lines_between(was, is_) if was is not None and is_ is not None else ()
    blocks = [memory.block_of(text) for text in texts if text is not None]
    block = len(set(blocks)) > 1
    base = history.run.base
    first, second = (old.iteration.commit or base) if old else base, now.iteration.commit if now else ""
    if not first or not second:
        return Differences(state, (), (), missing=(*missing, "the later iteration has no commit yet"), block=block)
    try:
        changes = diffs.changed(deck.repo, first, second)
        patch = diffs.patch(deck.repo, first, second, limit_bytes=MOST_BYTES)
    except WorkspaceError as error:
        return Differences(
            state, (), (), missing=(*missing, f"git can't compare {first[:12]} and {second[:12]}: {error.what}"), block=block
        )
    return Differences(state, changes, tuple(patch.text.splitlines()), patch.cut, tuple(missing), block)


def _state(deck: Deck, paths: RunPaths, one: Pass | None, history: History, missing: list[str]) -> str | None:
    """The state as `one` left it, or, before the first, as the run found it; None, and why, if it is gone."""
    if one is None:
        hash_ = history.passes[0].iteration.state_hash if history.passes else ""
        what = "the state before the first iteration"
    else:
        hash_ = one.state_after
        what = f"the state after iteration {one.number}"
    if not hash_:
        missing.append(f"{what} is not written yet")
        return None
    text = state_text(deck, paths, hash_)
    if text is None:
        missing.append(f"{what} ({hash_[:12]}) is not kept any more")
    return text


def state_text(deck: Deck, paths: RunPaths, hash_: str) -> str | None:
    """The state of that hash, from the run's blobs or the loop's versions; None if neither has it. Raises StoreError."""
    try:
        return Blobs(paths.blobs).get(hash_).decode("utf-8", "replace")
    except StoreError:
        pass
    state = LoopState(deck.home.state_dir(paths.loop))
    # The versions this run wrote say so in their names: of thousands, a few have to be looked at.
    named = sorted(state.history(), key=lambda one: (paths.run not in one.note, -one.number))
    for one in named:
        text = state.version(one.path.name)
        if hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() == hash_:
            return text
    return None
