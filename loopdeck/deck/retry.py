"""Again from an earlier iteration: a new run that goes on where another run was after iteration N.

It begins on the commit of that iteration, with the state as it was written then and the findings that were open then; its loop is the
one that was frozen for the other run, so that only what follows differs. What it spends is its own. The other run stays as it is.
"""

from datetime import UTC, datetime

from msgspec import structs

from loopdeck.deck.decks import Deck
from loopdeck.deck.differences import state_text
from loopdeck.deck.history import HistoryReader
from loopdeck.deck.launch import begin, stamped
from loopdeck.deck.passes import History, Pass
from loopdeck.deck.view import RunView
from loopdeck.errors import StoreError, UsageError
from loopdeck.git.base import resolve_base
from loopdeck.store.frozen import Origin, thaw
from loopdeck.store.layout import RunPaths, claim_run
from loopdeck.store.state import LoopState, StateClash

_TRIES = 5


def retry(deck: Deck, paths: RunPaths, iteration: int, by: str) -> RunPaths:
    """Start a run that goes on from `iteration` of the run at `paths`; returns at once, as `launch.start` does.

    The loop's state becomes what it was then, in the operator's name; what it is now stays among its versions.

    Raises UsageError, having changed nothing, while that run is at work, or if there is no such finished iteration, StoreError.
    """
    _refuse_live(deck.view(paths))
    history = HistoryReader(paths).look()
    chosen = _finished(history, iteration)
    state = state_text(deck, paths, chosen.state_after)
    if state is None:
        raise UsageError(f"the state after iteration {iteration} is not kept any more", where=paths.run)
    commit = chosen.iteration.commit
    resolve_base(deck.repo, commit)
    run, old, now = history.run, thaw(paths.dir), datetime.now(UTC)
    origin = Origin(run.id, iteration, run.base, commit, chosen.findings)
    new = claim_run(deck.home, paths.loop, now)
    frozen = structs.replace(
        old, run=new.run, root=str(deck.root), common_dir=str(deck.repo.common_dir), created=stamped(now), by=by, origin=origin
    )
    begin(new, frozen, lambda: _put_back(deck, paths, state, f"retry-{run.id}-i{iteration}"))
    return new


def _refuse_live(one: RunView) -> None:
    """A run at work would go on beside its own retry, with the same state. One that stands still may stay so."""
    if one.status in ("ended", "paused"):
        return
    remedy = f"End it, `loopdeck kill {one.run.id}`, or have it stand still: `loopdeck pause {one.run.id}`."
    raise UsageError(f"the run is still going on: {one.status}", where=one.run.id, remedy=remedy)


def _finished(history: History, iteration: int) -> Pass:
    chosen = history.at(iteration)
    if chosen is not None and chosen.over and chosen.iteration.commit and chosen.state_after:
        return chosen
    there = [str(one.number) for one in history.passes if one.over and one.iteration.commit]
    run = history.run
    start = f"Start the loop anew: `loopdeck start {run.loop}`."
    raise UsageError(
        f"iteration {iteration} was not finished" if chosen is not None else f"it has no iteration {iteration}",
        where=run.id,
        remedy=f"There is {', '.join(there)}." if there else f"It has finished none. {start}",
    )


def _put_back(deck: Deck, paths: RunPaths, text: str, note: str) -> None:
    """Make `text` the loop's state. Raises StoreError."""
    state = LoopState(deck.home.state_dir(paths.loop))
    for _ in range(_TRIES):
        try:
            state.write(text, "operator", note, state.read().hash)
        except StateClash:
            continue
        return
    raise StoreError("the state is being written by somebody else all the time", where=str(state.path), remedy="Try again.")
