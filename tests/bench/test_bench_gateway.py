"""What the metering gateway takes: CPU of a streamed chunk, CPU and time of a call, beside the same calls without it in the same run.

Agent and gateway share this process, the server is another: what a call takes more of it than a direct one is the gateway's.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import pytest

from tests.agents.gateway.room import opened
from tests.bench.report import goal, say
from tests.kit.model_process import serving_process

pytestmark = pytest.mark.bench

FEW, MANY = 50, 450


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "bench")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


class Caller:
    """The cheapest agent there is: one connection, one read after the other."""

    def __init__(self, url: str, token: str) -> None:
        self._host, _, self._path = url.removeprefix("http://").partition("/")
        self._token = token
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, pieces: int, size: int = 0) -> None:
        """Have so many pieces streamed; the request has `size` bytes of text more."""
        if self._ends is None:
            host, port = self._host.split(":")
            self._ends = await asyncio.open_connection(host, int(port))
        reader, writer = self._ends
        said = [{"role": "user", "content": "x" * size + f" {pieces}"}]
        raw = json.dumps({"model": "claude-sonnet-4-6", "max_tokens": 90_000, "stream": True, "messages": said}).encode()
        slash = "/" if self._path else ""
        lines = f"POST {slash}{self._path}/v1/messages HTTP/1.1", "Host: x", f"x-api-key: {self._token}", f"Content-Length: {len(raw)}"
        writer.write("\r\n".join((*lines, "", "")).encode() + raw)
        tail = b""
        while not tail.endswith(b"0\r\n\r\n"):
            data = await reader.read(1 << 16)
            assert data
            tail = (tail + data)[-64:]

    async def close(self) -> None:
        """Hang up."""
        if self._ends is not None:
            self._ends[1].close()
            await self._ends[1].wait_closed()


async def spent(ask: Callable[[], Awaitable[None]], times: int) -> tuple[float, float]:
    """CPU seconds a call, and the median of its time."""
    took = []
    begun = time.process_time()
    for _ in range(times):
        at = time.perf_counter()
        await ask()
        took.append(time.perf_counter() - at)
    return (time.process_time() - begun) / times, median(took)


async def compared(url: str, folder: Path, measured: Callable[[Caller], Awaitable[float]], rounds: int = 5) -> list[float]:
    """Medians of what is `measured` of a caller without a gateway and of one behind it, in turns."""
    results: list[list[float]] = [[], []]
    async with opened(url, folder) as room:
        ways = Caller(url, "bench"), Caller(room.address.url, room.address.token)
        for way in ways:
            await way.ask(1)
        for _ in range(rounds):
            for way, kept in zip(ways, results, strict=True):
                kept.append(await measured(way))
        for way in ways:
            await way.close()
    return [median(kept) for kept in results]


def run(scenario: str, folder: Path, measured: Callable[[Caller], Awaitable[float]]) -> tuple[float, float]:
    with serving_process(f"tests.kit.model_scenarios:{scenario}") as server:
        direct, through = asyncio.run(compared(server.url, folder, measured))
    return direct, through


async def per_chunk(way: Caller) -> float:
    """CPU seconds of one chunk."""
    few, _ = await spent(lambda: way.ask(FEW), 1)
    many, _ = await spent(lambda: way.ask(MANY), 1)
    return (many - few) / (MANY - FEW)


def test_a_streamed_chunk_costs_little(tmp_path):
    for number, scenario in ("G1", "as_many_slow_pieces_as_asked"), ("G2", "as_many_pieces_as_asked"):
        direct, through = (seconds * 1e6 for seconds in run(scenario, tmp_path / number, per_chunk))
        say(f"CPU of a chunk: {direct:.1f} us for the caller alone, {through:.1f} us with the gateway")
        name = "CPU of a chunk, each sent on its own, us" if number == "G1" else "CPU of a chunk, as fast as they come, us"
        goal(number, name, through - direct, 1000, 200)


def test_a_call_takes_little_longer(tmp_path):
    async def time_of(way: Caller) -> float:
        return (await spent(lambda: way.ask(1), 30))[1]

    async def cpu_of(way: Caller) -> float:
        return (await spent(lambda: way.ask(1), 30))[0]

    async def cpu_of_a_megabyte(way: Caller) -> float:
        return (await spent(lambda: way.ask(1, 1_000_000), 2))[0]

    kinds = {"time": time_of, "CPU": cpu_of, "CPU with a megabyte": cpu_of_a_megabyte}
    for number, ((name, measured), most) in enumerate(zip(kinds.items(), (100, 20, 200), strict=True), 3):
        direct, through = (seconds * 1e3 for seconds in run("as_many_pieces_as_asked", tmp_path / name, measured))
        say(f"{name} of a call: {direct:.2f} ms without the gateway, {through:.2f} ms with it")
        goal(f"G{number}", f"{name} that the gateway adds to a call, ms", through - direct, most, most / 10)
