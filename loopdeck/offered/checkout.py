"""What an agent in the operator's own checkout is offered of a loop: its state, to read and write, its findings, its budget.

Nobody is there to be asked: who started the agent sits before it. Invariant: a state is never written over one that the agent has not
read; an edit of others is merged, and where both changed the same place nothing is written.
"""

from collections.abc import Mapping

from loopdeck.core import memory
from loopdeck.core.left import left
from loopdeck.core.prompt import findings_text
from loopdeck.core.run import Run
from loopdeck.deck import stating
from loopdeck.deck.decks import Deck
from loopdeck.offered.server import Failed, Tool
from loopdeck.store.state import LoopState, StateClash, StateText

INSTRUCTIONS = "The memory of the loopdeck loop {loop!r}, shared with its runs and its operator. Read the state before you write it."


class InCheckout:
    """The tools of one loop."""

    def __init__(self, deck: Deck, loop: str) -> None:
        self._deck = deck
        self._loop = loop
        self._state = LoopState(deck.home.state_dir(loop), initial=stating.initial(deck, loop))
        self._read_before: StateText | None = None

    def tools(self) -> tuple[Tool, ...]:
        """All of them."""
        what = {"content": "The whole new state, in Markdown."}
        return (
            Tool("state_read", f"Read the state of the loop {self._loop}.", self._read),
            Tool("state_write", "Replace the loop's state. Read it first. 32 KiB at most.", self._write, what),
            Tool("findings", "Read the open findings of the loop's newest run.", self._findings),
            Tool("budget_left", "What is left of the budget of the loop's newest run.", self._budget),
        )

    def _read(self, given: Mapping[str, str]) -> str:
        self._read_before = self._state.read()
        return self._read_before.text

    def _write(self, given: Mapping[str, str]) -> str:
        if self._read_before is None:
            raise Failed("Read the state first, so that nothing in it is lost unseen.")
        typed, block = memory.without_block(given["content"]), memory.block_of(self._read_before.text)
        try:
            saved = stating.save(self._state, self._read_before, f"{typed.rstrip()}\n\n{block}\n" if block else typed, "mcp")
        except StateClash as clash:
            raise Failed("The state was changed meanwhile, in the same places. Read it again; write what holds for both.") from clash
        self._read_before = saved.new
        merged = "; what others wrote meanwhile is merged in" if saved.merged else ""
        return f"The state is updated: {memory.size(saved.new.text)} bytes{merged}."

    def _newest(self) -> Run:
        runs = self._deck.home.runs_of(self._loop)
        if not runs:
            raise Failed(f"The loop {self._loop} has no run yet.")
        return self._deck.view(runs[-1]).run

    def _findings(self, given: Mapping[str, str]) -> str:
        run = self._newest()
        return findings_text(run.findings) if run.findings else f"Run {run.id} has no open findings."

    def _budget(self, given: Mapping[str, str]) -> str:
        return left(self._newest())
