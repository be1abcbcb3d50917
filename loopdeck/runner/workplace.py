"""Where the work is done: the run's worktree and branch, and the clean checkout its checks run on.

Both are made once, by the same recipe (copies, links, setup). Git is slow compared with everything else here, so it runs in a thread
while the runner goes on listening.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from msgspec import structs

from loopdeck.checks.furnish import furnish
from loopdeck.checks.port import ChangedPath
from loopdeck.core import events as ev
from loopdeck.core.graders import graders
from loopdeck.core.harness import BASE_DIGEST
from loopdeck.core.run import Run
from loopdeck.core.spec import LoopSpec
from loopdeck.errors import WorktreeLost
from loopdeck.git import locks, tree
from loopdeck.git.admin import Worktree, open_worktree, verify
from loopdeck.git.base import resolve_base
from loopdeck.git.checkout import CleanCheckout
from loopdeck.git.diff import Change, changed, patch
from loopdeck.git.mending import mend
from loopdeck.git.pool import Pool
from loopdeck.git.refs import keep_ref, tip, trees_of
from loopdeck.git.repository import Repository
from loopdeck.git.worktrees import clear, create
from loopdeck.sandbox.port import Door
from loopdeck.store.frozen import Origin
from loopdeck.store.loopfolder import NAME, REPORT, STATE, LoopFolder

_PATCH_BYTES = 200_000


class Workplace:
    """The worktrees of one run."""

    def __init__(self, repo: Repository, spec: LoopSpec, path: Path, pool: Pool, door: Door, env: Mapping[str, str]) -> None:
        self.repo = repo
        self._spec = spec
        self.path = path
        self._pool = pool
        self._door = door
        self._env = env
        self._clean: CleanCheckout | None = None
        self._clean_at = ""
        self._changes: tuple[str, tuple[Change, ...]] = ("", ())

    @property
    def check_path(self) -> Path:
        """Where the clean checkout is."""
        return self.path.with_name(self.path.name + ".check")

    @cached_property
    def worktree(self) -> Worktree:
        """The run's worktree. Raises WorkspaceError if it is gone."""
        return open_worktree(self.repo, self.path)

    async def prepare(self, branch: str, *, again: bool = False, origin: Origin | None = None) -> ev.WorkspacePrepared:
        """Make branch and worktree, provided with all the loop file asks for. Raises WorkspaceError.

        A retry begins at its origin's commit. Its base is that of its origin: all that a merge would bring is what the run changed.
        `again`: an earlier life of the runner may have died over it; what it left has no work in it yet and is cleared away.
        """
        wanted = self._spec.workspace
        if again:
            await asyncio.to_thread(lambda: clear(self.repo, self.path, branch, tip(self.repo, branch) or ""))
        start = await asyncio.to_thread(resolve_base, self.repo, wanted.base if origin is None else origin.commit)
        made = await asyncio.to_thread(
            lambda: create(self.repo, self.path, branch, start.commit, sparse=wanted.sparse, pool=self._pool)
        )
        self.worktree = made
        notices = await self._provide(made)
        prepared = ev.WorkspacePrepared(str(self.path), branch, start.commit, (*start.notices, *notices))
        return prepared if origin is None else structs.replace(prepared, base=origin.base, start=start.commit)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """The worktree in the maker's hands, for the time of a call: a lock that a git of its leaves there is the run's own."""
        git_dir = self.worktree.git_dir
        with locks.noted(git_dir) as call:
            try:
                yield
            finally:
                locks.left_by(git_dir, call)

    def lost(self, run: Run) -> WorktreeLost | None:
        """What is wrong with the run's worktree, if it is not where and what it was."""
        try:
            self.see_to(run)
        except WorktreeLost as error:
            return error
        return None

    def see_to(self, run: Run) -> None:
        """Raise WorktreeLost unless the run's worktree, if it has one by now, is where and what it was. Costs some looks at files."""
        if run.worktree:
            verify(self.worktree)

    async def mend(self, run: Run) -> tuple[str, ...]:
        """See to it that the worktree is there and whole; gives what is to be told. Raises WorktreeLost if it can't be had."""
        if not run.worktree or self.lost(run) is None:
            return ()
        self.__dict__.pop("worktree", None)
        sparse = self._spec.workspace.sparse
        mended = await asyncio.to_thread(lambda: mend(self.repo, self.path, run.branch, run.commit, sparse=sparse, pool=self._pool))
        notices = await self._provide(mended.worktree) if mended.anew else ()
        self.worktree = mended.worktree
        return (*mended.notices, *notices)

    async def commit(self, run: Run, report: str) -> ev.WorkCommitted:
        """Commit what the maker left. The digest stands for the work as a whole, a report-only maker's report included."""
        message = f"{run.loop}: iteration {run.iteration}\n\n{tree.trailers(run.loop, run.id, run.iteration)}"

        def work() -> tuple[tree.Committed, str]:
            made = tree.commit_all(
                self.worktree, message, exclude=(NAME,), protect=self._spec.workspace.protect, base=run.base, tip=run.commit
            )
            if made.since_base is not None:
                self._changes = (made.commit, made.since_base)
            if made.commit == run.base:
                return made, ""
            content, before = trees_of(self.repo, (made.commit, run.base))
            return made, "" if content == before else content

        made, content = await asyncio.to_thread(work)
        graders = await asyncio.to_thread(lambda: self._changed_graders(run.base, made))
        if report:
            content = hashlib.sha256(f"{content}\0{report}".encode("utf-8", "replace")).hexdigest()
        return ev.WorkCommitted(
            made.commit, content or BASE_DIGEST, made.empty, len(made.changes), made.added, made.removed, made.protected_changed,
            made.problems, graders=graders,
        )  # fmt: skip

    def _changed_graders(self, base: str, made: tree.Committed) -> tuple[tuple[str, str], ...]:
        """Programs of checks that were there at the base and are not what they were, each with its check."""
        programs = graders(self._spec)
        if not programs or made.commit == base:
            return ()
        commit, known = self._changes
        since = known if commit == made.commit else changed(self.repo, base, made.commit)
        return tuple((one.path, programs[one.path]) for one in since if one.path in programs and one.kind != "A")

    async def clean_checkout(self, run: Run) -> Path:
        """The clean checkout, at the run's commit. The loop folder's state and report are laid beside the work, to be read."""
        if self._clean is not None and self._clean.is_lost:
            # Our own scratch: nobody is to be asked for that.
            self._clean, self._clean_at = None, ""
        if self._clean is None:
            self._clean = await self._make_clean(run)
        if self._clean_at != f"{run.iteration} {run.commit}":
            clean, protect = self._clean, self._spec.workspace.protect
            await asyncio.to_thread(lambda: clean.reset_to(run.commit, protect=protect, base=run.base, changes=self._changed(run)))
            self._show_loop_folder(clean.path)
            self._clean_at = f"{run.iteration} {run.commit}"
        return self._clean.path

    async def changes(self, run: Run) -> tuple[tuple[ChangedPath, ...], str]:
        """All that the run changed against its base, as paths and as a diff."""

        def work() -> tuple[tuple[ChangedPath, ...], str]:
            paths = tuple(ChangedPath(one.path, one.added, one.removed) for one in self._changed(run))
            return paths, patch(self.repo, run.base, run.commit, limit_bytes=_PATCH_BYTES).text

        return await asyncio.to_thread(work)

    def _changed(self, run: Run) -> tuple[Change, ...]:
        """The paths in which the run's commit differs from its base: the commit has told, unless an earlier life made it."""
        if run.commit == run.base:
            return ()
        commit, changes = self._changes
        return changes if commit == run.commit else changed(self.repo, run.base, run.commit)

    async def keep_best(self, run: Run, commit: str) -> None:
        """Put the branch at `commit`; what came after it stays reachable. Raises WorkspaceError."""

        def work() -> None:
            keep_ref(self.repo, f"{run.loop}/{run.id}/last", run.commit)
            tree.move_branch(self.worktree, commit)

        await asyncio.to_thread(work)

    def let_go(self) -> None:
        """The run is over: its clean checkout may serve another, one that an earlier life left goes.

        The worktree stays, for the operator to look at. Raises WorkspaceError.
        """
        if self._clean is not None:
            self._clean.close(self._pool)
            self._clean = None
        elif os.path.lexists(self.check_path):
            clear(self.repo, self.check_path, "", "")

    async def _make_clean(self, run: Run) -> CleanCheckout:
        # One that an earlier life of the runner has left may be half made, and nothing says so; of one that was deleted git knows.
        await asyncio.to_thread(lambda: clear(self.repo, self.check_path, "", ""))
        sparse = self._spec.workspace.sparse
        clean = await asyncio.to_thread(
            lambda: CleanCheckout.create(self.repo, self.check_path, run.base, sparse=sparse, pool=self._pool)
        )
        await self._provide(clean.worktree, clean)
        return clean

    async def _provide(self, worktree: Worktree, clean: CleanCheckout | None = None) -> tuple[str, ...]:
        return await furnish(worktree, self._spec.workspace, self._door, self._env, clean)

    def _show_loop_folder(self, checkout: Path) -> None:
        from_worktree, to_checkout = LoopFolder(self.path), LoopFolder(checkout)
        for name in (STATE, REPORT):
            text = from_worktree.read(name)
            if text is not None:
                to_checkout.write(name, text)
