"""One run, followed: whatever is appended in whatever pieces, the row is that of a cold look."""

import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loopdeck.core import events as ev
from loopdeck.deck.decks import Deck
from loopdeck.deck.gathering import Gathering
from loopdeck.deck.lookout import Lookout
from loopdeck.deck.rows import Known, Sums, finished, run_row, whole
from loopdeck.deck.snapshot import LoopRow
from tests.deck.following_deck import deck_at
from tests.kit.written import WrittenRun

ACTS = st.sampled_from(
    ["go on", "go on much", "ask", "allow", "end", "checkpoint", "new run", "leave", "nudge", "look", "look", "look"]
)


class Play:
    """A deck whose runs do as they are told, as far as their lives allow."""

    def __init__(self, deck: Deck) -> None:
        self.deck = deck
        self.runs: dict[str, WrittenRun] = {}
        self.state: dict[str, str] = {}

    def act(self, loop: str, what: str) -> None:
        state = self.state.get(loop, "none")
        if what == "new run" or state == "none":
            if loop in self.runs and state not in ("ended", "left"):
                return
            self.runs[loop], self.state[loop] = WrittenRun(self.deck, loop).begun(), "running"
            return
        run = self.runs[loop]
        match what, state:
            case (("go on" | "go on much"), "running"):
                run.go_on(3 if what == "go on" else 120)
            case "ask", "running":
                run.ask(f"a{run.iteration}")
                self.state[loop] = "asking"
            case "allow", "asking":
                run.tell(ev.ApprovalDecided(f"a{run.iteration}", True, "olga", command=f"c{run.clock}"))
                run.tell(ev.ToolCallRefused("push", "bash"), ev.MakerFinished("ended"))
                self.state[loop] = "left over"
            case "nudge", ("running" | "asking"):
                run.tell(ev.Nudged("Mind zero.", "olga", command=f"n{run.clock}"))
            case "checkpoint", ("running" | "asking"):
                run.checkpoint()
            case "end", ("running" | "asking" | "left over"):
                run.end("done")
                self.state[loop] = "ended"
            case "leave", ("running" | "asking" | "left over"):
                run.close()
                self.state[loop] = "left"
            case _:
                pass

    def close(self) -> None:
        for run in self.runs.values():
            run.close()


def cold(deck: Deck, day: str) -> dict[str, LoopRow]:
    """What a look at everything finds, by run."""
    rows = [run_row(one, Known("", 0), whole(one.run, finished(one.run, Sums(), day))) for one in deck.views()]
    return {row.run: row for row in rows}


def plain(row: LoopRow) -> tuple[object, ...]:
    """A row without what a cold look at one moment can't know."""
    skipped = ("key", "rate", "unread", "edited", "beat_age_s")
    return tuple(getattr(row, name) for name in row.__struct_fields__ if name not in skipped)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=st.lists(st.tuples(st.sampled_from(["one", "two"]), ACTS), max_size=25))
def test_the_rows_are_those_of_a_cold_look_after_whatever_happened(tmp_path_factory, acts):
    deck = deck_at(tmp_path_factory.mktemp("deck"))
    play = Play(deck)
    followed = Gathering(deck, 0, Lookout(hints=False))
    try:
        for loop, what in [*acts, ("one", "look")]:
            if what != "look":
                play.act(loop, what)
                continue
            followed.look(time.time(), closely=True)
            found = {row.run: row for _, row in followed.rows()}
            expected = cold(deck, "")
            assert {run: plain(row) for run, row in found.items()} == {run: plain(row) for run, row in expected.items()}
    finally:
        play.close()
