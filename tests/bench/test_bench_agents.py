"""Goals 28 and 29: the CPU of a model call and of a streamed chunk, beside the vendor's own SDK in the same run.

The server is another process, so that the CPU of this one is the client's alone.
"""

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable

import anthropic
import pytest

from loopdeck.agents.anthropic import AnthropicAgent
from loopdeck.core.conversation import Message, ModelRequest, Text
from tests.bench.report import goal
from tests.kit.model_process import serving_process

pytestmark = pytest.mark.bench

MODEL = "claude-sonnet-4-5"
FEW, MANY = 50, 850
TURNS = 60

Ask = Callable[[str], Awaitable[object]]


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "bench")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def prompt(pieces: int) -> str:
    return f"Say so many pieces: {pieces}"


def cpu(ask: Ask, pieces: int, times: int) -> Callable[[], Awaitable[float]]:
    """CPU seconds of one call that streams `pieces`, the mean of `times`."""

    async def measure() -> float:
        begun = time.process_time()
        for _ in range(times):
            await ask(prompt(pieces))
        return (time.process_time() - begun) / times

    return measure


async def compared(url: str, measured: Callable[[Ask], Callable[[], Awaitable[float]]]) -> list[float]:
    """Medians of `measured` over our agent and over the SDK's own stream helper, in turns on one event loop."""
    agent = AnthropicAgent(base_url=url)
    client = anthropic.AsyncAnthropic(base_url=url, api_key="bench", max_retries=0)
    heard: list[str] = []

    async def ours(text: str) -> object:
        return await agent.call(ModelRequest(MODEL, (), (Message("user", (Text(text),)),), max_output=100_000), heard.append)

    async def theirs(text: str) -> object:
        async with client.messages.stream(model=MODEL, max_tokens=100_000, messages=[{"role": "user", "content": text}]) as stream:
            async for piece in stream.text_stream:
                heard.append(piece)
            return await stream.get_final_message()

    for ask in (ours, theirs):
        await ask(prompt(FEW))
    results: list[list[float]] = [[], []]
    for _ in range(7):
        for ask, kept in zip((ours, theirs), results, strict=True):
            kept.append(await measured(ask)())
    await agent.close()
    await client.close()
    return [sorted(kept)[len(kept) // 2] for kept in results]


def run(measured: Callable[[Ask], Callable[[], Awaitable[float]]]) -> list[float]:
    with serving_process("tests.kit.model_scenarios:as_many_pieces_as_asked") as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's own word on the model's age
        return asyncio.run(compared(server.url, measured))


def test_goal_28_a_model_call_costs_no_more_cpu_than_the_sdks_own():
    ours, theirs = run(lambda ask: cpu(ask, 1, TURNS))
    print(f"\nCPU a call: ours {ours * 1e3:.2f} ms, SDK {theirs * 1e3:.2f} ms")  # noqa: T201 - the figures are the output
    goal(28, "CPU of the agent's adapter alone, a call, of the SDK's", ours / theirs, 1.5, 1.0)


def test_goal_29_a_streamed_chunk_costs_half_of_the_sdks_own():
    def per_chunk(ask: Ask) -> Callable[[], Awaitable[float]]:
        async def measure() -> float:
            few, many = await cpu(ask, FEW, 4)(), await cpu(ask, MANY, 4)()
            return (many - few) / (MANY - FEW)

        return measure

    ours, theirs = run(per_chunk)
    print(f"\nCPU a chunk: ours {ours * 1e6:.1f} us, SDK {theirs * 1e6:.1f} us")  # noqa: T201 - the figures are the output
    goal(29, "CPU of a streamed chunk, of the SDK's", ours / theirs, 1.1, 0.5)
