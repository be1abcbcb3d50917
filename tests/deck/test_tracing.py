"""The trace as a list: whatever is shown, filtered and searched is what a look at every line would give, at every step of the work."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import trace as tr
from loopdeck.core.traceline import Told
from loopdeck.deck.tracehits import Search
from loopdeck.deck.tracepick import CALLS, Choice, in_tree
from loopdeck.deck.tracing import Line, Tracing
from loopdeck.store.trace import TRACE
from tests.kit.traces import iteration, turn, write_trace
from tests.store.samples import AT, LATER, written

KINDS = ("prompt_sent", "model_replied", "tool_called", "tool_returned", "check_ran", "state_read", "committed", "from_a_later_version")
SLOW = settings(max_examples=50)


def to_the_end(tracing: Tracing) -> None:
    steps = 0
    while not tracing.work():
        steps += 1
        assert steps < 100_000, tracing.task()


def shown(tracing: Tracing) -> list[int]:
    return [tracing.number(place) for place in range(tracing.count())]


def search_of(tracing: Tracing) -> Search:
    assert tracing.search is not None
    return tracing.search


def line_at(tracing: Tracing, place: int) -> Line:
    line = tracing.lines([place])[0]
    assert line is not None
    return line


def told_of(tracing: Tracing) -> list[Told]:
    return [line.told for line in tracing.lines(range(tracing.count())) if line is not None and line.told is not None]


def opened(path) -> Tracing:
    tracing = Tracing(path)
    tracing.open()
    return tracing


choices = st.builds(Choice, st.frozensets(st.sampled_from(KINDS), max_size=3), st.integers(0, 4), st.just(False))


@pytest.mark.req("S1-13")
@given(
    iterations=st.integers(0, 4),
    turns=st.integers(0, 3),
    hurt=st.sets(st.integers(0, 40), max_size=4),
    chosen=st.lists(choices, min_size=1, max_size=3),
)
@SLOW
def test_what_is_filtered_is_what_a_look_at_every_line_filters(tmp_path, iterations, turns, hurt, chosen):
    path = tmp_path / "trace.jsonl"
    path.unlink(missing_ok=True)
    events = [event for number in range(1, iterations + 1) for event in iteration(number, turns)] + [LATER]
    write_trace(path, events)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(b"\x00" * 8 + b"\n" if number in hurt else line for number, line in enumerate(lines)))
    tracing = opened(path)
    for choice in chosen:
        tracing.choose(choice)
        to_the_end(tracing)
        rows = tracing.window.rows(0, len(lines))

        def fits(number, choice=choice, rows=rows):
            if number in hurt:
                return True
            event = rows[number].entry.event
            kind = event.kind if event == LATER else event.__struct_config__.tag
            return (not choice.kinds or kind in choice.kinds) and choice.iteration in (0, getattr(event, "iteration", 0))

        expected = [number for number in range(len(lines)) if fits(number)]
        assert shown(tracing) == expected
        assert [tracing.place(number) for number in expected] == list(range(len(expected)))
        for line, number in zip(tracing.lines(range(tracing.count())), expected, strict=True):
            assert line is not None
            assert (line.number, line.told is None) == (number, number in hurt)
    tracing.close()


@given(data=st.data(), parts=st.lists(st.integers(0, 60), min_size=1, max_size=4), origin=st.integers(0, 200))
@SLOW
def test_a_search_has_found_every_hit_when_it_is_done_also_those_that_came_meanwhile(tmp_path, data, parts, origin):
    path = tmp_path / "trace.jsonl"
    path.unlink(missing_ok=True)
    wanted = []
    tracing: Tracing | None = None
    for part in parts:
        texts = [data.draw(st.sampled_from(["a needle", "hay", "A NEEDLE"])) for _ in range(part)]
        write_trace(path, [tr.Noted(1, text) for text in texts])
        wanted += [text != "hay" for text in texts]
        if tracing is None:
            tracing = opened(path)
            to_the_end(tracing)
            tracing.look_for("needle", origin)
        else:
            tracing.poll()
        for _ in range(data.draw(st.integers(0, 3))):
            tracing.work()
    assert tracing is not None
    tracing.poll()
    to_the_end(tracing)
    search = search_of(tracing)
    hits = [number for number, one in enumerate(wanted) if one]
    assert search.count() == len(hits)
    assert [number for number in range(len(wanted)) if search.holds(number)] == hits
    for number in range(-1, len(wanted) + 1):
        assert search.after(number) == next((hit for hit in hits if hit > number), None)
        assert search.before(number) == next((hit for hit in reversed(hits) if hit < number), None)
    tracing.close()


def test_capitals_count_only_if_they_are_searched_for(tmp_path):
    path = tmp_path / "trace.jsonl"
    write_trace(path, [tr.Noted(1, "Needle"), tr.Noted(1, "needle")])
    tracing = opened(path)
    to_the_end(tracing)
    for text, hits in (("needle", 2), ("Needle", 1), ("NEEDLE", 0)):
        tracing.look_for(text, 0)
        to_the_end(tracing)
        assert search_of(tracing).count() == hits
    tracing.close()


def test_a_filter_and_a_search_go_on_while_the_trace_grows(tmp_path):
    path = tmp_path / "trace.jsonl"
    write_trace(path, iteration(1))
    tracing = opened(path)
    tracing.choose(Choice(frozenset({"check_ran"})))
    troubles = tracing.marked("trouble", lambda glance: glance.trouble)
    tracing.look_for("pytest", 0)
    to_the_end(tracing)
    before, hits = shown(tracing), search_of(tracing).count()
    assert not tracing.poll()
    write_trace(path, iteration(2))
    assert tracing.poll()
    to_the_end(tracing)
    size = len(iteration(1))
    assert shown(tracing) == before + [number + size for number in before]
    assert search_of(tracing).count() == 2 * hits
    assert len(troubles.numbers) == 2
    tracing.close()


def test_another_file_at_the_path_is_shown_from_its_beginning(tmp_path):
    path = tmp_path / "trace.jsonl"
    write_trace(path, iteration(1))
    tracing = opened(path)
    tracing.choose(Choice(iteration=5))
    tracing.look_for("passed", 3)
    to_the_end(tracing)
    assert tracing.count() == 0
    write_trace(tmp_path / "other", iteration(5, turns=1))
    (tmp_path / "other").replace(path)
    tracing.poll()
    to_the_end(tracing)
    assert shown(tracing) == list(range(len(iteration(5, turns=1))))
    assert search_of(tracing).count() == sum("passed" in line for line in path.read_text().splitlines())
    tracing.close()


def test_numbers_foreseen_wrong_are_put_right_with_a_shift(tmp_path):
    """Lines of a life that had ended don't count for `seq`: there are more lines than the last one says."""
    path = tmp_path / "trace.jsonl"
    write_trace(path, iteration(1), epoch=2)
    stale = path.read_bytes().splitlines(keepends=True)[2].replace(b'"epoch":2', b'"epoch":1')
    with path.open("ab") as file:
        file.write(stale * 3)
    write_trace(path, iteration(2), epoch=2)
    lines = len(path.read_bytes().splitlines())
    tracing = opened(path)
    assert tracing.total() == lines - 3
    last = line_at(tracing, tracing.count() - 1)
    to_the_end(tracing)
    assert (tracing.total(), tracing.shift) == (lines, 3)
    assert line_at(tracing, last.number + tracing.shift).told == last.told
    tracing.close()


