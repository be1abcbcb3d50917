"""What is sent: its bound, its marks, its names, its sameness."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.agents.anthropic_messages import MessagesDialect
from loopdeck.agents.dialect import PREAMBLE_TOKENS, Dialect, Names, input_bound
from loopdeck.agents.openai_chat import ChatDialect
from loopdeck.agents.openai_responses import ResponsesDialect
from loopdeck.agents.sdk_line import SdkAgent
from loopdeck.core.conversation import Message, ModelRequest, Part, Text, ToolResult, ToolSchema, ToolUse
from tests.agents.calls import TOOLS, agent_for, request_for
from tests.kit.model_dialects import chat_complaint, messages_complaint
from tests.kit.model_ledger import Ledger
from tests.kit.model_responses import responses_complaint
from tests.kit.model_server import Answer, Request, serving

WORDS = st.text(st.characters(codec="utf-8"), max_size=60)
ARGUMENTS = st.one_of(WORDS, st.dictionaries(st.text("ab", max_size=2), WORDS, max_size=2).map(json.dumps))
PLAIN: dict[str, Callable[[], Dialect]] = {"messages": MessagesDialect, "chat": ChatDialect, "responses": ResponsesDialect}
COMPLAINTS = {"messages": messages_complaint, "chat": chat_complaint, "responses": responses_complaint}


@st.composite
def requests(draw):
    """Conversations as a runner makes them: every call has its result, in the message after it."""
    tools = tuple(
        ToolSchema(name, draw(WORDS), json.dumps({"type": "object", "properties": {draw(WORDS): {"type": "string"}}}))
        for name in draw(st.lists(st.sampled_from(["bash", "read_file", "git.hub", "git__hub", "x" * 80, "übel"]), unique=True))
    )
    messages = [Message("user", (Text(draw(WORDS)),))]
    for turn in range(draw(st.integers(0, 4))):
        names = draw(st.lists(st.sampled_from(["bash", "git.hub", "gone.tool"]), max_size=3))
        calls = tuple(ToolUse(f"id{turn}_{i}", name, draw(ARGUMENTS)) for i, name in enumerate(names))
        messages.append(Message("assistant", (Text(draw(WORDS)), *calls)))
        results = tuple(ToolResult(call.id, draw(WORDS), draw(st.booleans())) for call in calls)
        messages.append(Message("user", (Text(draw(WORDS)), *results)))
    system = tuple(Part(f"p{i}", draw(WORDS), stable=i < 2) for i in range(draw(st.integers(0, 3))))
    schema = draw(st.sampled_from(["", '{"type":"object"}']))
    return ModelRequest("some-model", system, tuple(messages), tools, draw(st.integers(1, 9999)), schema)


def counted(dialect, body: bytes) -> int:
    """What the loopback provider counts for `body`: its own preamble included."""
    decoded = json.loads(body)
    request = Request(1, dialect, "", "", "", True, 1, "", (), (), 0, tuple("t" for _ in decoded.get("tools") or ()), decoded, body)
    return Ledger().count(request)


def said(request) -> Iterator[str]:
    """Every text that a request carries."""
    yield from (part.text for part in request.system)
    for message in request.messages:
        for block in message.blocks:
            match block:
                case Text(text=text) | ToolUse(arguments=text) | ToolResult(output=text):
                    yield text


@pytest.mark.parametrize("name", PLAIN)
@given(request=requests())
@pytest.mark.req("S2-089")
def test_the_bound_is_never_below_what_a_provider_counts(name, request):
    body = PLAIN[name]().body(request)
    bound = input_bound(body)
    assert bound >= counted(name, body)
    # Even for a tokeniser of one token a byte, with the largest preamble that is documented.
    assert bound >= sum(len(text.encode()) for text in said(request) if text.strip()) + 800


@pytest.mark.parametrize("name", PLAIN)
@given(request=requests())
def test_what_is_sent_is_what_a_provider_accepts(name, request):
    assert COMPLAINTS[name](json.loads(PLAIN[name]().body(request))) == ""


def test_the_bound_covers_tokenisers_that_normalise():
    long = "\ufdfa" * 100
    assert input_bound(long.encode()) >= 100 * 18 + PREAMBLE_TOKENS


@pytest.mark.req("S2-081")
def test_cache_marks_are_on_the_stable_prefixes_and_the_moving_tail():
    def turn(n):
        return (
            Message("assistant", (Text("hm"), ToolUse(f"c{n}", "bash", "{}"))),
            Message("user", (ToolResult(f"c{n}", f"out {n}"),)),
        )

    request = request_for("messages", messages=(Message("user", (Text("go"),)), *turn(1), *turn(2)))
    body = json.loads(MessagesDialect().body(request))
    assert ["cache_control" in tool for tool in body["tools"]] == [False, True]
    assert ["cache_control" in part for part in body["system"]] == [True, False]
    marked = [i for i, message in enumerate(body["messages"]) if "cache_control" in message["content"][-1]]
    assert marked == [2, 4]


@pytest.mark.parametrize("name", PLAIN)
def test_a_longer_conversation_begins_with_the_bytes_of_the_shorter(name):
    """A provider's cache lives on equal beginnings."""
    short = request_for("chat")
    longer = request_for("chat", messages=(*short.messages, Message("assistant", (Text("hm"),)), *short.messages))

    def opening(request):
        body = json.loads(PLAIN[name]().body(request))
        for key in ("stream", "max_tokens", "max_output_tokens", "stream_options"):
            body.pop(key, None)
        text = json.dumps(body, sort_keys=False)
        return re.sub(r', "cache_control": {"type": "ephemeral"}', "", text).rstrip("]}")

    assert opening(longer).startswith(opening(short))


@given(st.lists(st.text(max_size=90), unique=True, max_size=12))
def test_names_are_acceptable_and_come_back(names):
    table = Names(ToolSchema(name, "", "{}") for name in names)
    wire = [table.wire(name) for name in names]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one) for one in wire)
    assert len(set(wire)) == len(set(names))
    assert [table.ours(one) for one in wire] == names


def test_names_that_need_no_change_have_none():
    table = Names(TOOLS)
    assert (table.wire("bash"), table.wire("files.read"), table.ours("never_offered")) == ("bash", "files__read", "never_offered")


@pytest.mark.parametrize("counts", [True, False])
def test_the_vendor_counts_tokens_when_asked_and_the_figure_has_a_margin(counts, monkeypatch):
    async def go():
        # The way to the vendor leads through the server as a proxy.
        agent = agent_for("messages", "http://api.anthropic.com")
        request = request_for("messages", "word " * 2000)
        said = await agent.count_input(request), agent.input_bound(request)
        await agent.call(request, lambda text: None)
        await agent.close()
        return said

    with serving(lambda request: Answer(text="ok"), counts=counts) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        monkeypatch.delenv("NO_PROXY")
        count, bound = asyncio.run(go())
        billed = server.ledger.billed()
        assert (count is not None) is counts
        assert billed.tokens - billed.output <= (count or bound) <= bound


@pytest.mark.parametrize("path", ["", "/v1"])
def test_a_server_that_is_not_the_vendors_is_asked_for_nothing_but_messages(path, monkeypatch):
    async def go(agent: SdkAgent):
        count = await agent.count_input(request_for("messages"))
        await agent.close()
        return count

    with serving(lambda request: Answer(text="ok")) as server:
        connections: list[int] = []
        server.on_connection = connections.append
        assert asyncio.run(go(agent_for("messages", f"{server.url}{path}"))) is None
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        assert asyncio.run(go(agent_for("messages", ""))) is None
    assert connections == []
