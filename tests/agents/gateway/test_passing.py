"""What goes through the gateway arrives as it was, and its usage is the provider's own bill, to the token."""

import asyncio
from itertools import pairwise

import pytest

from loopdeck.core import trace as tr
from loopdeck.core.conversation import ToolUse
from loopdeck.core.usage import Usage
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import read_trace
from tests.agents.gateway.room import MODELS, SPEECHES, Agents, Room, playing, reserved_in
from tests.kit.model_server import Answer, Call, Request, serving


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("speech", SPEECHES)
def test_text_arrives_whole_and_the_journal_has_the_providers_bill(speech, stream, tmp_path):
    def scenario(request: Request) -> Answer:
        # The second request reads some of its input from a cache.
        read = 7 * (request.n - 1)
        write = 11 if speech == "messages" else 0
        return Answer(text=f"Ünwritten answer {request.n}. " * 9, thinking="hm", usage=Usage(40, 60 + request.n, read, write))

    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            for n in (1, 2):
                heard = await agents.ask(speech, stream=stream)
                assert f"Ünwritten answer {n}. " * 9 in heard.text
                assert heard.usage is not None

    with serving(scenario) as server:
        record = playing(server, tmp_path, work)
        assert record.run.spend.usage == server.ledger.billed() == Usage(80, 123, 7, 22 if speech == "messages" else 0)
    assert record.run.spend.certainty == "priced"
    assert record.run.spend.model_calls == 2
    assert record.run.spend.cost > 0
    assert not record.run.reserved
    # An outside agent's calls are no turns of ours, and don't end them.
    assert (record.run.turns, record.run.replied, record.run.calls) == (0, False, [])


@pytest.mark.parametrize("speech", SPEECHES)
def test_the_trace_has_the_request_and_the_reply(speech, tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            await agents.ask(speech, "Look around.")

    with serving(lambda request: Answer(text="I see.", calls=(Call("look", '{"where": "here"}'),))) as server:
        record = playing(server, tmp_path, work)
    prompt, reply = list(read_trace(RunPaths(tmp_path).trace))
    assert isinstance(prompt, tr.PromptSent)
    assert isinstance(reply, tr.ModelReplied)
    assert (prompt.role, prompt.call, prompt.model, prompt.messages, prompt.max_output) == ("agent", "m1", MODELS[speech], 1, 500)
    (part,) = prompt.parts
    assert part.name == "request"
    assert "Look around." in record.text_of(part.blob)
    assert [(call.tool, "here" in call.arguments) for call in reply.blocks if isinstance(call, ToolUse)] == [("look", True)]
    assert "I see." in str(reply.blocks)
    assert reply.usage == record.run.spend.usage


def test_a_chat_stream_is_made_to_tell_its_usage_and_nothing_else_is_changed(tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            said = b'"temperature": 1.0, "messages": [{"role":"user","content":"\\u00fc"}]'
            body = b'{"model": "gpt-5-mini",  "stream":true, "max_tokens": 77, ' + said + b"}"
            await agents.http.post("/v1/chat/completions", content=body)
            whole = body.replace(b'"stream":true, ', b"")
            await agents.http.post("/v1/chat/completions", content=whole)
            assert [request.raw for request in server.requests][1] == whole

    with serving(lambda request: Answer(text="Yes.")) as server:
        playing(server, tmp_path, work)
        changed = server.requests[0].raw
    assert b'"stream_options":{"include_usage":true}' in changed
    assert b'"temperature":1.0,' in changed
    assert b'[{"role":"user","content":"\\u00fc"}]' in changed


@pytest.mark.parametrize("speech", SPEECHES)
def test_slow_chunks_arrive_one_by_one(speech, tmp_path):
    """The server waits before every event; the client must have each of them before the next is sent."""

    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            verb = f"/v1beta/models/{MODELS[speech]}:streamGenerateContent?alt=sse"
            path = {"messages": "/v1/messages", "chat": "/v1/chat/completions", "responses": "/v1/responses", "gemini": verb}[speech]
            said = [{"role": "user", "content": "hi"}]
            body = {"model": MODELS[speech], "stream": True, "max_tokens": 90, "messages": said, "input": said}
            body = {"contents": [{"parts": [{"text": "hi"}]}]} if speech == "gemini" else body
            clock = asyncio.get_running_loop().time
            at = []
            async with agents.http.stream("POST", path, json=body) as response:
                async for chunk in response.aiter_raw():
                    at.append((clock(), chunk.count(b"\n\n")))
            assert sum(count for _, count in at) >= 6
            assert max(count for _, count in at) <= 2
            # Most waits between events are seen between the chunks too.
            waits = [later - earlier for (earlier, _), (later, _) in pairwise(at)]
            assert sum(wait > 0.015 for wait in waits) >= len(waits) // 2

    with serving(lambda request: Answer(text="abcd" * 6, piece=4, pace_s=0.03)) as server:
        playing(server, tmp_path, work)


def test_twenty_agents_at_once_in_every_dialect(tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            kinds = [SPEECHES[n % 4] for n in range(20)]
            heard = await asyncio.gather(*(agents.ask(kind, f"I am {n}.", stream=n % 3 > 0) for n, kind in enumerate(kinds)))
            assert [f"Hello, I am {n}." in one.text for n, one in enumerate(heard)] == [True] * 20

    with serving(lambda request: Answer(text=f"Hello, {request.prompt}", delay_s=0.1)) as server:
        record = playing(server, tmp_path, work)
        assert record.run.spend.usage == server.ledger.billed()
        assert record.run.spend.model_calls == 20


@pytest.mark.parametrize("speech", SPEECHES)
def test_bodies_of_a_megabyte_pass_both_ways(speech, tmp_path):
    text = "a long tool result \n" * 52_500

    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            heard = await agents.ask(speech, text, cap=500_000)
            assert heard.text == text

    with serving(lambda request: Answer(text=request.prompt, piece=9000)) as server:
        record = playing(server, tmp_path, work)
        assert record.run.spend.usage == server.ledger.billed()


def test_counting_is_free_and_goes_through_while_nothing_is_left(tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            counted = await agents.anthropic.messages.count_tokens(
                model="claude-sonnet-4-6", messages=[{"role": "user", "content": "How long is this?"}]
            )
            assert counted.input_tokens > 0

    with serving(lambda request: Answer(text="never")) as server:
        record = playing(server, tmp_path, work)
    assert record.run.spend.model_calls == 0


def test_a_conversation_kept_by_the_provider_counts_what_came_before(tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            first = await agents.openai.responses.create(model="gpt-5", input="One.", max_output_tokens=50)
            await agents.openai.responses.create(model="gpt-5", input="Two.", max_output_tokens=50, previous_response_id=first.id)
            bounds.extend(event.input_bound for event in reserved_in(tmp_path))
            with pytest.raises(Exception, match="conversation that the provider keeps"):
                await agents.openai.responses.create(model="gpt-5", input="Three.", max_output_tokens=50, previous_response_id="resp_x")

    bounds: list[int] = []
    with serving(lambda request: Answer(text="ok", usage=Usage(900, 40))) as server:
        playing(server, tmp_path, work)
        assert len(server.requests) == 2
    assert bounds[1] >= bounds[0] + 940