def tool(call: str, event: str, number: int = 1) -> tr.TraceEvent:
    return tr.ToolCalled(number, call, "bash", "{}") if event == "called" else tr.ToolReturned(number, call, "bash", "ok")


@given(order=st.lists(st.sampled_from("abc"), max_size=6).map(lambda calls: list(dict.fromkeys(calls))), seed=st.integers(0, 10**6))
@SLOW
def test_in_the_tree_each_result_follows_its_call(tmp_path, order, seed):
    path = tmp_path / "trace.jsonl"
    path.unlink(missing_ok=True)
    rng = random.Random(seed)
    left, events = {call: ["called", "returned"] for call in order}, []
    while any(left.values()):
        call = rng.choice([call for call, rest in left.items() if rest])
        events.append(tool(call, left[call].pop(0)))
    write_trace(path, [*turn(1, 1), *events, *turn(2, 1)])
    tracing = opened(path)
    tracing.choose(Choice(calls=True))
    to_the_end(tracing)
    lines = told_of(tracing)
    kinds = [one.kind for one in lines]
    assert len(kinds) == 3 + len(events) + 3
    assert all(after == "tool_returned" for one, after in pairwise(kinds) if one == "tool_called")
    assert [one.depth for one in lines if one.kind.startswith("tool_")] == [1, 2] * (len(order) + 2)
    assert sorted(shown(tracing)) == [
        number for number in range(tracing.total()) if (glance := tracing.glances.of(number)) is not None and glance.kind in CALLS
    ]
    assert [tracing.place(number) for number in shown(tracing)] == list(range(tracing.count()))
    tracing.close()


