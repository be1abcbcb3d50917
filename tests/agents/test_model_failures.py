"""Every way a model call can fail: its kind, its patience, and whether it may have cost something."""

import asyncio
import email.utils
import socket
import time

import pytest

from loopdeck.agents import failures
from loopdeck.agents.registry import make_agent
from loopdeck.core.conversation import ModelFailed, ModelReply
from tests.agents.calls import DIALECTS, agent_for, ask, failed, request_for
from tests.kit.model_server import (
    Answer,
    Call,
    Cut,
    ErrorEvent,
    Garble,
    Hang,
    Refuse,
    broken,
    overloaded,
    rate_limited,
    serving,
)


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


REFUSALS = [
    (rate_limited(), "rate_limit"),
    (overloaded(), "overloaded"),
    (broken(500), "server"),
    (broken(502), "server"),
    (broken(503), "server"),
    (Answer(fault=Refuse(503, "server_error", "The engine is currently overloaded")), "overloaded"),
    (Answer(fault=Refuse(409, "conflict", "lock")), "server"),
    (Answer(fault=Refuse(400, "invalid_request_error", "bad field")), "request"),
    (Answer(fault=Refuse(400, "invalid_request_error", "tool rate_limit_check, overloaded_error: bad name")), "request"),
    (Answer(fault=Refuse(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")), "context"),
    (Answer(fault=Refuse(400, "context_length_exceeded", "too many")), "context"),
    (Answer(fault=Refuse(400, "invalid_request_error", "Your credit balance is too low")), "auth"),
    (Answer(fault=Refuse(401, "authentication_error", "invalid x-api-key")), "auth"),
    (Answer(fault=Refuse(402, "billing_error", "pay first")), "auth"),
    (Answer(fault=Refuse(403, "permission_error", "not yours")), "auth"),
    (Answer(fault=Refuse(404, "not_found_error", "model: nope")), "request"),
    (Answer(fault=Refuse(413, "request_too_large", "too large")), "context"),
    (Answer(fault=Refuse(422, "unprocessable", "no")), "request"),
    (Answer(fault=Refuse(429, "insufficient_quota", "You exceeded your current quota")), "auth"),
    (Answer(fault=Refuse(429, "rate_limit_error", "add a payment method at /account/billing")), "rate_limit"),
    (Answer(fault=Refuse(429, "rate_limit_error", "never", {"x-should-retry": "false"})), "request"),
    (Answer(fault=Refuse(500, body=b"<html>not json</html>")), "server"),
    (Answer(fault=Refuse(418, body=b"[1, 2]")), "request"),
]


@pytest.mark.parametrize(("answer", "kind"), REFUSALS, ids=lambda value: value if isinstance(value, str) else value.fault.status)
def test_a_refusal_costs_nothing_and_has_a_kind(dialect, answer, kind):
    with serving(lambda request: answer) as server:
        failure = failed(server, dialect)
        assert server.ledger.charges == []
        assert len(server.requests) == 1
    assert (failure.kind, failure.maybe_charged) == (kind, False)
    assert str(answer.fault.status) in failure.message


@pytest.mark.parametrize("status", [408, 504, 524])
def test_a_proxy_that_gave_up_may_have_left_a_bill(dialect, status):
    with serving(lambda request: broken(status)) as server:
        failure = failed(server, dialect)
    assert (failure.kind, failure.maybe_charged) == ("timeout", True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.25"}, 0.25),
        ({"retry_after": "30", "retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-3"}, 0.0),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "1e999"}, None),
    ],
)
def test_the_wait_a_provider_asks_for_is_passed_on(dialect, headers, seconds):
    with serving(lambda request: rate_limited(**headers)) as server:
        assert failed(server, dialect).retry_after == seconds


def test_the_wait_may_be_a_date():
    now = time.time()
    assert failures.retry_after({"retry-after": email.utils.formatdate(now + 90, usegmt=True)}, now) == pytest.approx(90, abs=1)
    assert failures.retry_after({"retry-after": email.utils.formatdate(now - 90, usegmt=True)}, now) == 0
    there = {"retry-after": email.utils.formatdate(now + 90, usegmt=True), "date": email.utils.formatdate(now, usegmt=True)}
    for ours in (now - 10**8, now + 10**8):
        assert failures.retry_after(there, ours) == 90, "whatever our own clock says"
    assert failures.retry_after({"retry-after": "Wed, 99 Nov 2026 99:00:00 GMT"}, now) is None


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("calls", [(), (Call("bash", '{"command": "ls"}'),)])
def test_a_stream_cut_after_any_event_is_cut_and_the_bound_covers_the_bill(dialect, clean, calls):
    """Walks every event of a reply; the last few may be missing without loss, then the reply is whole."""
    heard: dict[int, ModelReply | ModelFailed] = {}

    async def go(server):
        agent = agent_for(dialect, server.url)
        request = request_for(dialect)
        for after in range(30):
            try:
                heard[after] = await agent.call(request, lambda text: None)
            except ModelFailed as failure:
                heard[after] = failure
        await agent.close()
        return agent.input_bound(request), request.max_output

    with serving(lambda request: Answer(text="some words here", calls=calls, fault=Cut(request.n - 1, clean=clean))) as server:
        bound, cap = asyncio.run(go(server))
        bills = [charge.usage for charge in server.ledger.charges]
    whole = [after for after, reply in heard.items() if not isinstance(reply, ModelFailed)]
    assert whole == list(range(whole[0], 30))
    assert whole[0] >= 3
    for after, billed in enumerate(bills):
        reply = heard[after]
        assert billed.tokens - billed.output <= bound
        assert billed.output <= cap
        if isinstance(reply, ModelFailed):
            assert (reply.kind, reply.maybe_charged) == ("cut", True)
            continue
        assert (reply.text, len(reply.calls)) == ("some words here", len(calls))
        assert reply.usage == billed or (reply.certainty == "estimated" and reply.usage.output >= billed.output)
    last = heard[29]
    assert isinstance(last, ModelReply)
    assert last.certainty == "priced"


