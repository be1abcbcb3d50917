"""Who comes in, and what gets out: path, token, keys."""

import asyncio
import json

import pytest

from loopdeck.agents.gateway.gateway import Gateway
from loopdeck.agents.gateway.upstream import Upstreams
from loopdeck.runner.day import Day
from loopdeck.runner.purse import RunPurse
from tests.agents.gateway.conftest import KEYS
from tests.agents.gateway.room import MODELS, SPEECHES, Agents, Room, playing, running
from tests.kit.model_server import Answer, Refuse, Request, serving


def body(**more: object) -> dict[str, object]:
    return {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **more}


def answered(request: Request) -> Answer:
    return Answer(text="Hello.")


@pytest.mark.parametrize("speech", SPEECHES)
def test_a_wrong_token_gets_401_and_nothing_is_spent(speech, tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address, token="guessed") as agents:
            with pytest.raises(Exception, match="not the one that the gateway gave out") as caught:
                await agents.ask(speech)
            assert getattr(caught.value, "status_code", 401) == 401

    with serving(answered) as server:
        record = playing(server, tmp_path, work)
        assert not server.requests
    assert record.run.spend.model_calls == 0


def test_other_paths_lead_nowhere(tmp_path):
    async def work(room: Room) -> None:
        base = room.address.url
        root = base.rpartition("/")[0]
        async with Agents(room.address) as agents:
            for method, url in (
                ("POST", f"{root}/v1/messages"), ("POST", f"{root}/v1/v1/messages"), ("POST", f"{root}{'/' + 'x' * 32}/v1/messages"),
                ("GET", f"{base}/v1/models"), ("POST", f"{base}/v1/embeddings"), ("GET", root), ("HEAD", base),
            ):  # fmt: skip
                answer = await agents.http.request(method, url, json=body())
                assert answer.status_code == 404, url
            assert (await agents.http.get(f"{base}/v1/messages")).status_code == 405

    with serving(answered) as server:
        playing(server, tmp_path, work)
        assert not server.requests


def test_codexs_websocket_is_told_that_there_is_none(tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            asked = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "eHl6", "sec-websocket-version": "13"}
            assert (await agents.http.get("/v1/responses", headers=asked)).status_code == 426
            assert (await agents.ask("responses")).text == "Hello."

    with serving(answered) as server:
        playing(server, tmp_path, work)


@pytest.mark.parametrize("speech", SPEECHES)
@pytest.mark.parametrize("stream", [True, False])
def test_neither_key_crosses_over(speech, stream, tmp_path):
    """The provider sees its key and never the token; the agent sees nothing of the key, even in an error that repeats it."""

    def scenario(request: Request) -> Answer:
        if request.n == 1:
            return Answer(text="Hello.")
        return Answer(fault=Refuse(401, "auth", f"{request.key} is wrong", {"x-your-key": request.key}))

    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            await agents.ask(speech, stream=stream)
            with pytest.raises(Exception, match="is wrong") as caught:
                await agents.ask(speech, stream=stream)
            shown = f"{caught.value!r} {getattr(getattr(caught.value, 'response', None), 'headers', '')}"
            assert "real-key" not in shown
            tokens.append(room.address.token)

    tokens: list[str] = []
    with serving(scenario, keys=KEYS.values()) as server:
        playing(server, tmp_path, work)
        for request in server.requests:
            assert request.key in KEYS.values()
            assert tokens[0] not in json.dumps([dict(request.headers), request.raw.decode()])