def test_the_tree_grows_within_an_open_turn(tmp_path):
    path = tmp_path / "trace.jsonl"
    write_trace(path, [*turn(1, 1)[:2], tool("a", "called"), tool("b", "called")])
    tracing = opened(path)
    tracing.choose(Choice(calls=True))
    to_the_end(tracing)
    assert shown(tracing) == [1, 2, 3]
    write_trace(path, [tool("b", "returned"), tool("a", "returned")])
    tracing.poll()
    to_the_end(tracing)
    assert shown(tracing) == [1, 2, 5, 3, 4]
    tracing.close()


def test_lines_without_a_call_stay_where_they_are():
    calls = {1: "a", 2: "b", 3: "", 4: "a"}
    assert in_tree([1, 2, 3, 4], calls.__getitem__) == [1, 4, 2, 3]


def test_a_trace_that_is_not_there_yet_is_empty_and_then_shown(tmp_path):
    path = tmp_path / "trace.jsonl"
    tracing = opened(path)
    to_the_end(tracing)
    assert (tracing.count(), tracing.lines([0]), tracing.place(5)) == (0, [None], 0)
    write_trace(path, iteration(1))
    tracing.poll()
    to_the_end(tracing)
    assert tracing.count() == len(iteration(1))
    tracing.close()


def test_a_torn_line_is_no_line_yet(tmp_path):
    path = tmp_path / "trace.jsonl"
    written(TRACE, path, [tr.Noted(1, "whole")])
    with path.open("ab") as file:
        file.write(b'{"seq":1,"at":"' + AT.encode())
    tracing = opened(path)
    to_the_end(tracing)
    assert tracing.count() == 1
    tracing.close()


def test_work_is_done_in_slices_that_no_key_would_notice(tmp_path):
    """Bytes and lines a step are bounded, whatever the trace: time is measured in the bench."""
    path = tmp_path / "trace.jsonl"
    write_trace(path, [tr.Noted(1, f"{number} {'x' * 600}") for number in range(8_000)])
    tracing = opened(path)
    seen = []
    while not tracing.settled:
        tracing.work()
        seen.append(tracing.window.known)
    assert all(after - before <= 1.2 * (1 << 20) for before, after in zip([0, *seen], seen, strict=False))
    tracing.choose(Choice(frozenset({"noted"})))
    steps = [0]
    while not tracing.work():
        steps.append(tracing.glances.count())
    assert max(after - before for before, after in pairwise(steps)) < 1000
    assert tracing.count() == 8_000
    tracing.close()
