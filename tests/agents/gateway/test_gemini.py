"""Gemini's answers, read: usage by its kinds, however it is told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.agents.gateway.gemini import GeminiReader, unstreamed
from loopdeck.core.conversation import ModelFailed, ModelReply, Text, ToolUse
from loopdeck.core.usage import Usage


def heard(*chunks: dict[str, Any]) -> ModelReply:
    """The reply that these chunks come to."""
    reader = GeminiReader()
    for chunk in chunks:
        reader.feed(json.dumps(chunk).encode())
    assert reader.whole
    return reader.reply()


def chunk(*parts: dict[str, Any], finish: str = "", **usage: int) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}}
    return {"candidates": [candidate | ({"finishReason": finish} if finish else {})], "usageMetadata": usage}


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"promptTokenCount": 90, "candidatesTokenCount": 7, "totalTokenCount": 97}, Usage(90, 7)),
        ({"promptTokenCount": 90, "cachedContentTokenCount": 60, "candidatesTokenCount": 7}, Usage(30, 7, 60)),
        ({"promptTokenCount": 90, "candidatesTokenCount": 7, "thoughtsTokenCount": 20, "totalTokenCount": 117}, Usage(90, 27)),
        ({"promptTokenCount": 90, "toolUsePromptTokenCount": 10, "candidatesTokenCount": 7, "totalTokenCount": 107}, Usage(100, 7)),
        # What the parts leave out the total has.
        ({"promptTokenCount": 90, "candidatesTokenCount": 7, "totalTokenCount": 140}, Usage(90, 50)),
    ],
)
def test_usage_is_disjoint_and_whole(told, usage):
    reply = heard(chunk({"text": "a"}, promptTokenCount=90), chunk({"text": "b"}, finish="STOP", **told))
    assert (reply.usage, reply.certainty, reply.stop, reply.text) == (usage, "priced", "end", "ab")


def test_calls_thoughts_and_text_are_told_apart():
    reply = heard(
        chunk({"text": "hm", "thought": True}),
        chunk({"text": "I look. "}, {"functionCall": {"name": "look", "args": {"at": [1, "ü"]}}}),
        chunk({"functionCall": {"name": "look", "id": "c2"}}, finish="STOP", promptTokenCount=1),
    )
    assert reply.blocks == (Text("I look. "), ToolUse("look-1", "look", '{"at": [1, "\\u00fc"]}'), ToolUse("c2", "look", "{}"))
    assert reply.stop == "tools"


@pytest.mark.parametrize(("finish", "stop"), [("MAX_TOKENS", "max_output"), ("SAFETY", "refused"), ("RECITATION", "refused")])
def test_why_it_stopped(finish, stop):
    assert heard(chunk(finish=finish, promptTokenCount=1)).stop == stop


def test_a_blocked_prompt_is_a_refusal_that_is_billed_for_its_input():
    reply = heard({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 12, "totalTokenCount": 12}})
    assert (reply.stop, reply.usage) == ("refused", Usage(12))


def test_without_usage_it_is_estimated():
    reply = heard(chunk({"text": "x"}, finish="STOP"))
    assert (reply.usage, reply.certainty) == (Usage(), "estimated")


@pytest.mark.parametrize("before", [0, 1])
def test_an_error_in_the_stream_may_be_charged_once_it_began(before):
    reader = GeminiReader()
    for _ in range(before):
        reader.feed(json.dumps(chunk({"text": "x"})).encode())
    with pytest.raises(ModelFailed) as caught:
        reader.feed(b'{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}')
    assert (caught.value.kind, caught.value.maybe_charged) == ("overloaded", bool(before))


def test_a_stream_that_is_one_list_is_taken_apart():
    chunks = [chunk({"text": "a"}), chunk({"text": "b"}, finish="STOP", promptTokenCount=3)]
    assert [json.loads(one) for one in unstreamed(json.dumps(chunks).encode())] == chunks


@given(st.lists(st.integers(0, 5000), min_size=5, max_size=5))
def test_no_kind_is_ever_negative(numbers):
    prompt, cached, candidates, thoughts, total = numbers
    told = {
        "promptTokenCount": prompt, "cachedContentTokenCount": cached, "candidatesTokenCount": candidates,
        "thoughtsTokenCount": thoughts, "totalTokenCount": total,
    }  # fmt: skip
    usage = heard(chunk(finish="STOP", **told)).usage
    assert min(usage.input, usage.output, usage.cache_read, usage.cache_write) >= 0
    if prompt:
        assert usage.input + usage.cache_read == prompt
        assert usage.output >= candidates + thoughts
