"""What comes back from a model, in each dialect, over real HTTP."""

import asyncio
import json
from dataclasses import replace

import pytest

from loopdeck.core.conversation import Message, ModelFailed, Opaque, Text, ToolResult, ToolUse
from loopdeck.core.usage import Usage
from tests.agents.calls import DIALECTS, agent_for, ask, failed, request_for
from tests.kit.model_server import Answer, Call, Hang, Request, serving
from tests.kit.model_talk import Refuse

SCHEMA = '{"type":"object","properties":{"passed":{"type":"boolean"}},"required":["passed"],"additionalProperties":false}'


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


def grown(request, reply, results=()):
    """`request` with the reply to it, and the results of its calls, or a word of the user."""
    results = results or tuple(ToolResult(call.id, f"ran {call.tool}") for call in reply.calls)
    said = Message("user", results or (Text("Go on."),))
    return request_for_messages(request, (*request.messages, Message("assistant", reply.blocks), said))


def request_for_messages(request, messages):
    return type(request)(request.model, request.system, messages, request.tools, request.max_output, request.answer_schema)


def test_text_streams_in_and_is_the_reply(dialect):
    heard: list[str] = []

    async def go(url):
        agent = agent_for(dialect, url)
        reply = await agent.call(request_for(dialect), heard.append)
        await agent.close()
        return reply

    with serving(lambda request: Answer(text="Grüße from the model, in several pieces. ✓", piece=5)) as server:
        reply = asyncio.run(go(server.url))
    assert reply.text == "".join(heard) == "Grüße from the model, in several pieces. ✓"
    assert len(heard) > 5
    assert (reply.stop, reply.certainty, reply.calls) == ("end", "priced", ())
    assert reply.request_id
    assert reply.model == request_for(dialect).model


def test_tool_calls_come_with_our_names_and_the_results_are_accepted(dialect):
    def scenario(request: Request) -> Answer:
        if request.turns:
            return Answer(text=f"saw {request.results}")
        return Answer(text="Looking.", calls=(Call("files__read", '{"path": "a.py"}'), Call("bash", '{"command": "ls"}')))

    with serving(scenario) as server:
        first = request_for(dialect)
        (reply,) = ask(server, dialect, first)
        assert [(call.tool, json.loads(call.arguments)) for call in reply.calls] == [
            ("files.read", {"path": "a.py"}),
            ("bash", {"command": "ls"}),
        ]
        assert reply.stop == "tools"
        results = (ToolResult(reply.calls[0].id, "x = 1"), ToolResult(reply.calls[1].id, "no such file", is_error=True))
        (last,) = ask(server, dialect, grown(first, reply, results))
    assert "x = 1" in last.text
    assert "no such file" in last.text


@pytest.mark.parametrize("written", ['{"path": "a', "not json at all", '["a list"]', '{"a": NaN}', "[" * 5000])
@pytest.mark.req("S2-093")
def test_malformed_arguments_arrive_as_the_text_they_were_and_can_be_handed_back(dialect, written):
    def scenario(request: Request) -> Answer:
        return Answer(text="sorry") if request.turns else Answer(calls=(Call("bash", written),))

    with serving(scenario) as server:
        first = request_for(dialect, max_output=5000)
        (reply,) = ask(server, dialect, first)
        assert reply.calls[0].arguments == written
        (last,) = ask(server, dialect, grown(first, reply))
    assert last.text == "sorry"


def test_a_call_without_arguments_has_an_empty_object(dialect):
    with serving(lambda request: Answer(calls=(Call("bash", ""),))) as server:
        (reply,) = ask(server, dialect, request_for(dialect))
    assert reply.calls[0].arguments == "{}"


def test_usage_equals_the_bill_over_a_whole_conversation(dialect):
    def scenario(request: Request) -> Answer:
        if request.turns < 5:
            return Answer(text=f"Step {request.turns}.", calls=(Call("bash", json.dumps({"command": "x" * 200})),))
        return Answer(text="Done.", told="end")

    async def go(url):
        agent, request, total = agent_for(dialect, f"{url}/loop-a"), request_for(dialect, "A long brief. " * 300), Usage()
        while True:
            reply = await agent.call(request, lambda text: None)
            total += reply.usage
            if reply.stop == "end":
                await agent.close()
                return total
            request = grown(request, reply)

    with serving(scenario) as server:
        total = asyncio.run(go(server.url))
        assert total == server.ledger.billed(tag="loop-a")
        assert total.cache_read > total.input
        assert (total.cache_write > 0) == (dialect == "messages")
        assert all(charge.key == "test-key" for charge in server.ledger.charges)


@pytest.mark.parametrize("told", ["start", "end"])
def test_usage_is_exact_wherever_the_server_tells_it(dialect, told):
    billed = Usage(1000, 77, 12_000, 0 if dialect == "responses" else 300)
    with serving(lambda request: Answer(text="ok", usage=billed, told=told)) as server:
        (reply,) = ask(server, dialect, request_for(dialect))
    assert (reply.usage, reply.certainty) == (billed, "priced")


