"""One run, followed: whatever is appended in whatever pieces, the row is that of a cold look."""

import os
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import events as ev
from loopdeck.deck.decks import Deck
from loopdeck.deck.gathering import Gathering
from loopdeck.deck.lookout import CONTENTS, GROWS, Lookout
from loopdeck.deck.rows import Known, Sums, finished, run_row, whole
from loopdeck.deck.snapshot import LoopRow
from loopdeck.store.silence import Silence
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


@settings(max_examples=25)
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


def test_where_the_kernel_takes_no_more_everybody_has_to_look(tmp_path):
    lookout: Lookout[str] = Lookout()
    if lookout.fileno() is None:
        return
    (tmp_path / "file").write_text("x")
    lookout.want("somebody", tmp_path / "missing", GROWS)
    assert not lookout.blind
    lookout.want("somebody", tmp_path / "file", GROWS)
    (tmp_path / "file").write_text("y")
    assert [one.whom for one in lookout.told() or []] == ["somebody"]
    descriptor = lookout.fileno()
    assert descriptor is not None
    # What a refusal of the kernel looks like: here because the descriptor is gone, elsewhere because a limit is reached.
    os.close(descriptor)
    lookout.want("somebody", tmp_path, CONTENTS)
    assert lookout.blind


def test_a_file_that_is_replaced_is_watched_anew(tmp_path):
    lookout: Lookout[str] = Lookout()
    if lookout.fileno() is None:
        return
    file = tmp_path / "file"
    file.write_text("x")
    lookout.want("somebody", file, GROWS)
    (tmp_path / "other").write_text("y")
    (tmp_path / "other").replace(file)
    assert [one.whom for one in lookout.told() or []] == ["somebody"]
    lookout.want("somebody", file, GROWS)
    file.write_text("z")
    assert [one.whom for one in lookout.told() or []] == ["somebody"]
    lookout.forget(file)
    file.write_text("nobody cares")
    assert lookout.told() == []
    lookout.close()


def test_silence_is_told_by_the_wall_until_that_clock_is_set(monkeypatch):
    clocks = {"wall": 1_000_000.0, "steady": 50.0}
    monkeypatch.setattr("time.time", lambda: clocks["wall"])
    monkeypatch.setattr("time.monotonic", lambda: clocks["steady"])

    def later(seconds: float, jump: float = 0.0) -> None:
        clocks["steady"] += seconds
        clocks["wall"] += seconds + jump

    silence = Silence()
    assert silence.of(1_000_000.0 - 40) == 40, "one who has just begun to look has only the wall"
    beat = clocks["wall"]
    later(3)
    assert silence.of(beat) == 3
    later(2, jump=3600)
    assert silence.of(beat) == 0, "an hour has gone by on the wall alone, or asleep"
    later(16)
    assert silence.of(beat) == 16
    assert silence.of(clocks["wall"] - 1) == 1
    later(1, jump=-7200)
    beat = clocks["wall"] + 7000
    assert silence.of(beat) == 0
    later(16)
    assert silence.of(beat) == 16, "hung all the same"
