"""What stands in a run's way: said in its journal, stood still for, and mended when a person says that it may go on.

Going on is a new life in the same process: whatever the step that failed had begun (a call, a reservation, a checkout half made) is
dealt with as if the runner had died over it, which is what the rest of the house knows how to do.
"""

from contextlib import suppress

from loopdeck.core import events as ev
from loopdeck.errors import Exhausted, LoopdeckError, Mendable, StoreError, WorktreeLost
from loopdeck.runner.record import Record
from loopdeck.runner.site import Site
from loopdeck.store import lease, reserve
from loopdeck.store.files import EXHAUSTED


class Standing:
    """Lets the run stand still and go on again."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._record: Record = site.record
        self._stood = bool(self._record.run.stalled)

    def prepare(self) -> None:
        """Keep room on the disk for last words. On a disk that is full already the run goes on without, as long as it can."""
        if self._record.run.status != "ended":
            with suppress(StoreError):
                reserve.set_aside(self._record.paths.reserve)

    def told(self, error: LoopdeckError | OSError) -> Mendable | None:
        """What a person can mend, if `error` comes of it: a worktree that is gone makes every step fail in its own words."""
        if isinstance(error, Mendable):
            return error
        if isinstance(error, OSError):
            what = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
            return Exhausted(what) if error.errno in EXHAUSTED else None
        return self._site.workplace.lost(self._record.run)

    def stall(self, error: Mendable) -> None:
        """Stand still because of `error`. Raises it if not even that can be written down."""
        record, run = self._record, self._record.run
        freed = isinstance(error, Exhausted) and reserve.give_up(record.paths.reserve)
        if run.status in ("running", "waiting"):
            try:
                record.happened(ev.RunPaused("stall", "loopdeck", _sentence(error)), durable=True)
            except StoreError:
                raise error from None
        elif not freed:
            raise error

    async def mended(self) -> bool:
        """To be called before each step: if the run stood still and may go on, see to it that it can, and say whether this is so.

        Raises Mendable if it can't yet.
        """
        run = self._record.run
        stood, self._stood = self._stood, bool(run.stalled)
        if not stood or run.stalled or run.status != "running":
            return False
        try:
            reserve.set_aside(self._record.paths.reserve)
            for notice in await self._site.workplace.mend(run):
                self._record.happened(ev.NoticeRaised(notice))
                self._record.happened(ev.Nudged(notice, "loopdeck"))
            holder = lease.look(self._record.paths.lease).holder
            nonce, boot_id = (holder.nonce, holder.boot_id) if holder else ("", "")
            self._record.happened(ev.RunnerStarted(run.pid, run.life + 1, boot_id, nonce), durable=True)
        except LoopdeckError as error:
            self._stood = True
            if isinstance(error, Mendable):
                raise
            # Mending failed for another reason: that one, too, is said, and may be tried again.
            raise WorktreeLost(error.what, where=error.where, remedy=error.remedy) from error
        return True

    def leave(self) -> None:
        """The run is over: the room that was kept for it is free."""
        reserve.give_up(self._record.paths.reserve)


def _sentence(error: LoopdeckError) -> str:
    where = f" ({error.where})" if error.where else ""
    return " ".join(f"{error.what}{where}. {error.remedy}".split())