@pytest.mark.parametrize("calls", [(), (Call("bash"),)])
def test_usage_that_is_not_told_is_estimated_and_never_below_the_bill(dialect, calls):
    with serving(lambda request: Answer(text="words " * 50, calls=calls, told="never")) as server:
        (reply,) = ask(server, dialect, request_for(dialect))
        billed = server.ledger.billed()
    assert reply.certainty == "estimated"
    assert reply.usage.input >= billed.input + billed.cache_read + billed.cache_write
    assert reply.usage.output >= billed.output


def test_what_only_the_vendor_understands_is_handed_back_unchanged(dialect):
    def scenario(request: Request) -> Answer:
        return Answer(text="ok") if request.turns else Answer(text="hm", thinking="a long, sealed thought", calls=(Call("bash"),))

    with serving(scenario) as server:
        first = request_for(dialect)
        (reply,) = ask(server, dialect, first)
        ask(server, dialect, grown(first, reply))
        again = server.requests[-1].raw.decode()
    sealed = [block.raw for block in reply.blocks if isinstance(block, Opaque)]
    match dialect:
        case "messages":
            assert json.loads(sealed[0]) == {"type": "thinking", "thinking": "a long, sealed thought", "signature": "sig-1"}
            assert sealed[0] in again
        case "responses":
            assert json.loads(sealed[0])["encrypted_content"] == "sealed-1"
            assert sealed[0] in again
        case _:
            assert json.loads(sealed[0])["reasoning_content"] == "a long, sealed thought"
            assert '"reasoning_content":"a long, sealed thought"' in again


def test_another_vendors_blocks_are_left_out(dialect):
    strange = Message("assistant", (Opaque("somebody", '{"type":"secret"}'), Text("Hello.")))
    request = request_for(dialect)
    with serving(lambda request: Answer(text="ok")) as server:
        ask(server, dialect, request_for_messages(request, (*request.messages, strange, *request.messages)))
        assert b"secret" not in server.requests[0].raw


def test_a_structured_answer_is_the_replys_only_text(dialect):
    verdict = '{"passed": true}'

    def scenario(request: Request) -> Answer:
        if dialect == "messages":
            assert request.body["tool_choice"] == {"type": "tool", "name": request.tools[-1]}
            return Answer(text="Here it is:", calls=(Call(request.tools[-1], verdict),))
        form = request.body["response_format"]["json_schema"] if dialect == "chat" else request.body["text"]["format"]
        assert (form["strict"], form["schema"]) == (True, json.loads(SCHEMA))
        return Answer(text=verdict)

    with serving(scenario) as server:
        (reply,) = ask(server, dialect, request_for(dialect, tools=(), answer_schema=SCHEMA))
    assert (reply.text, reply.calls, reply.stop) == (verdict, (), "end")


def test_a_schema_beyond_strict_mode_is_sent_as_a_wish():
    loose = '{"type":"object","properties":{"score":{"type":"number","minimum":0}}}'
    with serving(lambda request: Answer(text="{}")) as server:
        ask(server, "chat", request_for("chat", answer_schema=loose))
        assert server.requests[0].body["response_format"]["json_schema"]["strict"] is False


@pytest.mark.parametrize(
    ("dialect", "word", "stop"),
    [
        ("messages", "refusal", "refused"),
        ("messages", "max_tokens", "max_output"),
        ("messages", "pause_turn", "max_output"),
        ("messages", "model_context_window_exceeded", "max_output"),
        ("messages", "stop_sequence", "end"),
        ("messages", "a_word_from_next_year", "end"),
        ("chat", "content_filter", "refused"),
        ("chat", "length", "max_output"),
        ("responses", "refusal", "refused"),
        ("responses", "content_filter", "refused"),
        ("responses", "max_tokens", "max_output"),
    ],
)
def test_why_a_reply_stopped(dialect, word, stop):
    with serving(lambda request: Answer(text="I would rather", stop=word)) as server:
        (reply,) = ask(server, dialect, request_for(dialect))
        assert reply.usage == server.ledger.billed()
    assert (reply.stop, reply.text) == (stop, "I would rather")


def test_the_output_cap_is_sent_and_a_reply_that_meets_it_says_so(dialect):
    with serving(lambda request: Answer(text="word " * 1000)) as server:
        (reply,) = ask(server, dialect, request_for(dialect, max_output=40))
    assert (reply.stop, reply.usage.output) == ("max_output", 40)


def test_text_that_utf8_cannot_carry_is_mended_not_refused(dialect):
    with serving(lambda request: Answer(text=f"you said {request.prompt}")) as server:
        (reply,) = ask(server, dialect, request_for(dialect, "a file named \udcff\udcfe, and \U0001f600"))
    assert reply.text == "you said a file named ??, and \U0001f600"


def test_cancelling_the_call_closes_the_connection(dialect):
    async def go(url, server):
        agent = agent_for(dialect, url)
        heard = asyncio.Event()
        task = asyncio.create_task(agent.call(request_for(dialect), lambda text: heard.set()))
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            while not server.gone:
                await asyncio.sleep(0.01)
        await agent.close()

    # Paced, because the server counts who hangs up while it waits, not while it writes.
    with serving(lambda request: Answer(text="a long story " * 20, piece=10, pace_s=0.02, fault=Hang(12))) as server:
        asyncio.run(go(server.url, server))
        assert server.gone == 1


