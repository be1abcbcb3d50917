"""A run merged into the operator's branch: prepared, checked on the very tree that will be there, and only then made.

Invariant: what the checks saw is what is merged, as one commit, or nothing is. Checks are those that were frozen when the run started;
those of a model are not asked again, and must have passed in the run.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from loopdeck.checks.furnish import furnish
from loopdeck.checks.port import ChangedPath, CheckContext
from loopdeck.checks.registry import make_check
from loopdeck.cli import here
from loopdeck.core.findings import Verdict, at_least
from loopdeck.core.run import Run
from loopdeck.core.spec import CheckSpec
from loopdeck.deck.decks import Deck
from loopdeck.deck.review import is_policy
from loopdeck.deck.unread import refuse_above_cap
from loopdeck.deck.view import RunView
from loopdeck.errors import LoopdeckError, UsageError
from loopdeck.git import diff, worktrees
from loopdeck.git import merge as merges
from loopdeck.git.checkout import CleanCheckout
from loopdeck.git.pool import Pool
from loopdeck.git.tree import trailers
from loopdeck.sandbox.choice import Ground, door_for
from loopdeck.sandbox.environment import environment
from loopdeck.store.deckfiles import loop_dir
from loopdeck.store.frozen import Frozen, thaw
from loopdeck.store.layout import RunPaths
from loopdeck.store.locks import Mutex
from loopdeck.store.loopfolder import REPORT, STATE, LoopFolder
from loopdeck.store.state import LoopState

_PATIENCE_S = 5.0
_PATCH_BYTES = 200_000


class Merged(Struct, frozen=True):
    """A merge: `commit` is empty if a check stood in the way. `trusted` are required checks that were not asked again."""

    branch: str
    into: str
    commit: str
    verdicts: tuple[Verdict, ...]
    trusted: tuple[str, ...]

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The checks that stood in the way."""
        return tuple(one for one in self.verdicts if not one.passed)


def merge_run(deck: Deck, one: RunView, paths: RunPaths, told: Callable[[Verdict], object] = lambda _: None) -> Merged:
    """Merge the run's branch into the branch that the operator is on, if its required checks pass there.

    Each verdict is `told` as soon as it is there.

    Raises UsageError if the run isn't one to merge, WorkspaceError if the checkout or the branches aren't; then nothing was changed.
    """
    run = one.run
    _refuse_run(one)
    refuse_above_cap(deck)
    frozen = thaw(paths.dir)
    again, trusted = _required(run, frozen)
    with Mutex(deck.home.locks / "merge").held(_PATIENCE_S):
        planned = merges.preview(deck.repo, run.branch, _message(run, frozen))
        if planned.tip == run.base:
            raise UsageError("the run has changed nothing, so there is nothing to merge", where=run.id)
        merges.refuse(deck.repo, planned)
        _refuse_policy(run, planned)
        with _scratch(deck, paths, planned) as checkout:
            verdicts = asyncio.run(_telling(_graded(deck, one, frozen, planned, checkout, again), told))
        done = Merged(run.branch, planned.into, "", verdicts, trusted)
        if done.failed:
            return done
        return Merged(run.branch, planned.into, merges.merge(deck.repo, planned), verdicts, trusted)


def _refuse_run(one: RunView) -> None:
    run = one.run
    if one.damage:
        raise UsageError("its journal is damaged, so what it says can't be relied on", where=run.id, remedy=f"See {one.dir}.")
    if one.status != "ended" or one.live:
        remedy = f"Wait for its end, or end it: `loopdeck kill {run.id}`."
        raise UsageError(f"the run is still going on: {one.status}", where=run.id, remedy=remedy)
    if not run.branch:
        raise UsageError("the run ended before it had a branch", where=run.id, remedy="Start another with `loopdeck start`.")


