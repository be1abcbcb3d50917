"""Ways through a trace: where an iteration or a minute begins, causes and effects; one event in full; the export."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import trace as tr
from loopdeck.core.conversation import Opaque, Text, ToolResult, ToolUse
from loopdeck.core.usage import Usage
from loopdeck.deck import tracelinks
from loopdeck.deck.traceevent import estimated_tokens, event_text
from loopdeck.deck.traceexport import export
from loopdeck.errors import StoreError
from loopdeck.store.blobs import Blobs
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import TraceWriter, window_on_trace
from tests.kit.traces import iteration, turn, write_trace
from tests.store.samples import LATER, unchanged


def window_of(path, events):
    path.unlink(missing_ok=True)
    write_trace(path, events)
    window = window_on_trace(path)
    window.grow()
    return window


def timed(path, times):
    writer = TraceWriter.open(path, 1, unchanged)
    for number, at in enumerate(times):
        writer.append(tr.Noted(1, str(number)), at=at, clock=float(number))
    writer.close()
    window = window_on_trace(path)
    window.grow()
    return window


@given(sizes=st.lists(st.integers(0, 3), max_size=6), hurt=st.sets(st.integers(0, 80), max_size=6))
@settings(max_examples=40)
def test_an_iteration_is_found_where_its_first_line_is(tmp_path, sizes, hurt):
    path = tmp_path / "trace.jsonl"
    path.unlink(missing_ok=True)
    write_trace(path, [event for number, turns in enumerate(sizes, 1) if turns for event in iteration(number, turns)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(b"damage\n" if number in hurt else line for number, line in enumerate(lines)))
    window = window_on_trace(path)
    window.grow()
    rows = window.rows(0, len(lines))
    for wanted in range(1, len(sizes) + 2):
        good = [row.number for row in rows if row.entry and getattr(row.entry.event, "iteration", 0) >= wanted]
        found = tracelinks.iteration_start(window, wanted, len(lines))
        if good:
            # What can't be read right before it may as well belong to it.
            assert found is not None
            assert found <= good[0]
            assert all(rows[number].entry is None for number in range(found, good[0]))
        else:
            assert found is None or all(row.entry is None for row in rows[found:])
    window.close()


def test_a_time_of_the_day_a_line_or_an_iteration_is_jumped_to(tmp_path):
    times = [f"2026-11-21T07:{minute:02}:00.000Z" for minute in range(50)] + [
        f"2026-11-22T07:{minute:02}:00.000Z" for minute in range(10)
    ]
    window = timed(tmp_path / "trace.jsonl", times)
    count = len(times)

    def to(words, near=0):
        return tracelinks.target(window, words, near, count)

    assert to("07:15") == 15
    assert to("7:15:30") == 16
    assert (to("07:05", near=55), to("07:15", near=55)) == (55, None)
    assert to("2026-11-22T07:03") == 53
    assert to("2026-11-22 07:03:00Z") == 53
    assert to("23:59") == 50
    assert to("23:59", near=55) is None
    assert (to("1"), to("17"), to("0"), to("99999999999999999999999")) == (0, 16, 0, count - 1)
    assert (to("i1"), to("i2")) == (0, None)
    assert [to(words) for words in ("", "x", "i", "12:", "-3", "1e3")] == [None] * 6
    window.close()


def test_from_a_result_to_its_call_to_the_reply_to_the_prompt_and_back(tmp_path):
    window = window_of(tmp_path / "t", [*iteration(1), *iteration(2)])
    result = 8
    call, reply, prompt = 7, 6, 5
    assert [tracelinks.cause(window, number) for number in (result, call, reply, prompt)] == [call, reply, prompt, None]
    assert [tracelinks.effect(window, number) for number in (prompt, reply, call, result)] == [reply, call, result, None]
    # The commit and the checks come of the last reply of their iteration; what the state was read for, of nothing.
    assert [tracelinks.cause(window, number) for number in (13, 14, 15, 16)] == [10] * 4
    assert tracelinks.cause(window, 17) is None
    assert tracelinks.cause(window, 999) is tracelinks.effect(window, 999) is None
    window.close()


def test_a_refused_call_has_no_call_of_its_own_and_leads_to_the_reply(tmp_path):
    events = turn(1, 1)
    del events[2]
    window = window_of(tmp_path / "t", events)
    assert tracelinks.cause(window, 2) == 1
    assert tracelinks.effect(window, 1) == 2
    window.close()


def test_one_id_for_all_calls_still_leads_to_the_nearest(tmp_path):
    one = [event for _ in range(3) for event in turn(7, 1)]
    window = window_of(tmp_path / "t", one)
    assert [tracelinks.cause(window, number) for number in (3, 7, 11)] == [2, 6, 10]
    assert [tracelinks.effect(window, number) for number in (2, 6, 10)] == [3, 7, 11]
    window.close()


def test_damage_and_later_kinds_on_the_way_are_stepped_over(tmp_path):
    path = tmp_path / "t"
    first, *rest = turn(1, 1)
    write_trace(path, [first, LATER, *rest])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"\x9b\n", *lines[3:]]))
    window = window_on_trace(path)
    window.grow()
    assert tracelinks.cause(window, 2) == 0
    assert tracelinks.effect(window, 2) == 4
    assert tracelinks.cause(window, 3) is None
    window.close()


# One event in full


def run_with(tmp_path, events):
    paths = RunPaths(tmp_path / "loop" / "20261121-0715-a3f9")
    write_trace(paths.trace, events)
    return paths


@pytest.mark.req("S2-016")
def test_a_prompt_shows_what_was_sent_part_by_part_and_the_reply_beside_it(tmp_path):
    blobs = Blobs(tmp_path / "loop" / "20261121-0715-a3f9" / "blobs")
    role, state = "You are the maker.", "# State\nnothing yet ünd so"
    parts = (
        tr.PartNote("role", len(role.encode()), blobs.put(role.encode()), "maker.md", True),
        tr.PartNote("state", len(state.encode()), blobs.put(state.encode()), "STATE.md"),
    )
    sent = tr.PromptSent(1, "maker", "m2", "model-x", parts, 3, ("bash",), 900, "fresh", "maker.md@123")
    before = turn(1, 1)
    reply = tr.ModelReplied(1, "maker", "m2", "model-x", (Text("Hello."),), "end", Usage(100, 20, 300, 40), 1.5, 2_000_000_000)
    shown = event_text(run_with(tmp_path, [*before, sent, reply]), len(before))
    assert (shown.kind, shown.number) == ("prompt_sent", 4)
    facts = dict(shown.facts)
    assert facts["sent"].startswith(f"2 parts, {len(role) + len(state.encode())} bytes, ~{estimated_tokens(18 + 27)} tokens")
    assert [(one.title, one.text, one.figures) for one in shown.sections[:2]] == [
        ("role", role, ("1", "18", "~5", "steady", "maker.md")),
        ("state", state, ("2", str(len(state.encode())), f"~{estimated_tokens(len(state.encode()))}", "changing", "STATE.md")),
    ]
    talk = shown.sections[2]
    assert talk.title == "the conversation so far"
    assert "line 2  reply" in talk.text
    assert "line 4  result of bash" in talk.text
    assert shown.beside[0].title == "the reply"
    assert "300 of 440 tokens read from the cache (68%)" in shown.beside[0].text
    assert "$0.002000 (priced)" in shown.beside[0].text
    assert shown.beside[1].text == "Hello."


def test_a_prompt_without_an_answer_yet_says_so(tmp_path):
    shown = event_text(run_with(tmp_path, turn(1, 1)[:1]), 0)
    assert shown.beside[0].title == "no reply"
    assert [one.text for one in shown.sections] == ["[there is no such blob]"] * 2


def test_a_result_is_shown_whole_from_its_blob_or_says_why_not(tmp_path):
    blobs = Blobs(tmp_path / "loop" / "20261121-0715-a3f9" / "blobs")
    whole = '{"deep": {"list": [1, 2]}}'
    name = blobs.put(whole.encode())
    events = [
        tr.ToolReturned(1, "t", "bash", "cut", blob=name, seconds=0.5),
        tr.ToolReturned(1, "t", "bash", "cut", True, blob="ab" * 32),
    ]
    paths = run_with(tmp_path, events)
    kept, lost = event_text(paths, 0), event_text(paths, 1)
    assert kept.sections[0].text == '{\n  "deep": {\n    "list": [\n      1,\n      2\n    ]\n  }\n}'
    assert dict(kept.facts)["took"] == "0.500 s"
    assert lost.sections[0].text == "cut"
    assert "there is no such blob" in lost.sections[0].note


def test_every_kind_of_event_and_every_block_can_be_shown(tmp_path):
    blocks = (Text("a"), ToolUse("t", "bash", "{broken"), ToolResult("t", "out"), Opaque("vendor", '{"x":1}'))
    events = [
        *iteration(1),
        tr.ModelReplied(1, "check", "m", "m", blocks, "end", Usage(), 1.0, None, problem="malformed_output"),
        tr.ModelFailed(1, "maker", "m", "m", "overloaded", "later", 1.0, 3.0),
        tr.Waited(1, "overloaded", 3.0),
        tr.Noted(1, "[" * 5000),
        LATER,
    ]
    paths = run_with(tmp_path, events)
    with paths.trace.open("ab") as file:
        file.write(b"\xff damage \x1b]0;x\x07\n")
    for number in range(len(events)):
        shown = event_text(paths, number)
        assert shown.kind
        assert shown.facts
        assert shown.sections or shown.kind in ("committed", "waited")
    damaged = event_text(paths, len(events))
    assert (damaged.title, "damage" in damaged.sections[0].text) == ("damaged", True)
    assert event_text(paths, len(events) + 1).title == "not there"


# The export


def test_an_export_holds_exactly_the_lines_shown_and_never_overwrites(tmp_path):
    trace, folder = tmp_path / "trace.jsonl", tmp_path / "here"
    folder.mkdir()
    write_trace(trace, [*iteration(1), *iteration(2)])
    lines = trace.read_bytes().splitlines(keepends=True)
    (folder / "run.jsonl").write_text("mine")
    (folder / "run-2.jsonl").symlink_to(tmp_path / "elsewhere")
    assert export(trace, folder, "run", [5, 1, 9]) == folder / "run-3.jsonl"
    assert export(trace, folder, "run", None) == folder / "run-4.jsonl"
    assert export(trace, folder, "run", []) == folder / "run-5.jsonl"
    assert (folder / "run-3.jsonl").read_bytes() == lines[1] + lines[5] + lines[9]
    assert (folder / "run-4.jsonl").read_bytes() == trace.read_bytes()
    assert (folder / "run-5.jsonl").read_bytes() == b""
    assert (folder / "run.jsonl").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()
    assert (folder / "run-3.jsonl").stat().st_mode & 0o777 == 0o600


def test_an_export_to_a_place_that_can_not_be_written_is_refused_in_words(tmp_path):
    write_trace(tmp_path / "trace.jsonl", iteration(1))
    with pytest.raises(StoreError, match="can't make the export"):
        export(tmp_path / "trace.jsonl", tmp_path / "missing", "run", None)
