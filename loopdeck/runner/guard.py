"""Escape detection: is the operator's side as it was, and the run's own worktree as it was left?

The operator's checkout and the settings that all worktrees share are looked at before the maker's first command of an iteration and
when its work is committed; the run's own worktree before an iteration, against the commit of the one before. Each look is made beside
other work. What is found changed is said once, with the iteration it changed in and not with a culprit: it may well have been the
operator. If a call of the maker's names what changed, and no sandbox kept it in, that is evidence: a finding, grave enough that the
iteration can't pass, tells the maker so. The run goes on in any case; to stop it is the operator's to decide.
"""

import asyncio

from msgspec import Struct

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.errors import LoopdeckError
from loopdeck.git.footprint import Footprint, changes, footprint, strays
from loopdeck.runner.site import Site
from loopdeck.store.loopfolder import NAME

_MOST = 20
"""Paths named of one iteration."""

Before = tuple[Footprint | None, tuple[str, ...]]


class Outside(Struct, frozen=True):
    """What is to be told of an iteration: sentences for the operator, and paths that a call of the maker's names."""

    notices: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


class Guard:
    """Looks, before and after."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._looking: asyncio.Task[Before] | None = None
        self._before: Footprint | None = None

    def begin(self, *, anew: bool = True) -> None:
        """Begin to look, before an iteration; see that it has ended with `ready` before the maker can change anything.

        In the middle of one (not `anew`), what stands in the run's own worktree is what its maker has done so far.
        """
        self._before = None
        self._looking = asyncio.ensure_future(asyncio.to_thread(self._first_look, anew))

    async def ready(self) -> None:
        """Return once there is something to compare with; tells what was found in the run's own worktree."""
        if self._before is None and self._looking is None:
            # A life that died has taken what it saw along: from here on.
            self.begin(anew=False)
        if self._looking is None:
            return
        self._before, found = await self._looking
        self._looking = None
        if found:
            number = self._site.record.run.iteration
            told = f"before iteration {number}, while nobody of this run was at work, its worktree changed: {_listed(found)}"
            self._site.record.happened(ev.NoticeRaised(told))

    async def compare(self) -> Outside:
        """What has changed in the running iteration. The looks are in the trace also if nothing has."""
        before, self._before = self._before, None
        if before is None:
            # The maker ran no command, so nothing of its doing can have changed anything.
            return Outside()
        try:
            after = await asyncio.to_thread(footprint, self._site.workplace.repo)
        except LoopdeckError as error:
            return Outside((f"your checkout could not be looked at: {error.what}",))
        record, run = self._site.record, self._site.record.run
        found = changes(before, after)
        if not found:
            told = f"your checkout (at {after.commit[:12]}) and the repository's shared settings did not change in this iteration"
            record.traced(tr.Noted(run.iteration, told))
            return Outside()
        told = f"your checkout changed while iteration {run.iteration} ran: {_listed(found)}"
        if self._site.door.confines:
            record.traced(tr.Noted(run.iteration, f"{told}; a sandbox kept this run out of it"))
            return Outside()
        named = self._named(found)
        calls = "".join(f"; {path} is named in its call {call}" for path, call in named.items())
        return Outside((f"{told}; without a sandbox it can't be told by whom{calls}",), tuple(named))

    def _first_look(self, anew: bool) -> Before:
        site, run = self._site, self._site.record.run
        try:
            found = strays(site.workplace.worktree, (NAME,)) if anew and run.iteration > 1 else ()
            return footprint(site.workplace.repo), found
        except LoopdeckError:
            # Whatever is wrong shows where it matters, in the steps that need it.
            return None, ()

    def _named(self, found: tuple[str, ...]) -> dict[str, str]:
        """Of `found`, what a call of this iteration names beside the operator's checkout: path and call."""
        root, own = str(self._site.root), str(self._site.workplace.path)
        named: dict[str, str] = {}
        for event in self._site.record.entries_of(self._site.record.run.iteration):
            if not isinstance(event, tr.ToolCalled):
                continue
            said = event.arguments.replace(own, "")
            if root in said:
                named |= {path: event.call for path in found if path.rpartition("/")[2] in said and path not in named}
        return named


def _listed(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _MOST} more" if len(paths) > _MOST else ""
    return ", ".join(paths[:_MOST]) + more
