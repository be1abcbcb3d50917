"""A model provider on the loopback interface: it answers as a scenario says, fails on demand, keeps the bill.

It speaks the Messages, Chat Completions, Responses and generateContent APIs, streamed and not. In a test: `with
serving(scenario) as server:`, then `server.url` (for OpenAI `server.url + "/v1"`), `server.requests`,
`server.ledger`. As a process: `python -m tests.kit.model_server --scenario module:function` prints its
address, answers `GET /ledger`, `/requests` and `/errors`, and ends with its standard input. A path before
`/v1` is a tag that tells loops apart: `http://127.0.0.1:PORT/loop-7`.

Invariant: a scenario that breaks its own rules (raises, bills more output than was allowed) fails the test,
never only the request.
"""

import argparse
import asyncio
import importlib
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import msgspec

from loopdeck.core.usage import Usage
from tests.kit import model_dialects as dialects
from tests.kit import model_gemini as gemini
from tests.kit import model_responses as responses
from tests.kit.model_ledger import Ledger
from tests.kit.model_talk import (
    Answer,
    Call,
    Cut,
    Dialect,
    ErrorEvent,
    Garble,
    Hang,
    Refuse,
    Request,
    Scenario,
    broken,
    overloaded,
    rate_limited,
    tokens_in,
)

__all__ = [
    "Answer", "Call", "Cut", "ErrorEvent", "Garble", "Hang", "ModelServer", "Refuse", "Request",
    "Scenario", "broken", "overloaded", "rate_limited", "serving",
]  # fmt: skip

_ROUTES: dict[str, Dialect] = {
    "/messages": "messages",
    "/messages/count_tokens": "count_tokens",
    "/chat/completions": "chat",
    "/responses": "responses",
}
_READ: dict[Dialect, Callable[[dialects.Json], dialects.Json]] = {
    "messages": dialects.read_messages,
    "count_tokens": dialects.read_messages,
    "chat": dialects.read_chat,
    "responses": responses.read_responses,
    "gemini": gemini.read_gemini,
}
_COMPLAINT: dict[Dialect, Callable[[dialects.Json], str]] = {
    "messages": dialects.messages_complaint,
    "count_tokens": lambda body: dialects.messages_complaint(body | {"max_tokens": 1}),
    "chat": dialects.chat_complaint,
    "responses": responses.responses_complaint,
    "gemini": gemini.gemini_complaint,
}
_EVENTS: dict[Dialect, Callable[[Request, Answer, Usage], Iterator[dialects.Event]]] = {
    "messages": dialects.messages_events,
    "chat": dialects.chat_events,
    "responses": responses.responses_events,
    "gemini": gemini.gemini_events,
}
_BODY: dict[Dialect, Callable[[Request, Answer, Usage], dialects.Json]] = {
    "messages": dialects.messages_body,
    "chat": dialects.chat_body,
    "responses": responses.responses_body,
    "gemini": gemini.gemini_body,
}


class _Gone(Exception):
    """The client has hung up, or the scenario has."""


