"""The last step: the best work on the branch, the report written, the end said."""

import asyncio
from collections.abc import Callable

from loopdeck.core import events as ev
from loopdeck.core import steps
from loopdeck.core.report import report
from loopdeck.errors import LoopdeckError, WorkspaceError
from loopdeck.runner.children import Children
from loopdeck.runner.record import Record
from loopdeck.runner.remembering import Remembering
from loopdeck.runner.site import Site
from loopdeck.sandbox import family
from loopdeck.sandbox.hunt import sweep

_LOOK_S = 1.0
"""How often it is looked again for processes that could not be ended."""


class Ending:
    """Carries out the end of a run."""

    def __init__(self, site: Site, remembering: Remembering) -> None:
        self._site = site
        self._record: Record = site.record
        self._remembering = remembering

    async def end(self, step: steps.EndRun) -> None:
        """End the run; what can't be tidied up any more is said in a notice and doesn't stand in the way."""
        record, run = self._record, self._record.run
        commit = next((one.commit for one in run.iterations if one.number == step.best), "")
        if commit and commit != run.commit:
            try:
                await self._site.workplace.keep_best(run, commit)
            except WorkspaceError as error:
                record.happened(ev.NoticeRaised(f"the branch could not be set to iteration {step.best}: {error.what}"))
        ended = ev.RunEnded(step.reason, step.why, step.limit, step.detector, step.by, step.best, commit)
        await Children(self._site).reconcile()
        await self._emptied()
        sentence = ": ".join(part for part in (step.reason, step.why) if part)
        self._tidied("the state does not say how the run ended", lambda: self._remembering.close(sentence))
        self._tidied("the checkout of the checks stays", self._site.workplace.let_go)
        shown = record.foreseen(ended)
        record.write_report(report(shown, self._site.spec.goal, self._remembering.makers_report()))
        record.happened(ended, durable=True)
        record.checkpoint()

    async def _emptied(self) -> None:
        """See that nothing of the run's commands is alive: only then may it be said to have ended. As long as that takes."""
        record, told = self._record, False
        while True:
            struck = await asyncio.to_thread(sweep, record.run.id)
            left = [one.pid for one in family.members(family.Mark(record.run.id)).values() if not one.dead]
            if struck:
                record.happened(ev.NoticeRaised(f"processes that had outlived their commands, and were ended: {len(struck)}"))
            if not left:
                return
            if not told:
                pids = ", ".join(map(str, sorted(left)))
                record.happened(ev.NoticeRaised(f"the run can't end yet: the kernel does not let go of its processes {pids}"))
                told = True
            await asyncio.sleep(_LOOK_S)

    def _tidied(self, otherwise: str, work: Callable[[], None]) -> None:
        try:
            work()
        except LoopdeckError as error:
            self._record.happened(ev.NoticeRaised(f"{otherwise}: {error.what}"))