def _required(run: Run, frozen: Frozen) -> tuple[list[CheckSpec], tuple[str, ...]]:
    """The required checks to be run again, and those to be trusted. Raises UsageError if one of a model's had not passed."""
    required = [check for check in frozen.spec.checks if at_least(check.severity, run.settings.severity_floor)]
    kept = next((one for one in run.iterations if one.number == run.best), run.current)
    outcomes = kept.outcomes if kept is not None else {}
    for check in required:
        if check.rubric is not None and outcomes.get(check.name) != "passed":
            said = outcomes.get(check.name, "not run")
            remedy = f"Start the loop again, or merge by hand: `git merge {run.branch}`."
            raise UsageError(f"the check '{check.name}' had not passed in the run: {said}", where=run.id, remedy=remedy)
    again = [check for check in required if check.rubric is None and not check.human]
    return again, tuple(check.name for check in required if check not in again)


def _refuse_policy(run: Run, planned: merges.MergePreview) -> None:
    """A change of `.loopdeck/` would change what loops may do: it is not merged by a verb that shows nothing of it."""
    touched = [path for path in planned.files if is_policy(path)]
    if touched:
        raise UsageError(
            f"the branch changes what loops are and may do: {', '.join(touched[:5])}",
            where=run.id,
            remedy=f"Look at it with `loopdeck diff {run.id}`; if you want it, merge by hand: `git merge {run.branch}`.",
        )


def _message(run: Run, frozen: Frozen) -> str:
    goal = " ".join(frozen.spec.goal.split())[:200]
    return f"Merge {run.branch}\n\n{goal}\n\n{trailers(run.loop, run.id, run.best or run.iteration)}\n"


@contextmanager
def _scratch(deck: Deck, paths: RunPaths, planned: merges.MergePreview) -> Iterator[CleanCheckout]:
    """A clean checkout of the merge, gone afterwards."""
    home = deck.home
    place = home.worktrees / f"{paths.loop}-{paths.run}.merge"
    pool = Pool(home.worktrees / ".pool", Mutex(home.locks / "worktrees").held)
    # What a merge left that was killed; nobody else is at it, since the lock is ours.
    worktrees.clear(deck.repo, place, "", "")
    sparse = thaw(paths.dir).spec.workspace.sparse
    checkout = CleanCheckout.create(deck.repo, place, planned.commit, sparse=sparse, pool=pool)
    try:
        yield checkout
    finally:
        checkout.close(pool)


async def _graded(
    deck: Deck, one: RunView, frozen: Frozen, planned: merges.MergePreview, checkout: CleanCheckout, checks: list[CheckSpec]
) -> AsyncIterator[Verdict]:
    """What `checks` say of the merge, one after the other."""
    spec = frozen.spec
    env = environment(os.environ, spec.sandbox.env, str(Path(sys.executable).parent), frozen.loop)
    # Who merges is there and has read the work; without a sandbox `doctor` says so, and so did the run.
    door = (await door_for(spec, Ground(deck.repo, deck.home.path, checkout.path, env), f"{frozen.run}-merge")).door
    await furnish(checkout.worktree, spec.workspace, door, env, checkout)
    checkout.reset_to(planned.commit, protect=spec.workspace.protect, base=planned.head, changes=planned.changes)
    state = LoopState(deck.home.state_dir(frozen.loop)).peek()
    folder, made = LoopFolder(checkout.path), LoopFolder(Path(one.run.worktree)).read(REPORT)
    for name, shown in ((STATE, state.text if state else None), (REPORT, made)):
        if shown is not None:
            folder.write(name, shown)
    changed = tuple(ChangedPath(each.path, each.added, each.removed) for each in planned.changes)
    patch = diff.patch(deck.repo, planned.head, planned.commit, limit_bytes=_PATCH_BYTES).text
    text = state.text if state else ""
    context = CheckContext(
        checkout.path, deck.root, loop_dir(deck.root, frozen.loop), door, env, spec.goal, text, one.run.iteration, changed, patch, "",
        None, here.now(),
    )  # fmt: skip
    try:
        for check in checks:
            yield (await make_check(check).run(check, context))[0]
    finally:
        door.close()


async def _telling(verdicts: AsyncIterator[Verdict], told: Callable[[Verdict], object]) -> tuple[Verdict, ...]:
    found = []
    async for verdict in verdicts:
        told(verdict)
        found.append(verdict)
    return tuple(found)


class NotMerged(LoopdeckError):
    """A check did not pass on the merged tree; nothing was changed."""
