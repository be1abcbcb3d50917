"""An event in one line: short whatever its size, told the same to verb and screen, and marked when something went wrong."""

import time

import pytest

from loopdeck.core import trace as tr
from loopdeck.core.conversation import Opaque, Text, ToolUse
from loopdeck.core.traceline import WIDE, kind_of, line, told, words
from loopdeck.core.usage import Usage
from tests.store.samples import AT, LATER

LONG = "word " * 200_000
BLOCKS = (Text(LONG), ToolUse("t", "bash", LONG), Opaque("v", LONG))
EVENTS = [
    (tr.PromptSent(1, "maker", "m1", "m", (tr.PartNote("role", 12, "ab"),), 3), False),
    (tr.ModelReplied(1, "maker", "m1", "m", BLOCKS, "end", Usage(1, 2), 1.5, 10**9), False),
    (tr.ModelReplied(1, "maker", "m1", "m", (), "end", Usage(), 1.5, problem="malformed_output"), True),
    (tr.ModelFailed(1, "maker", "m1", "m", "server", LONG, 1.0), True),
    (tr.ToolCalled(1, "t", "bash", LONG), False),
    (tr.ToolReturned(1, "t", "bash", LONG), False),
    (tr.ToolReturned(1, "t", "bash", "no", True), True),
    (tr.ToolReturned(1, "t", "bash", "no", problem="tool_failed"), True),
    (tr.CheckRan(1, "tests", "passed", 1.0, 1.0, "c" * 40, tail=LONG), False),
    (tr.CheckRan(1, "tests", "failed", 0.0, 1.0, "c" * 40), True),
    (tr.CheckRan(1, "tests", "unknown", 0.0, 1.0, "c" * 40), True),
    (tr.StateRead(1, "maker", "ab" * 32), False),
    (tr.StateWritten(1, "check", "ab" * 32), False),
    (tr.Committed(1, "c" * 40, 1, 2, 3), False),
    (tr.Committed(1, "c" * 40, empty=True), False),
    (tr.Waited(1, "busy", 2.0), False),
    (tr.Noted(1, LONG), False),
    (LATER, False),
]  # fmt: skip


@pytest.mark.parametrize(("event", "trouble"), EVENTS, ids=lambda one: kind_of(one) if not isinstance(one, bool) else "")
def test_every_event_is_told_in_one_short_line(event, trouble):
    began = time.thread_time()
    one = told(event)
    said = line(AT, event)
    assert time.thread_time() - began < 0.5
    assert one.trouble == trouble
    assert "\n" not in said
    assert len(said) < 400
    assert len(one.said) <= WIDE
    assert one.kind == kind_of(event)
    assert said.startswith("07:15:00.123")
    assert all(isinstance(text, str) for text in words(event))


def test_the_line_of_a_reply_has_its_tokens_cost_and_time():
    reply = tr.ModelReplied(
        3, "maker", "m7", "m", (Text("Two\nlines."), ToolUse("t", "bash", "{}")), "tools", Usage(10, 5), 1.25, 8_100_000_000
    )
    assert line(AT, reply) == "07:15:00.123    3  model_replied   maker m7 15 tokens, asks for bash $0.0081 1.25 s: Two lines."


def test_an_agents_turn_says_nothing_of_a_model_nobody_named_nor_of_tokens_that_its_requests_took():
    sent = tr.PromptSent(1, "maker", "turn-1", "", (tr.PartNote("goal", 12, "ab"),), 1)
    assert told(sent).head == "maker turn-1: 1 part, 12 bytes, 1 message"
    ended = tr.ModelReplied(1, "maker", "turn-1", "", (Text("Mended."),), "end", Usage(), 4.18, 0)
    assert line(AT, ended) == "07:15:00.123    1  model_replied   maker turn-1 4.18 s: Mended."
    unpriced = tr.ModelReplied(1, "maker", "m1", "own", (), "end", Usage(3, 2), 1.0, None)
    assert line(AT, unpriced).endswith("maker m1 5 tokens 1.00 s")


def test_what_is_folded_is_counted():
    assert (told(tr.Noted(1, "x" * 3000)).size, len(told(tr.Noted(1, "x" * 3000)).said)) == (3000, WIDE)