def test_one_connection_serves_many_turns(dialect):
    ports: set[int] = set()
    with serving(lambda request: Answer(text="ok")) as server:
        server.on_connection = ports.add
        ask(server, dialect, *[request_for(dialect)] * 5)
    assert len(ports) == 1


@pytest.mark.parametrize(
    ("refusal", "gone", "there"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "max_completion_tokens",
        ),
        ("stream_options: extra fields not permitted", "stream_options", "stream"),
        ("This model does not support response_format json_schema", "response_format", "messages"),
    ],
)
def test_a_parameter_that_a_server_refuses_is_left_out_for_good(refusal, gone, there):
    def scenario(request: Request) -> Answer:
        return Answer(fault=Refuse(400, "invalid_request_error", refusal)) if gone in request.body else Answer(text="ok")

    with serving(scenario) as server:
        request = request_for("chat", answer_schema=SCHEMA)
        replies = ask(server, "chat", request, request)
        assert [reply.text for reply in replies] == ["ok", "ok"]
        assert len(server.requests) == 3
        assert there in server.requests[-1].body


def test_a_model_that_cannot_seal_its_reasoning_is_asked_without():
    def scenario(request: Request) -> Answer:
        if "include" in request.body:
            return Answer(fault=Refuse(400, "invalid_request_error", "Encrypted content is not supported with this model."))
        return Answer(text="ok", thinking="unsealed")

    with serving(scenario) as server:
        (reply,) = ask(server, "responses", request_for("responses"))
    assert reply.blocks == (Text("ok"),)


def test_a_refusal_of_something_we_need_is_a_failure():
    message = "max_tokens is too large: 500. This model supports at most 100."
    with serving(lambda request: Answer(fault=Refuse(400, "invalid_request_error", message))) as server:
        failure = failed(server, "chat")
        assert (failure.kind, failure.maybe_charged) == ("request", False)
        assert len(server.requests) == 1


def test_calls_from_servers_that_number_them_carelessly():
    """Some give every call the index 0, some none and no id: an id that changes is another call."""
    from loopdeck.agents.openai_chat import ChatDialect

    def heard(*deltas):
        reader = ChatDialect().reader(request_for("chat"))
        for delta in deltas:
            reader.feed(json.dumps({"id": "c1", "choices": [{"delta": {"tool_calls": [delta]}}]}).encode())
        reader.feed(
            b'{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":9}}'
        )
        return reader.reply()

    one = {"index": 0, "id": "a", "function": {"name": "bash", "arguments": "{}"}}
    two = {"index": 0, "id": "b", "function": {"name": "files__read", "arguments": '{"path":"x"}'}}
    reply = heard(one, two)
    assert reply.calls == (ToolUse("a", "bash", "{}"), ToolUse("b", "files.read", '{"path":"x"}'))
    assert reply.stop == "tools"
    assert reply.usage == Usage(5, 4)
    (call,) = heard({"function": {"name": "bash", "arguments": '{"a"'}}, {"function": {"arguments": ":1}"}}).calls
    assert (call.tool, call.arguments) == ("bash", '{"a":1}')
    assert call.id


def test_a_whole_answer_where_a_stream_was_asked_for_is_understood(dialect):
    call = Call("files__read", '{"path":"a.py"}')
    answers = [Answer("Reading.", (call,)), Answer("Done.")]
    with serving(lambda request: replace(answers[request.turns], plain=True)) as server:
        first = request_for(dialect)
        (reply,) = ask(server, dialect, first)
        assert (reply.text, reply.stop, reply.certainty) == ("Reading.", "tools", "priced")
        (use,) = reply.calls
        assert (use.tool, json.loads(use.arguments)) == ("files.read", {"path": "a.py"})
        (last,) = ask(server, dialect, grown(first, reply))
        assert (last.text, last.stop) == ("Done.", "end")
        assert reply.usage + last.usage == server.ledger.billed()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"answer": 42}', "malformed"),
        (b'{"content": 42, "choices": 42, "output": 42}', "malformed"),
        (b'{"content": [42], "choices": [42], "output": [42]}', "malformed"),
        (b'{"content": [{"type": ', "malformed"),
        (b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}', "overloaded"),
        (b"", "malformed"),
    ],
)
def test_a_body_that_is_neither_a_stream_nor_an_answer_fails_by_its_kind(dialect, body, kind):
    with serving(lambda request: Answer(fault=Refuse(200, body=body))) as server:
        assert failed(server, dialect).kind == kind


def test_an_answer_that_is_no_stream_says_so(dialect):
    with serving(
        lambda request: Answer(fault=Refuse(200, body=b"<html>login</html>", headers={"Content-Type": "text/html"}))
    ) as server:
        failure = failed(server, dialect)
    assert failure.kind == "malformed"
    assert "text/html" in failure.message
    assert isinstance(failure, ModelFailed)
