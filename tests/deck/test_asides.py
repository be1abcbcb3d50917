"""What stands beside a trace: what people did and what was asked of them, told from the journal, put between the lines by its time."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.happening import Settings
from loopdeck.deck.asides import ASIDES, Aside, Asides
from loopdeck.deck.tracepick import Choice
from loopdeck.deck.tracing import Tracing
from loopdeck.deck.weaving import Weave
from loopdeck.store.state import LoopState
from tests.deck.following_deck import deck_at
from tests.deck.test_tracing import opened, to_the_end
from tests.kit.written import WrittenRun

TOLD = [
    (ev.PauseAsked("olga"), ("pause", "asked for by olga")),
    (ev.PauseAsked("olga", now=True), ("pause", "asked for by olga, at once")),
    (ev.RunPaused("hold", "olga"), ("pause", "it stands still: hold of olga")),
    (ev.RunResumed("olga"), ("resume", "by olga")),
    (ev.HoldSet("olga"), ("hold", "before the next iteration, by olga")),
    (ev.Nudged("look at the parser", "olga"), ("nudge", "by olga")),
    (ev.SettingChanged("max_cost_usd", "2.0", "3.0", "olga", Settings(4)), ("set", "max_cost_usd: 2.0 → 3.0, by olga")),
    (ev.ApprovalDecided("a1", False, "olga", "not today"), ("answer", "denied by olga")),
    (ev.ApprovalDecided("a1", True, "olga", always="bash(git push)"), ("answer", "approved by olga, from now on bash(git push)")),
    (ev.VerdictAsked("look"), ("asked", "for the verdict of 'look'")),
    (ev.VerdictGiven("look", True, "olga"), ("answer", "'look' passed by olga")),
    (ev.StateSettled("s" * 64, "olga"), ("answer", "the state is settled by olga")),
    (ev.StopAsked("olga", "enough"), ("stop", "asked for by olga")),
    (ev.CommandTaken("c1", "resume", "olga", "it is not paused"), ("reject", "resume by olga had no effect")),
    (ev.RunEnded("budget", "…", "cost_usd"), ("end", "budget, cost_usd")),
]


@pytest.fixture
def deck(tmp_path):
    return deck_at(tmp_path)


def state_of(deck, loop="fix") -> LoopState:
    return LoopState(deck.home.state_dir(loop))


@pytest.mark.req("S1-13")
@pytest.mark.parametrize(("event", "told"), TOLD, ids=[f"{type(event).__name__}-{at}" for at, (event, _) in enumerate(TOLD)])
def test_each_has_a_kind_and_words(deck, event, told):
    run = WrittenRun(deck, "fix").begun()
    asides = Asides(run.paths, state_of(deck))
    before = asides.look()
    assert [(one.kind, one.head) for one in before] == [("start", "by olga")]
    run.tell(event).close()
    after = asides.look()
    assert (after[-1].kind, after[-1].head) == told
    assert len(after) == 2
    assert {one.kind for one in after} <= set(ASIDES)
    assert asides.look() == after


def test_what_a_call_wants_is_told_with_the_iteration_it_fell_in(deck):
    run = WrittenRun(deck, "fix").begun().ask(command="git push origin main")
    run.close()
    last = Asides(run.paths, state_of(deck)).look()[-1]
    assert (last.kind, last.iteration, last.said) == ("asked", 1, "git push origin main")


@pytest.mark.req("S1-13")
def test_an_edit_of_the_state_by_hand_is_among_them_and_what_the_maker_wrote_is_not(deck):
    run = WrittenRun(deck, "fix").begun()
    state = state_of(deck)
    first = state.read()
    second = state.write("# fix\n\nby the maker\n", "maker", "i1", first.hash)
    state.write("# fix\n\nby hand\n", "operator", "in the room", second.hash)
    run.tell(ev.PauseAsked("olga"))
    found = Asides(run.paths, state).look()
    run.close()
    assert [(one.kind, one.head) for one in found if one.kind == "edit"] == [("edit", "the state, version 3, by hand")]


# Between the lines

KINDS = st.sampled_from([frozenset(), frozenset({"pause"}), frozenset({"noted"})])
times = st.integers(0, 30).map(lambda at: f"2026-11-21T07:00:{at:02}Z")


@given(
    lines=st.lists(times, max_size=12).map(sorted),
    asides=st.lists(st.tuples(times, st.sampled_from(["pause", "end"]), st.integers(0, 2)), max_size=8).map(sorted),
    choice=st.builds(
        Choice, st.sampled_from([frozenset(), frozenset({"pause"}), frozenset({"noted"})]), st.integers(0, 2), st.booleans()
    ),
    shown=st.none() | st.sets(st.integers(0, 11)),
)
def test_places_are_those_of_a_list_sorted_by_time(lines, asides, choice, shown):
    weave = Weave()
    weave.put(tuple(Aside(at, kind, iteration, "…") for at, kind, iteration in asides))
    while weave.waits(len(lines)):
        weave.look(lambda at, count: next((number for number in range(count) if lines[number] >= at), None), len(lines))
    numbers = None if shown is None else array("I", sorted(one for one in shown if one < len(lines)))
    weave.settle(choice, numbers, len(lines))
    kept = range(len(lines)) if numbers is None else numbers
    taken = [
        which
        for which, (_, kind, iteration) in enumerate(asides)
        if not choice.calls and (not choice.kinds or kind in choice.kinds) and choice.iteration in (0, iteration)
    ]
    expected = sorted([(lines[number], 1, number) for number in kept] + [(asides[which][0], 0, which) for which in taken])
    assert weave.count() == len(taken)
    for place, (_, is_line, what) in enumerate(expected):
        assert weave.at(place) == (None if is_line else what)
        if is_line:
            assert kept[weave.inner(place)] == what
            assert weave.outer(weave.inner(place)) == place
        else:
            assert weave.place(what) == place


def kinds_of(tracing: Tracing) -> list[str]:
    return [line.told.kind for line in tracing.lines(range(tracing.count())) if line is not None and line.told is not None]


def test_a_trace_shows_them_where_they_happened_while_both_grow(deck):
    run = WrittenRun(deck, "fix").begun()
    moments = [f"2030-01-01T00:00:{second:02}.000Z" for second in range(10)]
    run.trace.append(tr.Noted(1, "one"), at=moments[1], clock=1)
    run.trace.append(tr.Noted(1, "two"), at=moments[3], clock=2)
    run.tell(ev.PauseAsked("olga"), at=moments[2])
    asides = Asides(run.paths, state_of(deck))
    tracing = opened(run.paths.trace)
    to_the_end(tracing)
    before = tracing.places.version
    tracing.places.put(asides.look())
    to_the_end(tracing)
    assert kinds_of(tracing) == ["start", "noted", "pause", "noted"]
    assert tracing.places.version != before
    run.tell(ev.RunResumed("olga"), at=moments[4])
    tracing.places.put(asides.look())
    to_the_end(tracing)
    run.trace.append(tr.Noted(1, "three"), at=moments[5], clock=3)
    tracing.poll()
    to_the_end(tracing)
    assert kinds_of(tracing) == ["start", "noted", "pause", "noted", "resume", "noted"]
    assert [tracing.number(place) for place in range(6)] == [0, 0, 0, 1, 1, 2]
    assert [tracing.place(number) for number in range(3)] == [1, 3, 5]
    assert [tracing.places.place_of(tracing.places.key(place)) for place in range(6)] == list(range(6))
    tracing.choose(Choice(frozenset({"pause", "resume"})))
    to_the_end(tracing)
    assert kinds_of(tracing) == ["pause", "resume"]
    tracing.choose(Choice(calls=True))
    to_the_end(tracing)
    assert kinds_of(tracing) == []
    tracing.close()
    run.close()


def test_a_trace_without_a_line_shows_them_too(deck):
    run = WrittenRun(deck, "fix").begun()
    tracing = opened(run.paths.trace)
    tracing.places.put(Asides(run.paths, state_of(deck)).look())
    to_the_end(tracing)
    assert kinds_of(tracing) == ["start"]
    assert (tracing.number(0), tracing.place(0)) == (0, 0)
    tracing.close()
    run.close()


def test_an_answer_that_changed_the_call_says_to_what(deck):
    run = WrittenRun(deck, "fix").begun()
    asides = Asides(run.paths, state_of(deck))
    run.tell(ev.ApprovalDecided("a1", True, "olga", arguments='{"command": "python3 -B try.py"}')).close()
    last = asides.look()[-1]
    assert (last.head, last.said) == ("approved as edited by olga", '{"command": "python3 -B try.py"}')
