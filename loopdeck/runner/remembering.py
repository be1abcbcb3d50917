"""The state's steps: read before an iteration, merged and written back after it, with nobody's edit lost.

What the maker left in `.loop/STATE.md` is merged, three-way, with what is on disk now against what the iteration started from. Where
both changed the same place, both versions are kept and a person decides; the block that loopdeck writes itself never takes part.
"""

from loopdeck.core import events as ev
from loopdeck.core import memory, steps
from loopdeck.core import trace as tr
from loopdeck.core.merge3 import Conflict, merge3
from loopdeck.core.prompt import findings_text
from loopdeck.runner.record import Record
from loopdeck.runner.site import Site
from loopdeck.store.loopfolder import FINDINGS, REPORT, SKILLS, STATE, LoopFolder
from loopdeck.store.state import StateClash, StateTooLarge


class Remembering:
    """Carries out the steps that touch the loop's state."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._record: Record = site.record

    def start_iteration(self, step: steps.StartIteration) -> None:
        """Read the state, show it and the open findings to the maker, and begin."""
        record, run = self._record, self._record.run
        state = self._site.state.read()
        base = record.keep(state.text)
        # First shown, then said: a life that dies in between shows it anew, and takes no old copy for the maker's word on it.
        folder = LoopFolder(self._site.workplace.path)
        folder.write(STATE, state.text)
        folder.write(FINDINGS, findings_text(run.findings) + "\n" if run.findings else "# Open findings\n\nNone.\n")
        if skills := self._site.steady.skill_files():
            # Anew each time: whatever a maker did to them is gone, and they are as they were frozen.
            folder.lay(SKILLS, skills)
        record.traced(tr.StateRead(step.number, "maker", base))
        record.happened(ev.IterationStarted(step.number, base, step.final))

    def finish_iteration(self, step: steps.FinishIteration) -> None:
        """Merge and write the state, and close the iteration; or say that it clashes."""
        record, run = self._record, self._record.run
        store = self._site.state
        base = memory.without_block(self._site.state_text)
        mine = memory.without_block(LoopFolder(self._site.workplace.path).read(STATE) or base)
        note = f"{run.id}-i{run.iteration}"
        try:
            now = store.read()
        except StateTooLarge:
            self._clash(mine, note)
            return
        theirs = memory.without_block(now.text)
        told = ""
        if memory.size(mine) > memory.MOST:
            told = self._put_aside(mine, note)
            mine = base
        merged = theirs if run.state_settled else merge3(base, mine, theirs)
        # What both added may be too much together: which of it is to stay, a person must say as well.
        if isinstance(merged, Conflict) or memory.size(merged) > memory.MOST:
            self._clash(mine, note)
            return
        try:
            if merged != theirs:
                now = store.write(merged, "maker", note, now.hash)
                record.traced(tr.StateWritten(run.iteration, "maker", now.hash))
            text = memory.with_block(merged, run, step.score, step.passed, note=told)
            now = store.write(text, "check", note, now.hash)
        except StateClash:
            # Somebody wrote in between: the next look merges that edit too.
            return
        record.traced(tr.StateWritten(run.iteration, "check", now.hash))
        for signal in step.signals:
            record.traced(tr.Noted(run.iteration, f"{signal.detector} ({signal.rung} x{signal.streak}): {signal.evidence}"))
        if step.flaky:
            record.happened(ev.NoticeRaised(f"iteration {run.iteration}: {step.flaky} judged unchanged work differently"))
        finished = ev.IterationFinished(run.iteration, step.score, step.passed, now.hash, step.signals, step.floor)
        record.seal()
        # Not made durable by itself: the next reservation, pause or end is, before anything irreversible comes of it.
        record.happened(finished)

    def _clash(self, mine: str, note: str) -> None:
        """Keep the maker's version, and leave it to a person what the state is to be."""
        kept = self._site.state.keep_version(mine, "maker", note)
        self._record.happened(ev.StateClashed(self._record.keep(mine), kept), durable=True)

    def _put_aside(self, mine: str, note: str) -> str:
        """Keep a state of the maker's that is too large beside the one that holds; returns what the maker is told of it."""
        run, size = self._record.run, memory.size(mine)
        told = f"The maker's state of iteration {run.iteration} had {size} bytes, more than {memory.MOST}: it was put aside. Be brief."
        if told not in run.notices:
            self._site.state.keep_version(mine, "maker", note)
            self._record.happened(ev.NoticeRaised(told))
        return told

    def close(self, sentence: str) -> None:
        """Say in the state how the run ended. A state that a person is writing just now is left alone."""
        run = self._record.run
        last = run.current
        if last is None:
            return
        if last.score is None:
            self._keep_unfinished()
            return
        now = self._site.state.read()
        text = memory.with_block(now.text, run, last.score, last.passed, sentence)
        try:
            self._site.state.write(text, "check", f"{run.id}-end", now.hash)
        except StateClash:
            self._record.traced(tr.Noted(run.iteration, "the state was being edited when the run ended; its end is in REPORT.md"))

    def _keep_unfinished(self) -> None:
        """Keep what the maker wrote into the state in an iteration that was cut short: as a version, beside the state that holds."""
        left = LoopFolder(self._site.workplace.path).read(STATE)
        if left is not None and memory.without_block(left) != memory.without_block(self._site.state_text):
            run = self._record.run
            kept = self._site.state.keep_version(left, "maker", f"{run.id}-i{run.iteration}")
            self._record.happened(ev.NoticeRaised(f"the maker's unfinished state is kept as the version {kept}"))

    def is_forged(self) -> bool:
        """True if the maker wrote into the part of its state that is the checks'."""
        left = LoopFolder(self._site.workplace.path).read(STATE) if self._record.run.worktree else None
        return left is not None and memory.is_forged(left, self._site.state_text)

    def makers_report(self) -> str:
        """The report that the maker left in `.loop/REPORT.md`, or nothing."""
        if not self._record.run.worktree:
            return ""
        return LoopFolder(self._site.workplace.path).read(REPORT) or ""
