"""A hint line for the first time: it leads through what there is to do, one thing after another. Pure.

A step is over when what it asked for has been done, in whatever order.
"""

from collections.abc import Callable

from msgspec import Struct

from loopdeck.deck.snapshot import LoopRow, Snapshot

Test = Callable[[LoopRow], bool]


class Step(Struct, frozen=True):
    """One thing to do with a loop: shown while `shows` holds of its row; `words` say what is there to see and which keys to press."""

    loop: str
    words: str
    shows: Test


class Lead(Struct, frozen=True):
    """All steps, most urgent first, and what is said while none applies (`working`), and once every run has ended (`ended`)."""

    steps: tuple[Step, ...]
    working: str
    ended: str

    def hint(self, snapshot: Snapshot, seen: frozenset[str]) -> tuple[str, str]:
        """The loop the hint is about (empty if none) and its words. Steps of the loops in `seen` are over."""
        for step in self.steps:
            if step.loop in seen:
                continue
            rows = [row for row in snapshot.rows if row.loop == step.loop]
            if any(step.shows(row) for row in rows):
                return step.loop, step.words
        if snapshot.rows and all(row.status in ("ended", "idle") for row in snapshot.rows):
            return "", self.ended
        return "", self.working


def _asks(row: LoopRow) -> bool:
    return row.status == "asking"


def _held(row: LoopRow) -> bool:
    return row.status == "paused"


def _repeats(row: LoopRow) -> bool:
    return row.iteration >= 2


def _over(row: LoopRow) -> bool:
    return row.reason == "budget"


DEMO = Lead(
    (
        Step("release-notes", "release-notes asks you something: press a, read the command, then y allows it and d denies it.", _asks),
        Step("never-enough", "never-enough is held for your hand: put the cursor on it, press e, change a line, then ctrl+g.", _held),
        Step("spender", "spender has met its budget: put the cursor on it and press w to see the numbers.", _over),
        Step("stuck", "stuck goes in circles: press w on it to see which detector counts; K on the deck would end it now.", _repeats),
    ),
    "Nine loops are at work on a copied project. enter opens one, ? shows the keys; soon one of them will need you.",
    "All have ended. v shows what a loop made and merges it, m what it cost; q leaves.",
)
"""The four things that the demo has to show."""