def test_a_key_in_the_query_is_taken_and_not_passed_on(tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            path = f"/v1beta/models/{MODELS['gemini']}:generateContent?alt=json&key={room.address.token}"
            answer = await agents.http.post(path, json={"contents": [{"parts": [{"text": "hi"}]}]}, headers={"x-goog-api-key": ""})
            assert answer.status_code == 200

    with serving(answered, keys=KEYS.values()) as server:
        playing(server, tmp_path, work)
        assert server.requests[0].key == KEYS["GEMINI_API_KEY"]


def test_what_an_agent_says_of_itself_passes(tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            headers = {"anthropic-beta": "a-1,b-2", "user-agent": "agent/1", "cookie": "no", "proxy-authorization": "no"}
            await agents.http.post("/v1/messages?beta=true", json=body(), headers=headers)

    with serving(answered) as server:
        playing(server, tmp_path, work)
        seen = server.requests[0].headers
    assert (seen["anthropic-beta"], seen["user-agent"]) == ("a-1,b-2", "agent/1")
    assert not {"cookie", "proxy-authorization"} & set(seen)


def test_a_redirect_does_not_lead_an_agent_past_the_gateway(tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            answer = await agents.http.post("/v1/messages", json=body())
            assert (answer.status_code, "location" in answer.headers) == (502, False)

    with serving(lambda request: Answer(fault=Refuse(302, headers={"Location": "http://elsewhere.invalid/"}))) as server:
        playing(server, tmp_path, work)


def test_without_a_key_the_agent_is_told_the_remedy(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")

    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            with pytest.raises(Exception, match="set OPENAI_API_KEY"):
                await agents.ask("chat")
            assert (await agents.ask("messages")).text == "Hello."

    with serving(answered) as server:
        playing(server, tmp_path, work)


@pytest.mark.parametrize("raw", [b"", b"no json", b"[]", b'{"messages": []}', b'{"model": 7}', b"\xff" * 40, b"[" * 100_000])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/v1/responses"])
def test_rubbish_is_refused_in_words(raw, path, tmp_path):
    async def work(room: Room) -> None:
        async with Agents(room.address) as agents:
            answer = await agents.http.post(path, content=raw)
            assert answer.status_code == 400
            assert "loopdeck: the request " in answer.json()["error"]["message"]

    with serving(answered) as server:
        playing(server, tmp_path, work)
        assert not server.requests


def test_what_is_no_http_is_dropped_and_hurts_nobody(tmp_path):
    async def work(room: Room) -> None:
        port = int(room.address.url.split(":")[2].split("/")[0])
        for noise in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(noise)
            writer.write_eof()
            await reader.read()
            writer.close()
        async with Agents(room.address) as agents:
            assert (await agents.ask("messages")).text == "Hello."

    with serving(answered) as server:
        playing(server, tmp_path, work)


def test_a_client_that_asks_first_is_told_to_go_on_and_two_requests_may_come_at_once(tmp_path):
    async def work(room: Room) -> None:
        port = int(room.address.url.split(":")[2].split("/")[0])
        path = "/" + room.address.url.split("/", 3)[3] + "/v1/messages"
        raw = json.dumps(body()).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {room.address.token}\r\nContent-Length: {len(raw)}\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
        # The second request is there before the first is answered.
        writer.write(raw + f"{head}Connection: close\r\n\r\n".encode() + raw)
        assert (await reader.read()).count(b"Hello.") == 2
        writer.close()

    with serving(answered) as server:
        playing(server, tmp_path, work)
        assert len(server.requests) == 2


def test_it_listens_on_the_loopback_interface_only_and_nowhere_twice(tmp_path):
    async def go() -> None:
        record = running(tmp_path)
        purse = RunPurse(record, "agent", {}, 100, Day(record, tmp_path))
        one, other = Gateway(purse, Upstreams()), Gateway(purse, Upstreams())
        here, there = await one.start(), await other.start()
        assert here.url.startswith("http://127.0.0.1:")
        assert here.url.rpartition("/")[2] != there.url.rpartition("/")[2]
        assert here.token != there.token
        assert here.token not in repr(here)
        assert one._server is not None
        assert [socket.getsockname()[0] for socket in one._server.sockets] == ["127.0.0.1"]
        await one.stop()
        await other.stop()
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", int(here.url.split(":")[2].split("/")[0]))
        record.close()

    asyncio.run(go())
