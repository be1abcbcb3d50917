"""What each line is about: as a look at every line says, whatever is damaged, and while the trace grows."""

from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import trace as tr
from loopdeck.core.usage import Usage
from loopdeck.store.glances import DAMAGED, Glance, Glances
from loopdeck.store.trace import window_on_trace
from tests.kit.traces import write_trace
from tests.store.samples import LATER

EVENTS = st.one_of(
    st.builds(tr.Noted, st.integers(0, 5), st.text(max_size=20)),
    st.builds(
        tr.ToolReturned, st.integers(0, 5), st.just("t1"), st.just("bash"), st.sampled_from(["ok", '"is_error":true', "x" * 70_000]),
        st.booleans(), st.sampled_from([None, "tool_failed"]),
    ),
    st.builds(
        tr.CheckRan, st.integers(0, 5), st.just("tests"), st.sampled_from(["passed", "failed", "unknown", "error"]),
        st.just(0.5), st.just(1.0), st.just("c" * 40),
    ),
    st.builds(
        tr.ModelFailed, st.integers(0, 5), st.just("maker"), st.just("m1"), st.just("m"), st.just("server"), st.text(max_size=9),
        st.just(1.0),
    ),
    st.builds(
        tr.ModelReplied, st.integers(0, 5), st.just("maker"), st.just("m1"), st.just("m"), st.just(()), st.just("end"),
        st.just(Usage()), st.just(1.0), problem=st.sampled_from([None, "malformed_output"]),
    ),
    st.just(LATER),
)  # fmt: skip


def by_hand(event: tr.AnyTraceEvent | None) -> Glance:
    """What a whole look at an event says."""
    match event:
        case None:
            return DAMAGED
        case tr.ToolReturned():
            return Glance("tool_returned", event.iteration, event.is_error or event.problem is not None)
        case tr.CheckRan():
            return Glance("check_ran", event.iteration, event.outcome != "passed")
        case tr.ModelFailed():
            return Glance("model_failed", event.iteration, True)
        case tr.ModelReplied():
            return Glance("model_replied", event.iteration, event.problem is not None)
        case tr.Noted():
            return Glance("noted", event.iteration)
        case _:
            return Glance("from_a_later_version")


@given(events=st.lists(EVENTS, max_size=30), hurt=st.sets(st.integers(0, 29), max_size=4), pieces=st.integers(1, 3))
@settings(max_examples=60)
def test_glances_are_what_a_look_at_every_line_says(tmp_path, events, hurt, pieces):
    path = tmp_path / "trace.jsonl"
    path.unlink(missing_ok=True)
    write_trace(path, events)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(b"{" + line[2:] if number in hurt else line for number, line in enumerate(lines)))
    window = window_on_trace(path)
    window.grow()
    glances = Glances(window)
    while not glances.grow(pieces):
        pass
    whole = [None if row.entry is None else row.entry.event for row in window.rows(0, len(lines))]
    assert [glances.of(number) for number in range(glances.count())] == [by_hand(event) for event in whole]
    assert {number for number, event in enumerate(whole) if event is None} == {number for number in hurt if number < len(lines)}
    window.close()


def test_glances_follow_a_growing_trace_and_start_afresh_on_another(tmp_path):
    path = tmp_path / "trace.jsonl"
    write_trace(path, [tr.Noted(1, "one")])
    window = window_on_trace(path)
    window.grow()
    glances = Glances(window)
    assert glances.grow()
    write_trace(path, [tr.Waited(2, "busy", 1.0)])
    window.grow()
    assert glances.grow()
    assert [glances.of(number) for number in range(3)] == [Glance("noted", 1), Glance("waited", 2), None]
    write_trace(tmp_path / "other", [tr.Noted(7, "else")])
    (tmp_path / "other").replace(path)
    window.grow()
    assert glances.grow()
    assert [glances.of(number) for number in range(2)] == [Glance("noted", 7), None]
    window.close()


def test_more_iterations_than_two_bytes_can_tell_apart(tmp_path):
    path = tmp_path / "trace.jsonl"
    many = 66_000
    write_trace(path, [tr.Noted(number, "") for number in range(1, many + 1)])
    window = window_on_trace(path)
    window.grow()
    glances = Glances(window)
    assert glances.grow()
    assert [glances.of(number) for number in (0, 65_534, 65_535, many - 1)] == [
        Glance("noted", number) for number in (1, 65_535, 65_536, many)
    ]
    assert glances.codes.itemsize == 4
    window.close()