@pytest.mark.parametrize("octets", [0, 1, 17, 150, 333])
def test_a_stream_cut_in_the_middle_of_an_event_is_cut(dialect, octets):
    with serving(lambda request: Answer(text="some words " * 40, fault=Cut(octets=octets, clean=octets % 2 == 1))) as server:
        failure = failed(server, dialect)
    assert (failure.kind, failure.maybe_charged) == ("cut", True)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("overloaded_error", "overloaded"),
        ("rate_limit_error", "rate_limit"),
        ("api_error", "server"),
        ("timeout_error", "timeout"),
        ("invalid_request_error", "request"),
        ("authentication_error", "auth"),
        ("context_length_exceeded", "context"),
        ("server_error", "server"),
    ],
)
def test_an_error_in_mid_stream_has_its_kind_and_may_have_cost(dialect, word, kind):
    with serving(lambda request: Answer(text="some words", fault=ErrorEvent(3, word, "something"))) as server:
        failure = failed(server, dialect)
    assert (failure.kind, failure.maybe_charged) == (kind, True)
    assert "something" in failure.message


def test_an_error_before_the_model_began_costs_nothing(dialect):
    with serving(lambda request: Answer(text="some words", fault=ErrorEvent(0))) as server:
        failure = failed(server, dialect)
    assert (failure.kind, failure.maybe_charged) == ("overloaded", False)


@pytest.mark.parametrize("event", [0, 2, 3])
@pytest.mark.req("S2-093")
def test_rubbish_in_the_stream_is_malformed(dialect, event):
    with serving(lambda request: Answer(text="some words here", fault=Garble(event))) as server:
        failure = failed(server, dialect)
    assert (failure.kind, failure.maybe_charged) == ("malformed", True)


def test_a_response_that_failed_is_a_failure():
    with serving(lambda request: Answer(text="hm", stop="failed")) as server:
        failure = failed(server, "responses")
    assert (failure.kind, failure.maybe_charged) == ("server", True)
    assert "The model failed." in failure.message


@pytest.mark.parametrize("after", [None, 3])
def test_silence_is_a_timeout_that_may_have_cost(dialect, after):
    with serving(lambda request: Answer(text="some words " * 20, fault=Hang(after))) as server:
        failure = failed(server, dialect, timeout_s=0.3)
    assert (failure.kind, failure.maybe_charged) == ("timeout", True)


def test_nobody_listening_costs_nothing(dialect):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        agent = agent_for(dialect, url)

        async def go():
            try:
                await agent.call(request_for(dialect), lambda text: None)
            finally:
                await agent.close()

        with pytest.raises(ModelFailed) as caught:
            asyncio.run(go())
    assert (caught.value.kind, caught.value.maybe_charged) == ("connection", False)


def test_an_address_that_is_none_is_our_mistake(dialect):
    async def go():
        agent = agent_for(dialect, "ftp://127.0.0.1:1")
        try:
            await agent.call(request_for(dialect), lambda text: None)
        finally:
            await agent.close()

    with pytest.raises(ModelFailed) as caught:
        asyncio.run(go())
    assert (caught.value.kind, caught.value.maybe_charged) == ("request", False)


def test_a_wrong_key_is_refused_and_the_next_call_can_succeed(dialect, monkeypatch):
    with serving(lambda request: Answer(text="ok"), keys=["the-right-one"]) as server:
        failure = failed(server, dialect)
        assert (failure.kind, failure.maybe_charged) == ("auth", False)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "the-right-one")
        monkeypatch.setenv("OPENAI_API_KEY", "the-right-one")
        (reply,) = ask(server, dialect, request_for(dialect))
    assert reply.text == "ok"


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
def test_a_missing_key_fails_before_any_network(kind, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.delenv("OPENAI_API_KEY")

    async def go(url):
        agent = make_agent(kind, base_url=url)
        assert await agent.count_input(request_for("chat")) is None
        try:
            await agent.call(request_for("chat"), lambda text: None)
        finally:
            await agent.close()

    connections: list[int] = []
    with serving(lambda request: Answer(text="ok")) as server:
        server.on_connection = connections.append
        with pytest.raises(ModelFailed) as caught:
            asyncio.run(go(server.url))
    assert caught.value.kind == "auth"
    assert f"{kind.upper()}_API_KEY" in caught.value.message
    assert connections == []
