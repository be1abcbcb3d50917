"""The calls of an outside agent's turn: granted, refused, come to their end; and what was said meanwhile.

Invariant: of each call that was granted it is written down, once, what became of it.
"""

import hashlib
import time

from loopdeck.agents.outside.port import Allowed, Denied
from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.conversation import ToolUse
from loopdeck.core.findings import Problem
from loopdeck.runner.desk import Desk
from loopdeck.runner.record import Record

_UNTOLD = "not told"


class Handled:
    """Writes the calls of one turn down."""

    def __init__(self, record: Record, desk: Desk) -> None:
        self._record = record
        self._desk = desk
        self._under_way: dict[str, tuple[ToolUse, float]] = {}
        self._said: list[str] = []

    @property
    def busy(self) -> bool:
        """True while a call that was granted has not come to its end."""
        return bool(self._under_way)

    def said(self, line: str) -> None:
        """Remember something for the transcript."""
        self._said.append(line)

    def transcript(self, most: int = 30, size: int = 4000) -> str:
        """The last things said and done, each cut: the agent's own words, for a check to distrust."""
        return "\n".join(text[:size] for text in self._said[-most:])

    def granted(self, use: ToolUse, rule: str, approval: str = "", *, edited: bool = False) -> Allowed:
        """The call may run, and now does."""
        self._desk.grant(use, rule, approval)
        self._record.traced(tr.ToolCalled(self._record.run.iteration, use.id, use.tool, use.arguments))
        self._under_way[use.id] = (use, time.monotonic())
        self.said(f"assistant calls {use.tool} {use.arguments}")
        return Allowed(use.arguments if edited else "")

    def refused(self, use: ToolUse, why: str, rule: str) -> Denied:
        """It may not."""
        self._desk.refuse(use, why, rule)
        self._record.traced(tr.ToolReturned(self._record.run.iteration, use.id, use.tool, f"Not run: {why}", is_error=True))
        return Denied(why)

    def returned(self, call: str, output: str, *, is_error: bool) -> None:
        """What a call came to; of one that isn't under way nothing is taken."""
        if call not in self._under_way:
            return
        use, begun = self._under_way.pop(call)
        shown, blob = self._record.short(output)
        seconds = time.monotonic() - begun
        problem: Problem | None = "tool_failed" if is_error else None
        self._record.traced(tr.ToolReturned(self._record.run.iteration, call, use.tool, shown, is_error, problem, seconds, blob))
        self.said(f"result: {shown}")
        self._record.happened(ev.ToolCallFinished(call, use.tool, seconds, problem, _signature(use, output)))

    def over(self, *, cut: bool) -> None:
        """The agent is gone: what it did not tell the end of is lost if it was `cut` off, and else has ended with it."""
        for call, (use, begun) in self._under_way.items():
            if cut:
                self._record.happened(ev.ToolCallLost(call, use.tool))
            else:
                self._record.happened(ev.ToolCallFinished(call, use.tool, time.monotonic() - begun, None, _signature(use, _UNTOLD)))
        self._under_way.clear()


def _signature(use: ToolUse, output: str) -> str:
    return hashlib.sha256("\x00".join((use.tool, use.arguments, output)).encode("utf-8", "replace")).hexdigest()[:16]
