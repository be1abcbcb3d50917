"""A run in the middle of its work, with a gateway whose purse is its real record on disk; and agents that are the vendors' own SDKs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anthropic
import httpx2
import openai

from loopdeck.agents import tls
from loopdeck.agents.gateway.address import Address
from loopdeck.agents.gateway.gateway import Gateway
from loopdeck.agents.gateway.upstream import Upstreams
from loopdeck.core import events as ev
from loopdeck.core.happening import Settings
from loopdeck.core.redact import Redactor
from loopdeck.core.spec import Price
from loopdeck.core.usage import Usage
from loopdeck.runner.day import Day
from loopdeck.runner.purse import RunPurse
from loopdeck.runner.record import Record
from loopdeck.store.journal import read_journal
from loopdeck.store.layout import RunPaths
from tests.kit.model_server import ModelServer

Speech = Literal["messages", "chat", "responses", "gemini"]
SPEECHES: tuple[Speech, ...] = ("messages", "chat", "responses", "gemini")
MODELS: dict[Speech, str] = {"messages": "claude-sonnet-4-6", "chat": "gpt-5-mini", "responses": "gpt-5", "gemini": "gemini-2.5-pro"}
HINTS = {"messages": "anthropic", "chat": "openai", "responses": "openai", "gemini": "google"}
DOLLAR = 10**12
AMPLE = Settings(max_iterations=3, max_cost=1000 * DOLLAR)


def running(folder: Path, settings: Settings = AMPLE) -> Record:
    """The record of a run in its first iteration."""
    paths = RunPaths(folder)
    paths.dir.mkdir(parents=True, exist_ok=True)
    record = Record(paths, 1, Redactor(()))
    for event in (
        ev.RunQueued("fix", "r1", settings, "sp", "ex", "ha"), ev.RunnerStarted(1, 1), ev.RunStarted(),
        ev.IterationStarted(1, ""),
    ):  # fmt: skip
        record.happened(event)
    return record


@dataclass
class Room:
    """What a test has in hand."""

    record: Record
    address: Address
    gateway: Gateway

    @property
    def spent(self) -> Usage:
        """What the run's journal says was taken."""
        return self.record.run.spend.usage


@asynccontextmanager
async def opened(
    server_url: str, folder: Path, settings: Settings = AMPLE, *, timeout_s: float = 20.0, own: dict[str, Price] | None = None
) -> AsyncIterator[Room]:
    """A running run whose gateway leads to `server_url`."""
    record = running(folder, settings)
    purse = RunPurse(record, "agent", own or {}, 2000, Day(record, record.paths.dir))
    urls: dict[Any, str] = {"anthropic": server_url, "openai": f"{server_url}/v1", "google": server_url}
    gateway = Gateway(purse, Upstreams(urls, timeout_s=timeout_s))
    address = await gateway.start()
    try:
        yield Room(record, address, gateway)
    finally:
        await gateway.stop()
        record.close()


def playing(
    server: ModelServer, folder: Path, work: Callable[[Room], Awaitable[None]], settings: Settings = AMPLE, **more: Any
) -> Record:
    """Do `work` in a room that leads to `server`; gives the record, closed."""

    async def go() -> Record:
        async with opened(server.url, folder, settings, **more) as room:
            await work(room)
            return room.record

    return asyncio.run(go())


def journal(folder: Path) -> list[ev.AnyEvent]:
    """What happened to the run in `folder`, as it is on disk now."""
    return [entry.event for entry in read_journal(RunPaths(folder).journal).entries]


def reserved_in(folder: Path) -> list[ev.ModelCallReserved]:
    """What was set aside, call by call."""
    return [event for event in journal(folder) if isinstance(event, ev.ModelCallReserved)]


def settled_in(folder: Path) -> list[ev.ModelCallSettled]:
    """How calls were settled."""
    return [event for event in journal(folder) if isinstance(event, ev.ModelCallSettled)]


@dataclass
class Heard:
    """What an SDK made of an answer."""

    text: str
    usage: Any = None


