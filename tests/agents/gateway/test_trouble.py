"""What goes wrong at the provider reaches the agent as it was said, and is paid for as far as it may be billed."""

import asyncio
import socket

import anthropic
import openai
import pytest

from loopdeck.agents.gateway.gateway import Gateway
from loopdeck.agents.gateway.upstream import Upstreams
from loopdeck.core import trace as tr
from loopdeck.core.usage import Usage
from loopdeck.errors import StoreError
from loopdeck.runner.day import Day
from loopdeck.runner.purse import RunPurse
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import read_trace
from tests.agents.gateway.room import SPEECHES, Agents, Room, opened, playing, running, settled_in
from tests.kit.model_server import Answer, Cut, ErrorEvent, Garble, Hang, Refuse, Request, serving
from tests.kit.model_talk import Fault


def once(fault: Fault):
    """The first answer has `fault`, all others are whole."""

    def scenario(request: Request) -> Answer:
        return Answer(text="some words " * 9, usage=Usage(30, 50), fault=fault if request.n == 1 else None)

    return scenario


@pytest.mark.parametrize(
    ("status", "kind"), [(429, "rate_limit"), (500, "server"), (503, "server"), (529, "overloaded"), (400, "request")]
)
@pytest.mark.parametrize("speech", SPEECHES)
def test_a_refusal_passes_with_its_headers_and_costs_nothing(speech, status, kind, tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            with pytest.raises(Exception, match="not now") as caught:
                await agents.ask(speech)
            if speech != "gemini":
                assert isinstance(caught.value, anthropic.APIStatusError | openai.APIStatusError)
                assert caught.value.status_code == status
                assert caught.value.response.headers["retry-after"] == "7"

    with serving(once(Refuse(status, "api_error", "not now", {"Retry-After": "7"}))) as server:
        record = playing(server, tmp_path, work)
    (settled,) = settled_in(tmp_path)
    assert (settled.failure, settled.usage, settled.cost, settled.retry_after) == (kind, Usage(), 0, 7.0)
    assert isinstance(list(read_trace(RunPaths(tmp_path).trace))[-1], tr.ModelFailed)
    # It is the agent's to try again: the run itself is not told to.
    assert (record.run.retry, record.run.fatal) == (None, None)


@pytest.mark.parametrize("speech", ["messages", "chat", "responses"])
def test_the_sdks_own_retries_go_through_and_only_the_answer_is_paid(speech, tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address, retries=3) as agents:
            assert "some words" in (await agents.ask(speech)).text

    with serving(once(Refuse(529, "overloaded_error", "Overloaded", {"retry-after-ms": "5"}))) as server:
        record = playing(server, tmp_path, work)
        assert record.run.spend.usage == server.ledger.billed() == Usage(30, 50)
    assert [event.failure for event in settled_in(tmp_path)] == ["overloaded", None]


@pytest.mark.parametrize("fault", [Cut(3), Cut(octets=300), ErrorEvent(3), Garble(2), Cut(3, clean=True)], ids=repr)
@pytest.mark.parametrize("speech", SPEECHES)
def test_a_broken_stream_stays_broken_and_is_charged_by_its_bound(speech, fault, tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            # Some SDKs raise, some take an early end for the end.
            heard = (await asyncio.gather(agents.ask(speech), return_exceptions=True))[0]
            assert "loopdeck" not in str(heard)
            assert isinstance(heard, BaseException) or isinstance(fault, Garble) or heard.text != "some words " * 9
            assert room.spent.output == 500
            await agents.ask(speech)

    with serving(once(fault)) as server:
        record = playing(server, tmp_path, work)
        first, second = settled_in(tmp_path)
        assert (first.certainty, second.certainty) == ("estimated", "priced")
        assert second.usage == Usage(30, 50)
        assert first.usage.input >= 30
        assert record.run.spend.usage.tokens >= server.ledger.billed().tokens
    assert first.failure in {"cut", "overloaded", "server", "malformed"}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("speech", SPEECHES)
def test_an_answer_that_tells_no_usage_is_taken_for_its_bound(speech, stream, tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            if speech == "messages" and stream:
                # The SDK itself can't do without.
                await agents.http.post(
                    "/v1/messages",
                    json={
                        "model": "claude-sonnet-4-6",
                        "max_tokens": 500,
                        "stream": True,
                        "messages": [{"role": "user", "content": "x"}],
                    },
                )
            else:
                await agents.ask(speech, stream=stream)

    with serving(lambda request: Answer("Hello.", usage=Usage(30, 5), told="never")) as server:
        record = playing(server, tmp_path, work)
    (settled,) = settled_in(tmp_path)
    assert (settled.failure, settled.certainty, settled.usage.output) == (None, "estimated", 500)
    assert settled.usage.input > 1000
    assert record.run.spend.certainty == "estimated"


@pytest.mark.parametrize("speech", SPEECHES)
def test_a_provider_that_is_not_there_costs_nothing(speech, tmp_path):
    async def go() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        async with opened(f"http://127.0.0.1:{port}", tmp_path) as room, Agents(room.address) as agents:
            with pytest.raises(Exception, match=r"loopdeck: 127\.0\.0\.1"):
                await agents.ask(speech)

    asyncio.run(go())
    (settled,) = settled_in(tmp_path)
    assert (settled.failure, settled.usage, settled.cost) == ("connection", Usage(), 0)


def test_a_provider_that_never_answers_is_given_up_and_charged(tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            with pytest.raises(anthropic.APIStatusError) as caught:
                await agents.ask("messages")
            assert caught.value.status_code == 504

    with serving(lambda request: Answer(fault=Hang(None), usage=Usage(9, 9))) as server:
        playing(server, tmp_path, work, timeout_s=0.3)
    (settled,) = settled_in(tmp_path)
    assert (settled.failure, settled.certainty, settled.usage.output) == ("timeout", "estimated", 500)


def test_when_the_books_cant_be_kept_nothing_goes_and_whoever_stops_it_is_told(tmp_path):
    """A full disk: the reservation can't be written, so the request is not sent."""

    async def go() -> None:
        async with opened(server.url, tmp_path) as room, Agents(room.address) as agents:
            (tmp_path / "blobs").write_text("in the way")
            for _ in range(2):
                with pytest.raises((anthropic.APIConnectionError, anthropic.BadRequestError)):
                    await agents.ask("messages")

    with serving(lambda request: Answer("Hello.")) as server:
        with pytest.raises(StoreError, match="blobs"):
            asyncio.run(go())
        assert not server.requests


class FullDisk(RunPurse):
    """The purse of a run whose disk fills up after a reservation."""

    def charge_bound(self, *_: object) -> None:
        """Can't be written."""
        raise StoreError("the disk is full")


@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_settlement_that_cant_be_written_is_told_even_if_nobody_waits_for_the_answer(hangs_up, tmp_path):
    async def go() -> None:
        record = running(tmp_path)
        gateway = Gateway(FullDisk(record, "agent", {}, 100, Day(record, tmp_path)), Upstreams({"anthropic": server.url}))
        address = await gateway.start()
        async with Agents(address) as agents:
            asking = asyncio.ensure_future(agents.ask("messages"))
            while not server.requests:
                await asyncio.sleep(0.005)
            if hangs_up:
                asking.cancel()
                await asyncio.wait((asking,))
                while not server.gone:
                    await asyncio.sleep(0.005)
            with pytest.raises(StoreError, match="the disk is full"):
                await gateway.stop()
            await asyncio.wait((asking,))
            assert asking.cancelled() or asking.exception()
        record.close()

    with serving(lambda request: Answer("some words " * 9, fault=Hang(3))) as server:
        asyncio.run(go())
