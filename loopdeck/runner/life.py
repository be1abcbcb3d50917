"""One life of a runner: take the commands, ask what is next, do it, write it down; until the run ends or the process is told to go.

A life that dies anywhere is followed by another that folds the journal and asks the same question.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core import steps
from loopdeck.core.decide import broken_off, decide
from loopdeck.errors import Bug, LoopdeckError, in_a_line
from loopdeck.runner.children import Children
from loopdeck.runner.ending import Ending
from loopdeck.runner.guard import Guard
from loopdeck.runner.inbox import Hand
from loopdeck.runner.places import Places
from loopdeck.runner.record import Record
from loopdeck.runner.remembering import Remembering
from loopdeck.runner.site import Site
from loopdeck.runner.standing import Standing
from loopdeck.runner.triage import Triage
from loopdeck.runner.work import Work

POLL_S = 0.05
"""How often the inbox is looked at while a step takes its time."""
LINGER_S = 60.0
"""How long a run that waits for a person keeps its connectors' processes."""


class Life:
    """Carries out steps, one after the other, and never lets a person wait for a long one."""

    def __init__(self, site: Site, hand: Hand, places: Places) -> None:
        self._site = site
        self._record: Record = site.record
        self._hand = hand
        self._places = places
        self._work = Work(site)
        self._remembering = Remembering(site)
        self._ending = Ending(site, self._remembering)
        self._standing = Standing(site)
        self._guard = Guard(site)
        self._deadline = 0.0

    async def live(self) -> None:
        """Until the run has ended. Raises what is our own bug, and what can't even be written down."""
        self._standing.prepare()
        if self._record.run.status not in ("queued", "ended"):
            self._places.claim()
            await Children(self._site).reconcile()
        while True:
            try:
                if not await self._step():
                    break
            except Bug:
                raise
            except (LoopdeckError, OSError) as error:
                await self._met(error)
        self._standing.leave()

    async def _step(self) -> bool:
        """Take the commands and do the next thing; False if there is none."""
        self._hand.take()
        if self._record.run.status != "paused":
            self._site.door.thaw()
        if await self._standing.mended():
            self._work = Work(self._site)
        step = decide(self._record.run, self._site.spec)
        if isinstance(step, steps.Nothing):
            return False
        if isinstance(step, _IN_THE_WORKTREE):
            self._site.workplace.see_to(self._record.run)
        await self._attend(step)
        return True

    async def _met(self, error: LoopdeckError | OSError) -> None:
        """Something failed: stand still if a person can mend it, else end the run."""
        mendable = self._standing.told(error)
        if mendable is not None and not self._record.dead:
            self._standing.stall(mendable)
            return
        if self._record.dead:
            raise error
        await self._ending.end(broken_off(self._record.run, in_a_line(error)))

    async def _attend(self, step: steps.Step) -> None:
        """Carry out `step`; one that takes its time is attended by looking at the inbox, and a stop cuts it short."""
        work = _RULES[type(step)](self, step)
        if work is None:
            return
        task = asyncio.ensure_future(work)
        try:
            await self._beside(task, step)
        finally:
            # Whatever could not be written down meanwhile: nothing goes on behind the back of the next step.
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
                if not task.cancelled():
                    task.exception()
        if not task.cancelled():
            task.result()

    async def _beside(self, task: "asyncio.Future[None]", step: steps.Step) -> None:
        """Look at the inbox while `task` carries out `step`, until it is done or to be cut short."""
        seen, ended = self._record.seq, self._site.door.ended
        while not (await asyncio.wait((task,), timeout=POLL_S))[0]:
            self._hand.take()
            self._hold_still(step)
            idle = isinstance(step, steps.AwaitPerson | steps.WaitOut) and self._record.seq != seen
            late = isinstance(step, _TIMED) and self._record.is_late()
            stop = self._record.run.stop
            if stop is not None and stop[2]:
                self._site.door.hurry()
            if idle or late or (stop is not None and not isinstance(step, _UNCUT)):
                task.cancel()
                await asyncio.wait((task,))
                if stop is not None and (struck := self._site.door.ended - ended):
                    self._record.happened(
                        ev.NoticeRaised(f"processes of its that were at work, and were ended: {struck}; none is left")
                    )
                if late:
                    self._record.happened(ev.NoticeRaised("the time was up: what was under way has been cut off"))
                break

    def _hold_still(self, step: steps.Step) -> None:
        """Have what runs stand still if somebody wants that now, and go on if nobody does any more."""
        run, door = self._record.run, self._site.door
        if run.status != "paused":
            door.thaw()
        if isinstance(step, _FROZEN) and run.status == "running" and run.pause_wanted and run.pause_now and door.freeze():
            self._record.happened(ev.RunPaused("pause", run.pause_wanted), durable=True)

    # One method for each kind of step

    async def _take_place(self, step: steps.TakePlace) -> None:
        await self._places.take()
        self._record.happened(ev.RunStarted())

    async def _prepare(self, step: steps.PrepareWorkspace) -> None:
        run = self._record.run
        branch, origin = f"loop/{run.loop}/{run.id}", self._site.frozen.origin
        prepared = await self._site.workplace.prepare(branch, again=run.life > 1, origin=origin)
        self._record.happened(prepared, durable=True)

    def _start_iteration(self, step: steps.StartIteration) -> None:
        self._remembering.start_iteration(step)
        self._guard.begin()

    async def _run_call(self, step: steps.RunCall) -> None:
        await self._guard.ready()
        await self._work.making.run_call(step.call)

    async def _triage(self, step: steps.Triage) -> None:
        await Triage(self._site, self._work.meter).run()

    async def _run_agent(self, step: steps.RunAgent) -> None:
        await self._guard.ready()
        await self._work.agent.run_agent()

    async def _commit(self, step: steps.CommitWork) -> None:
        # Nobody is to be at work on what is committed.
        await self._site.connected.close()
        forged = self._remembering.is_forged()
        committing = self._site.workplace.commit(self._record.run, self._remembering.makers_report())
        committed, outside = await asyncio.gather(committing, self._guard.compare())
        problems = (*committed.problems, *outside.notices)
        self._record.happened(structs.replace(committed, problems=problems, outside=outside.named, forged=forged), durable=True)

    def _back_off(self, step: steps.BackOff) -> None:
        self._deadline = asyncio.get_running_loop().time() + step.seconds
        self._record.happened(ev.WaitStarted(step.cause, step.seconds, self._record.later(step.seconds), step.attempt))

    async def _wait_out(self, step: steps.WaitOut) -> None:
        await asyncio.sleep(max(0.0, self._deadline - asyncio.get_running_loop().time()))
        self._record.waited()
        self._record.happened(ev.WaitEnded())

    async def _await_person(self, step: steps.AwaitPerson) -> None:
        await asyncio.sleep(LINGER_S)
        await self._site.connected.close()
        await asyncio.Event().wait()

    def _stand_still(self, step: steps.StandStill) -> None:
        self._record.happened(ev.RunPaused(step.cause, step.by), durable=True)