class ModelServer:
    """One provider. `keys`, if given, are the only ones it knows; others get 401.

    `counts` says whether it offers `count_tokens`; `errors` holds what went wrong in the scenario, `gone`
    counts the clients that hung up before they had their answer.
    """

    def __init__(self, scenario: Scenario, *, keys: Iterable[str] = (), counts: bool = True) -> None:
        self.scenario = scenario
        self.keys = frozenset(keys)
        self.counts = counts
        self.ledger = Ledger()
        self.requests: list[Request] = []
        self.errors: list[BaseException] = []
        self.gone = 0
        self.url = ""
        self.on_connection: Callable[[int], None] = lambda port: None
        self._open: set[asyncio.Task[None]] = set()
        self._seen = 0

    async def listen(self, port: int = 0) -> asyncio.Server:
        """Start to listen; `url` is known afterwards."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", port, limit=1 << 26, backlog=256)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def drop(self) -> None:
        """Close every connection that is still open."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        self.on_connection(writer.get_extra_info("peername")[1])
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await self._exchange(reader, writer):
                pass
        except (_Gone, ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False if the connection is at its end."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        last = headers.get("connection", "").lower() == "close"
        if method == "GET":
            await self._show(writer, path)
            return not last
        tag, model, verb = gemini.address(path)
        route = ""
        if not verb:
            tag, _, route = path.partition("?")[0].rpartition("/v1")
        dialect = "gemini" if verb else _ROUTES.get(route)
        if dialect is None or (dialect == "count_tokens" and not self.counts):
            await self._refuse(writer, "messages", Refuse(404, "not_found_error", f"no such endpoint: {path}"))
            return True
        key = headers.get("x-api-key") or headers.get("x-goog-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if self.keys and key not in self.keys:
            await self._refuse(writer, dialect, Refuse(401, "authentication_error", "invalid x-api-key"))
            return True
        body = json.loads(raw)
        if verb:
            body |= {"model": model, "stream": verb.startswith("stream")}
        if complaint := _COMPLAINT[dialect](body):
            await self._refuse(writer, dialect, Refuse(400, "invalid_request_error", complaint))
            return True
        self._seen += dialect != "count_tokens"
        request = Request(
            n=self._seen, dialect=dialect, tag=tag.strip("/"), key=key, model=body.get("model", ""),
            stream=bool(body.get("stream")), body=body, raw=raw, headers=headers, **_READ[dialect](body),
        )  # fmt: skip
        if dialect == "count_tokens":
            await self._send_json(writer, {"input_tokens": self.ledger.count(request)})
            return True
        self.requests.append(request)
        try:
            return await self._answer(reader, writer, request) and not last
        except (_Gone, ConnectionError):
            self.gone += 1
            raise

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bool:
        try:
            answer = self._fitted(request, self.scenario(request))
        except Exception as error:
            # Whatever a scenario raises is the test's own failure, shown when the server closes.
            self.errors.append(error)
            answer = broken()
        await self._pause(reader, answer.delay_s)
        if isinstance(answer.fault, Refuse):
            await self._refuse(writer, request.dialect, answer.fault)
            return True
        usage = answer.usage or Usage()
        # Billed before the first byte leaves, so that a client that has its answer finds the bill written.
        place = self.ledger.charge(request, usage)
        if answer.fault == Hang(None):
            await self._pause(reader, 3600)
        if request.stream and not answer.plain:
            await self._stream(reader, writer, request, answer)
        else:
            await self._send_json(writer, _BODY[request.dialect](request, answer, usage))
        if answer.fault is None:
            self.ledger.heard(place)
        return not isinstance(answer.fault, Cut) or answer.fault.clean

    def _fitted(self, request: Request, answer: Answer) -> Answer:
        """`answer` with the usage that will be billed, and never more output than was allowed."""
        if answer.usage is not None:
            if answer.usage.output > request.max_tokens:
                raise ValueError(f"the scenario bills {answer.usage.output} of {request.max_tokens} tokens")
            return answer
        said = answer.thinking + answer.text + "".join(call.tool + call.arguments for call in answer.calls)
        output = tokens_in(len(said.encode()))
        if output > request.max_tokens:
            output = request.max_tokens
            answer = replace(answer, text=answer.text[:output], calls=(), thinking="", stop="max_tokens")
        usage = msgspec.structs.replace(self.ledger.input_usage(request), output=output)
        return replace(answer, usage=usage)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request, answer: Answer) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
            + f"request-id: req_{request.n}\r\nx-request-id: req_{request.n}\r\n\r\n".encode()
        )
        fault, sent = answer.fault, 0
        for number, (name, data) in enumerate(_EVENTS[request.dialect](request, answer, answer.usage or Usage())):
            await self._pause(reader, answer.pace_s)
            match fault:
                case Cut(events=int(after)) if number == after:
                    return await self._end(writer, clean=fault.clean)
                case ErrorEvent(events=after) if number == after:
                    writer.write(_chunk(_error_event(request.dialect, fault)))
                    return await self._end(writer, clean=True)
                case Hang(events=int(after)) if number == after:
                    await writer.drain()
                    await self._pause(reader, 3600)
            event = _encoded(name, data)
            if isinstance(fault, Garble) and number == fault.event:
                event = event[: len(event) * 2 // 3].rstrip() + b"\n\n"
            if isinstance(fault, Cut) and fault.octets is not None and sent + len(event) > fault.octets:
                writer.write(_chunk(event[: fault.octets - sent]))
                return await self._end(writer, clean=fault.clean)
            sent += len(event)
            writer.write(_chunk(event))
            await writer.drain()
        return await self._end(writer, clean=not isinstance(fault, Cut) or fault.clean)

    async def _end(self, writer: asyncio.StreamWriter, *, clean: bool) -> None:
        if clean:
            writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _pause(self, reader: asyncio.StreamReader, seconds: float) -> None:
        """Wait, but not for a client that has hung up."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while not reader.at_eof():
            left = until - clock()
            if left <= 0:
                return
            await asyncio.sleep(min(left, 0.01))
        raise _Gone

    async def _refuse(self, writer: asyncio.StreamWriter, dialect: Dialect, refusal: Refuse) -> None:
        error = {"type": refusal.kind, "message": refusal.message}
        body: dict[str, Any] = {"type": "error", "error": error, "request_id": "req_refused"}
        if dialect in {"chat", "responses"}:
            body = {"error": error | {"code": refusal.kind, "param": None}}
        if dialect == "gemini":
            body = {"error": {"code": refusal.status, "message": refusal.message, "status": refusal.kind.upper()}}
        raw = json.dumps(body).encode() if refusal.body is None else refusal.body
        await self._send(writer, refusal.status, raw, dict(refusal.headers))

    async def _show(self, writer: asyncio.StreamWriter, path: str) -> None:
        match path:
            case "/ledger":
                rows = [asdict(charge) | {"usage": msgspec.to_builtins(charge.usage)} for charge in self.ledger.charges]
                await self._send_json(writer, rows)
            case "/requests":
                await self._send_json(writer, [{**asdict(request), "raw": None} for request in self.requests])
            case "/errors":
                await self._send_json(writer, [repr(error) for error in self.errors])
            case _:
                await self._send(writer, 404, b"{}", {})

    async def _send_json(self, writer: asyncio.StreamWriter, body: object) -> None:
        await self._send(writer, 200, json.dumps(body).encode(), {})

    async def _send(self, writer: asyncio.StreamWriter, status: int, raw: bytes, headers: dict[str, str]) -> None:
        lines = {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode() + raw)
        await writer.drain()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def _encoded(name: str, data: dialects.Json | str) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return (f"event: {name}\n" if name else "").encode() + b"data: " + text.encode() + b"\n\n"


def _error_event(dialect: Dialect, fault: ErrorEvent) -> bytes:
    error = {"type": fault.kind, "message": fault.message}
    match dialect:
        case "chat":
            return _encoded("", {"error": error | {"code": fault.kind, "param": None}})
        case "gemini":
            return _encoded("", {"error": {"code": 503, "message": fault.message, "status": fault.kind.upper()}})
        case "responses":
            return _encoded(
                "error",
                {
                    "type": "error",
                    "code": fault.kind,
                    "message": fault.message,
                    "param": None,
                    "sequence_number": 9,
                },
            )
        case _:
            return _encoded("error", {"type": "error", "error": error})


@contextmanager
def serving(scenario: Scenario, *, keys: Iterable[str] = (), counts: bool = True) -> Iterator[ModelServer]:
    """A server in a thread of its own for as long as the block lasts. Raises what the scenario raised."""
    server = ModelServer(scenario, keys=keys, counts=counts)
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        listening = await server.listen()
        async with listening:
            ready.set()
            await asyncio.to_thread(done.wait)
            listening.close()
            await server.drop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="model-server")
    thread.start()
    ready.wait()
    try:
        yield server
    finally:
        done.set()
        thread.join()
    if server.errors:
        raise server.errors[0]


def main(argv: list[str] | None = None) -> None:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser(prog="model_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scenario", required=True, help="module:function, a callable from Request to Answer")
    parser.add_argument("--key", action="append", default=[], help="an accepted key; any if none is given")
    options = parser.parse_args(argv)
    module, _, name = options.scenario.partition(":")
    server = ModelServer(getattr(importlib.import_module(module), name), keys=options.key)

    async def serve() -> None:
        async with await server.listen(options.port):
            sys.stdout.write(server.url + "\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)
            await server.drop()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
