"""The loopback provider itself: it carries the load, keeps the bill, and runs as a process."""

import asyncio
import json

import pytest

from loopdeck.core.usage import Usage
from tests.kit.model_process import serving_process
from tests.kit.model_server import Answer, Cut, Request, serving


async def post(url: str, path: str, body: dict[str, object]) -> bytes:
    """One request over a bare socket, without any client's help."""
    host, port = url.removeprefix("http://").split(":")
    raw = json.dumps(body).encode()
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nx-api-key: k\r\nConnection: close\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def body(text: str, **fields: object) -> dict[str, object]:
    return {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": text}], **fields}


def test_forty_clients_at_once_are_all_served_and_billed():
    async def go(url):
        return await asyncio.gather(*(post(url, f"/loop-{n}/v1/messages", body(f"I am {n}")) for n in range(40)))

    def scenario(request: Request) -> Answer:
        return Answer(text=f"{request.tag} said {request.prompt}", delay_s=0.05)

    with serving(scenario) as server:
        answers = asyncio.run(go(server.url))
        assert {charge.tag for charge in server.ledger.charges} == {f"loop-{n}" for n in range(40)}
        for n, answer in enumerate(answers):
            assert f"loop-{n} said I am {n}".encode() in answer
            told = json.loads(answer.partition(b"\r\n\r\n")[2])["usage"]
            assert server.ledger.billed(tag=f"loop-{n}").output == told["output_tokens"]


def test_a_cut_stream_is_billed_in_full():
    with serving(lambda request: Answer(text="many words " * 9, fault=Cut(2))) as server:
        answer = asyncio.run(post(server.url, "/v1/messages", body("hi", stream=True)))
        assert b"message_stop" not in answer
        (charge,) = server.ledger.charges
        assert (charge.usage.output, charge.whole) == (33, False)


def test_a_scenario_that_breaks_fails_the_test_not_only_the_request():
    def scenario(request: Request) -> Answer:
        raise LookupError("the scenario's own mistake")

    with pytest.raises(LookupError, match="own mistake"), serving(scenario) as server:
        assert b" 500 " in asyncio.run(post(server.url, "/v1/messages", body("hi")))


def test_as_a_process_it_tells_its_address_its_bill_and_ends_with_its_input():
    with serving_process("tests.kit.model_scenarios:finished") as server:
        assert b"Done after 0 replies." in asyncio.run(post(server.url, "/loop-7/v1/messages", body("hi")))
        (charge,) = server.shown("ledger")
        assert (charge["tag"], charge["usage"]["output"], charge["whole"]) == ("loop-7", 7, True)
        assert server.billed(tag="loop-7") == server.billed()
        assert server.billed(tag="loop-8") == Usage()
        (request,) = server.shown("requests")
        assert request["texts"] == ["hi"]