class Agents:
    """The vendors' SDKs, pointed at an address. Gemini's own is a large package: plain HTTP stands in for it."""

    def __init__(self, address: Address, *, token: str = "", retries: int = 0) -> None:
        token = token or address.token
        trusted = tls.trusted()
        clients = anthropic.DefaultAsyncHttpxClient(verify=trusted), openai.DefaultAsyncHttpxClient(verify=trusted)
        self.anthropic = anthropic.AsyncAnthropic(api_key=token, base_url=address.url, max_retries=retries, http_client=clients[0])
        self.openai = openai.AsyncOpenAI(api_key=token, base_url=address.openai, max_retries=retries, http_client=clients[1])
        self.http = httpx2.AsyncClient(base_url=address.url, headers={"x-goog-api-key": token}, timeout=20, verify=trusted)

    async def __aenter__(self) -> "Agents":
        return self

    async def __aexit__(self, *what: object) -> None:
        await self.anthropic.close()
        await self.openai.close()
        await self.http.aclose()

    async def ask(self, speech: Speech, text: str = "Say something.", *, stream: bool = True, cap: int = 500) -> Heard:
        """One call. Raises what the SDK does."""
        model = MODELS[speech]
        match speech, stream:
            case "messages", True:
                return await self._stream_message(model, text, cap)
            case "messages", False:
                reply = await self.anthropic.messages.create(model=model, max_tokens=cap, messages=[{"role": "user", "content": text}])
                return Heard("".join(block.text for block in reply.content if block.type == "text"), reply.usage)
            case "chat", True:
                return await self._stream_chat(model, text, cap)
            case "chat", False:
                done = await self.openai.chat.completions.create(
                    model=model, max_tokens=cap, messages=[{"role": "user", "content": text}]
                )
                return Heard(done.choices[0].message.content or "", done.usage)
            case "responses", True:
                return await self._stream_response(model, text, cap)
            case "responses", False:
                response = await self.openai.responses.create(model=model, max_output_tokens=cap, input=text)
                return Heard(response.output_text, response.usage)
            case _:
                return await self._gemini(model, text, cap, stream)

    async def _stream_message(self, model: str, text: str, cap: int) -> Heard:
        said: list[dict[str, str]] = [{"role": "user", "content": text}]
        async with self.anthropic.messages.stream(model=model, max_tokens=cap, messages=said) as stream:  # type: ignore[arg-type]  # dicts, as a user writes them
            whole = await stream.get_final_message()
        return Heard("".join(block.text for block in whole.content if block.type == "text"), whole.usage)

    async def _stream_chat(self, model: str, text: str, cap: int) -> Heard:
        heard = Heard("")
        stream = await self.openai.chat.completions.create(
            model=model, max_tokens=cap, messages=[{"role": "user", "content": text}], stream=True
        )
        async for chunk in stream:
            heard.text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
            heard.usage = chunk.usage or heard.usage
        return heard

    async def _stream_response(self, model: str, text: str, cap: int) -> Heard:
        heard = Heard("")
        async for event in await self.openai.responses.create(model=model, max_output_tokens=cap, input=text, stream=True):
            if event.type == "response.output_text.delta":
                heard.text += event.delta
            elif event.type == "response.completed":
                heard.usage = event.response.usage
        return heard

    async def _gemini(self, model: str, text: str, cap: int, stream: bool) -> Heard:
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        body = {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": {"maxOutputTokens": cap}}
        answer = await self.http.post(f"/v1beta/models/{model}:{verb}", json=body)
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code} {answer.json()['error']['message']}")
        lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")] if stream else [answer.text]
        heard = Heard("")
        for line in lines:
            chunk = httpx2.Response(200, text=line).json()
            if "error" in chunk:
                raise RuntimeError(chunk["error"]["message"])
            heard.text += "".join(part.get("text", "") for one in chunk["candidates"] for part in one["content"]["parts"])
            heard.usage = chunk.get("usageMetadata", heard.usage)
        return heard
