"""What is read of a request, and the few things that are changed in it: pure, so tried with anything."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.agents.gateway.asked import MEDIA_TOKENS, Unreadable, read
from loopdeck.agents.gateway.fitted import fitted
from tests.agents.gateway.room import SPEECHES, Speech

CAPS: dict[Speech, tuple[str, ...]] = {
    "messages": ("max_tokens",),
    "chat": ("max_tokens", "max_completion_tokens"),
    "responses": ("max_output_tokens",),
    "gemini": ("maxOutputTokens", "max_output_tokens"),
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)
NAMES = st.sampled_from([
    "messages", "contents", "input", "tools", "max_tokens", "max_output_tokens", "max_completion_tokens", "n", "thinking", "stream",
    "stream_options", "generationConfig", "generation_config", "system", "metadata", "content", "source", "type", "parts", "file",
])  # fmt: skip
bodies = st.dictionaries(NAMES | st.text(max_size=6), json_values | st.dictionaries(NAMES, json_values, max_size=4), max_size=8)


def asked(speech: Speech, **fields: Any):
    """What is read of a request with these fields."""
    return read(speech, json.dumps({"model": "m", **fields}).encode(), "m")


def user(*blocks: dict[str, Any], speech: Speech = "messages") -> dict[str, Any]:
    """The fields of a request whose user says `blocks`."""
    match speech:
        case "responses":
            return {"input": [{"role": "user", "content": list(blocks)}]}
        case "gemini":
            return {"contents": [{"role": "user", "parts": list(blocks)}]}
        case _:
            return {"messages": [{"role": "user", "content": list(blocks)}]}


BOUNDED: list[tuple[Speech, dict[str, Any], int]] = [
    ("messages", user({"type": "text", "text": "https://x/y.png"}), 0),
    ("messages", user({"type": "image", "source": {"type": "base64", "data": "aGk="}}), 1),
    ("messages", user({"type": "tool_result", "content": [{"type": "image", "source": {"type": "base64", "data": "aGk="}}]}), 1),
    ("messages", {**user({"type": "tool_use", "input": {"source": {"type": "url"}, "file_id": 1}}), "tools": [{"name": "Bash"}]}, 0),
    ("messages", {**user(), "tools": [{"type": "bash_20250124", "name": "bash"}], "speed": "standard"}, 0),
    ("chat", user({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}), 1),
    ("chat", user({"type": "file", "file": {"file_data": "data:x"}}), 1),
    ("chat", {**user(), "tools": [{"type": "function", "function": {"name": "web_search"}}], "service_tier": "auto"}, 0),
    ("responses", {"input": "hi", "tools": [{"type": "local_shell"}, {"type": "function", "name": "x"}, {"type": "custom"}]}, 0),
    ("responses", user({"type": "input_image", "image_url": "data:image/png;base64,aGk="}, speech="responses"), 1),
    ("responses", {"input": [{"type": "function_call_output", "output": [{"type": "input_file", "file_data": "x"}]}]}, 1),
    ("gemini", {**user({"inlineData": {"data": "aGk="}}, speech="gemini"), "tools": [{"functionDeclarations": [{"name": "x"}]}]}, 1),
]
UNBOUNDED: list[tuple[Speech, dict[str, Any], str]] = [
    ("messages", user({"type": "image", "source": {"type": "url", "url": "https://x"}}), "file"),
    ("messages", user({"type": "document", "source": {"type": "file", "file_id": "f"}}), "file"),
    ("messages", user({"type": "tool_result", "content": [{"type": "image", "source": {"type": "url"}}]}), "file"),
    ("messages", user({"type": "document", "source": {"type": "content", "content": [{"source": {"type": "file"}}]}}), "file"),
    ("messages", user({"type": "container_upload", "file_id": "f"}), "file"),
    ("messages", {"tools": [{"type": "web_search_20250305"}]}, "tools"),
    ("messages", {"tools": [{"name": "a"}, {"type": "code_execution_20250825"}]}, "tools"),
    ("messages", {"mcp_servers": [{"url": "https://x"}]}, "tools"),
    ("messages", {"thread": "t"}, "conversation"),
    ("messages", {"container": "c"}, "conversation"),
    ("messages", {"speed": "fast"}, "price"),
    ("messages", {"context_management": {"edits": [{"type": "compact_20260112"}]}}, "summary"),
    ("chat", user({"type": "image_url", "image_url": {"url": "https://x"}}), "file"),
    ("chat", user({"type": "file", "file": {"file_id": "f"}}), "file"),
    ("chat", {"web_search_options": {}}, "tools"),
    ("chat", {"service_tier": "priority"}, "price"),
    ("responses", {"conversation": "c"}, "conversation"),
    ("responses", {"prompt": {"id": "p"}}, "conversation"),
    ("responses", {"background": True}, "later"),
    ("responses", {"tools": [{"type": "web_search_preview"}]}, "tools"),
    ("responses", {"tools": [{"type": "mcp", "server_url": "https://x"}]}, "tools"),
    ("responses", {"input": [{"type": "item_reference", "id": "x"}]}, "earlier answer"),
    ("responses", user({"type": "input_file", "file_url": "https://x"}, speech="responses"), "file"),
    ("responses", user({"type": "input_image", "file_id": "f"}, speech="responses"), "file"),
    ("gemini", {"cachedContent": "c"}, "conversation"),
    ("gemini", {"tools": [{"googleSearch": {}}]}, "tools"),
    ("gemini", {"tools": [{"functionDeclarations": [], "codeExecution": {}}]}, "tools"),
    ("gemini", user({"fileData": {"fileUri": "https://x"}}, speech="gemini"), "file"),
]


@pytest.mark.parametrize(("speech", "fields", "media"), BOUNDED)
def test_what_is_all_there_is_bounded_by_its_bytes_and_its_images(speech, fields, media):
    one = asked(speech, **fields)
    size = len(json.dumps({"model": "m", **fields}))
    assert one.unbounded == ""
    assert size + media * MEDIA_TOKENS < one.input_bound < size + media * MEDIA_TOKENS + 2000


@pytest.mark.parametrize(("speech", "fields", "word"), UNBOUNDED)
def test_what_can_come_to_anything_is_named(speech, fields, word):
    assert word in asked(speech, **fields).unbounded


def test_what_is_asked_for_is_read_in_every_dialect():
    chat = asked("chat", max_tokens=3, max_completion_tokens=7, n=4, stream=True, messages=[{}, {}])
    assert (chat.output, chat.choices, chat.stream, chat.messages) == (7, 4, True, 2)
    gemini = read(
        "gemini", b'{"generationConfig": {"maxOutputTokens": 5, "candidateCount": 2}, "contents": {}}', "gemini-2.5-pro", stream=True
    )
    assert (gemini.model, gemini.output, gemini.choices, gemini.stream, gemini.messages) == ("gemini-2.5-pro", 5, 2, True, 1)
    response = asked(
        "responses", input="hi", previous_response_id="r1", tools=[{"type": "function", "name": "go"}, {"type": "local_shell"}]
    )
    assert (response.output, response.previous, response.tools) == (None, "r1", ("go", "local_shell"))
    assert asked("chat", max_tokens=9, max_completion_tokens=7).output == 9
    assert asked("messages", max_tokens=True).output is None
    assert asked("messages", max_tokens=-4).output is None


@given(speech=st.sampled_from(SPEECHES), body=bodies)
def test_any_object_is_read_and_its_bound_is_never_below_its_bytes(speech, body):
    raw = json.dumps(body | {"model": "m"}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        one = read(speech, raw, "m")
    except Unreadable:
        # Half a surrogate is no JSON that a provider would take.
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(raw)
        return
    assert one.input_bound >= len(raw)
    assert one.choices >= 1
    assert one.output is None or one.output >= 1


@given(speech=st.sampled_from(SPEECHES), body=bodies, cap=st.integers(1, 9000), new_name=st.booleans())
def test_a_fitted_request_has_its_cap_and_every_other_value_as_it_was(speech, body, cap, new_name):
    raw = json.dumps(body | {"model": "m"}).encode()
    try:
        one = read(speech, raw, "m")
    except Unreadable:
        return
    sent = fitted(speech, raw, one, cap, new_name=new_name)
    after = read(speech, sent, "m")
    assert after.output is not None
    assert after.output <= cap
    assert after.output == min(one.output or cap, cap)
    if one.output is not None and one.output <= cap and speech != "chat":
        assert sent == raw
    before, now = json.loads(raw), json.loads(sent)
    ours = {"stream_options", "thinking", "generationConfig", "generation_config", *CAPS[speech]}
    assert {key: value for key, value in before.items() if key not in ours} == {k: v for k, v in now.items() if k not in ours}
    if speech == "chat" and one.stream:
        assert now["stream_options"]["include_usage"] is True


@pytest.mark.parametrize(
    ("budget", "cap", "thinking"),
    [
        (4000, 9000, {"type": "enabled", "budget_tokens": 4000}),
        (4000, 4000, {"type": "enabled", "budget_tokens": 2000}),
        (4000, 2048, {"type": "enabled", "budget_tokens": 1024}),
        (1500, 2100, {"type": "enabled", "budget_tokens": 1500}),
        (4000, 1500, {"type": "disabled"}),
    ],
)
def test_a_budget_for_thinking_stays_below_a_lowered_cap(budget, cap, thinking):
    body = {"model": "m", "max_tokens": 16_000, "thinking": {"type": "enabled", "budget_tokens": budget}, "messages": []}
    raw = json.dumps(body).encode()
    sent = json.loads(fitted("messages", raw, read("messages", raw), cap, new_name=False))
    assert (sent["max_tokens"], sent["thinking"]) == (cap, thinking)


def test_two_spellings_of_geminis_settings_become_one():
    raw = b'{"generationConfig": {"temperature": 1}, "generation_config": {"maxOutputTokens": 99999}, "contents": []}'
    sent = json.loads(fitted("gemini", raw, read("gemini", raw, "m"), 9, new_name=False))
    assert sent == {"generationConfig": {"temperature": 1, "maxOutputTokens": 9}, "contents": []}


@pytest.mark.parametrize(("new_name", "name"), [(True, "max_completion_tokens"), (False, "max_tokens")])
def test_a_chat_without_a_cap_gets_one_by_the_name_that_its_server_knows(new_name, name):
    raw = b'{"model":"m","messages":[]}'
    assert json.loads(fitted("chat", raw, read("chat", raw), 9, new_name=new_name))[name] == 9