_UNCUT = (steps.EndRun, steps.CommitWork, steps.FinishIteration)
"""Short steps that a stop waits for, so that nothing is left half done."""
_TIMED = (steps.Triage, steps.CallModel, steps.RunAgent, steps.RunCall, steps.RunCheck, steps.WaitOut)
"""Long steps that are cut off when the run's time is up."""

_FROZEN = (steps.RunAgent, steps.RunCall, steps.RunCheck)
"""Steps whose commands can stand still; other steps are short, or wait for somebody else's answer."""

_IN_THE_WORKTREE = (steps.StartIteration, steps.CallModel, steps.RunAgent, steps.GrantCall, steps.RunCall)
"""Steps that take nothing for granted: without a worktree they would spend money for nothing."""

_RULES: dict[type, Callable[[Life, Any], Awaitable[None] | None]] = {
    steps.TakePlace: Life._take_place,
    steps.PrepareWorkspace: Life._prepare,
    steps.StartIteration: Life._start_iteration,
    steps.CallModel: lambda life, step: life._work.making.call_model(),
    steps.Triage: Life._triage,
    steps.RunAgent: Life._run_agent,
    steps.ReportLost: lambda life, step: life._work.maker.report_lost(step.call),
    steps.WeighCall: lambda life, step: life._work.making.weigh(step.call),
    steps.GrantCall: lambda life, step: life._work.making.grant(step),
    steps.RefuseCall: lambda life, step: life._work.maker.refuse(step),
    steps.RunCall: Life._run_call,
    steps.FinishMaker: lambda life, step: life._record.happened(ev.MakerFinished(step.how)),
    steps.CommitWork: Life._commit,
    steps.ReportMaker: lambda life, step: life._work.grading.report_maker(step.check),
    steps.RunCheck: lambda life, step: life._work.grading.run_check(step.check, lambda: life._work.maker.transcript),
    steps.SkipCheck: lambda life, step: life._record.happened(ev.CheckSkipped(step.check, step.why)),
    steps.AskVerdict: lambda life, step: life._record.happened(ev.VerdictAsked(step.check), durable=True),
    steps.FinishIteration: lambda life, step: life._remembering.finish_iteration(step),
    steps.WaitOut: Life._wait_out,
    steps.BackOff: Life._back_off,
    steps.AwaitPerson: Life._await_person,
    steps.StandStill: Life._stand_still,
    steps.EndRun: lambda life, step: life._ending.end(step),
}
