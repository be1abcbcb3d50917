"""A run that stands still holds its agent's requests; nothing is forwarded, or paid for, that nobody waits for any more."""

import asyncio
from collections.abc import Callable

import openai
import pytest

from loopdeck.core import events as ev
from loopdeck.core.usage import Usage
from tests.agents.gateway.room import SPEECHES, Agents, Room, journal, playing, settled_in
from tests.kit.model_server import Answer, Hang, Request, serving


async def until(true: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


def counted(request: Request) -> Answer:
    return Answer(text="Hello.", usage=Usage(30, 5))


@pytest.mark.parametrize("speech", SPEECHES)
def test_a_pause_holds_the_request_and_resume_lets_it_go(speech, tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            assert (await agents.ask(speech)).text == "Hello."
            room.record.happened(ev.PauseAsked("anna"))
            asking = asyncio.ensure_future(agents.ask(speech))
            done, _ = await asyncio.wait((asking,), timeout=0.3)
            assert not done
            assert len(server.requests) == 1
            assert not room.record.run.reserved
            assert room.record.run.status == "paused"
            room.record.happened(ev.RunResumed("anna"))
            assert (await asking).text == "Hello."

    with serving(counted) as server:
        record = playing(server, tmp_path, work)
        assert record.run.spend.usage == server.ledger.billed() == Usage(60, 10)


def test_a_request_that_was_sent_again_while_it_was_held_is_forwarded_once(tmp_path):
    """The SDK gives up waiting and asks again, as often as it takes; the run pays for the one that is still waited for."""

    async def work(room: Room) -> None:
        room.record.happened(ev.PauseAsked("anna"))
        async with Agents(room.address, retries=50) as agents:
            hasty = agents.openai.with_options(timeout=0.15, max_retries=50)
            said: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
            asking = asyncio.ensure_future(hasty.chat.completions.create(model="gpt-5-mini", messages=said, max_tokens=9))
            await asyncio.sleep(1.5)
            assert not asking.done()
            assert not server.requests
            assert room.record.run.status == "paused"
            room.record.happened(ev.RunResumed("anna"))
            assert (await asking).choices[0].message.content == "Hello."

    with serving(counted) as server:
        record = playing(server, tmp_path, work)
        assert record.run.spend.usage == server.ledger.billed() == Usage(30, 5)
        assert record.run.spend.model_calls == 1


@pytest.mark.parametrize("speech", SPEECHES)
def test_nothing_is_forwarded_for_a_client_that_has_gone(speech, tmp_path):
    async def work(room: Room) -> None:
        room.record.happened(ev.PauseAsked("anna"))
        async with Agents(room.address) as agents:
            asking = asyncio.ensure_future(agents.ask(speech))
            await asyncio.wait((asking,), timeout=0.2)
            asking.cancel()
            await asyncio.wait((asking,))
            assert room.record.run.status == "paused"
            room.record.happened(ev.RunResumed("anna"))
            # The next one goes through, and is the first that the provider sees.
            await agents.ask(speech, "The second.")

    with serving(counted) as server:
        record = playing(server, tmp_path, work)
        assert [request.prompt for request in server.requests] == ["The second."]
        assert record.run.spend.model_calls == 1


def test_while_a_person_is_asked_new_calls_wait_and_one_under_way_is_settled(tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            first = asyncio.ensure_future(agents.ask("messages", "The first."))
            await until(lambda: len(server.requests) == 1)
            room.record.happened(ev.VerdictAsked("look"))
            second = asyncio.ensure_future(agents.ask("messages", "The second."))
            await first
            assert room.spent == Usage(30, 5)
            await asyncio.wait((second,), timeout=0.2)
            assert len(server.requests) == 1
            room.record.happened(ev.VerdictGiven("look", passed=True, by="anna"))
            await second

    with serving(lambda request: Answer(text="Hello.", usage=Usage(30, 5), delay_s=0.2)) as server:
        record = playing(server, tmp_path, work)
        assert record.run.spend.usage == server.ledger.billed()


@pytest.mark.parametrize("speech", SPEECHES)
def test_a_stop_refuses_what_was_held(speech, tmp_path):
    async def work(room: Room) -> None:
        room.record.happened(ev.PauseAsked("anna"))
        async with Agents(room.address, retries=5) as agents:
            asking = asyncio.ensure_future(agents.ask(speech))
            await asyncio.wait((asking,), timeout=0.1)
            room.record.happened(ev.StopAsked("anna"))
            with pytest.raises(Exception, match="the run is ending"):
                await asking

    with serving(counted) as server:
        playing(server, tmp_path, work)
        assert not server.requests


@pytest.mark.parametrize("speech", SPEECHES)
def test_an_agent_that_hangs_up_in_mid_answer_pays_the_bound_less_what_is_known(speech, tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            asking = asyncio.ensure_future(agents.ask(speech, cap=400))
            await until(lambda: len(server.requests) == 1)
            await asyncio.sleep(0.1)
            asking.cancel()
            # The provider is hung up on at once: nothing more is generated for nobody.
            await until(lambda: server.gone == 1)
            await until(lambda: not room.record.run.reserved)

    with serving(lambda request: Answer("some words " * 9, usage=Usage(33, 50), fault=Hang(3))) as server:
        record = playing(server, tmp_path, work)
        (settled,) = settled_in(tmp_path)
        billed = server.ledger.billed()
    assert (settled.failure, settled.certainty) == ("cut", "estimated")
    # Two of the four tell the input early.
    known = speech in ("messages", "gemini")
    assert settled.usage.output == 400
    assert (settled.usage.input == billed.input) == known
    assert settled.usage.input >= billed.input
    assert record.run.spend.usage == settled.usage
    assert record.run.spend.certainty == "estimated"


def test_stopping_the_gateway_breaks_off_and_settles(tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            asking = [asyncio.ensure_future(agents.ask(speech)) for speech in SPEECHES]
            await until(lambda: len(server.requests) == 4)
            room.record.happened(ev.StopAsked("anna"))
            await room.gateway.stop()
            assert not room.record.run.reserved
            await asyncio.wait(asking)
            assert all(one.exception() for one in asking)
            room.record.happened(ev.RunEnded("human"))

    with serving(lambda request: Answer("some words " * 9, fault=Hang(3))) as server:
        playing(server, tmp_path, work)
    assert [event.failure for event in settled_in(tmp_path)] == ["cut"] * 4
    assert isinstance(journal(tmp_path)[-1], ev.RunEnded)
