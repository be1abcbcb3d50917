"""What the warm process loads so that the runners forked from it need not.

Nothing of it lasts but code and what Python remembers of it: when a runner is forked there is one thread, no event loop and no
connection. Nothing of a person's is in it, for who will want a runner is not known yet.
"""

import asyncio
import gc
import importlib
import os
import pkgutil
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, FunctionType

import msgspec

from loopdeck.agents.registry import make_agent
from loopdeck.core import tokens
from loopdeck.core.conversation import Message, ModelRequest, Text
from loopdeck.store.frozen import Frozen

_ROOMS = ("core", "store", "git", "sandbox", "agents", "tools", "checks", "runner")
"""The rooms of a runner."""
_BESIDES = ("asyncio", "concurrent.futures.thread", "ctypes", "getpass", "tempfile", "uuid")
"""What they load when a step needs it."""
SDKS = ("anthropic", "openai")
"""Agents whose SDK can be warm."""
_GOES_S = 0.1
_CALLS = 9
"""So often an interpreter runs a function before it has fitted it to its purpose, which a runner then need not."""
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n"
_SAID = {
    "anthropic": (
        b'data: {"type":"message_start","message":{"id":"m","model":"none","usage":{"input_tokens":1,"output_tokens":0}}}\n\n'
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Yes"}}\n\n'
        b'data: {"type":"content_block_stop","index":0}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}\n\n'
        b'data: {"type":"message_stop"}\n\n'
    ),
    "openai": (
        b'data: {"id":"c","model":"none","choices":[{"index":0,"delta":{"content":"Yes"},"finish_reason":"stop"}]}\n\n'
        b'data: {"id":"c","model":"none","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n'
        b"data: [DONE]\n\n"
    ),
}
"""One word, as each of them streams it."""


def rooms() -> None:
    """Load the runner itself."""
    for room in _ROOMS:
        package = importlib.import_module(f"loopdeck.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for name in _BESIDES:
        importlib.import_module(name)
    tokens.compile_all()
    # What a type is made of is found out when the first value of it is read.
    with suppress(msgspec.ValidationError):
        msgspec.convert({}, Frozen)
    _settle()


def sdk(kind: str) -> None:
    """Load the SDK `kind` by having it call a model: this process itself, which says one word. One that can't be had is left out."""
    # Whatever is wrong with it, the runner that needs it will say so; those that don't are none the worse.
    with suppress(Exception):
        call(kind)
        ran = _run_by(lambda: call(kind))
        _settle()
        _lay_together(ran)
        call(kind)
    _settle()


def call(kind: str) -> None:
    """Have the SDK call the model that this process plays. Raises whatever is wrong with it."""
    # No real key is sent anywhere for this, and nothing at all to a proxy.
    with _told({f"{kind.upper()}_API_KEY": "none", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}):
        asyncio.run(_call(kind))


def needed(spec_file: Path) -> set[str]:
    """The SDKs that a run may use: those whose names are in what was frozen for it."""
    try:
        said = spec_file.read_bytes()
    except OSError:
        # The runner will say so.
        return set()
    return {kind for kind in SDKS if f'"{kind}'.encode() in said}


def single_threaded() -> bool:
    """True if nothing but the main thread runs, so that a fork leaves nothing half done."""
    # One that has been joined may be there for a moment yet.
    until = time.monotonic() + _GOES_S
    while len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - how many is all that counts
        if time.monotonic() > until:
            return False
        time.sleep(0.001)
    return True


async def _call(kind: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            for _ in range(_CALLS):
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                await reader.readexactly(int(length[1]) if length else 0)
                writer.write(_HEAD % len(_SAID[kind]) + _SAID[kind])
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    agent = make_agent(kind, base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    request = ModelRequest("none", (), (Message("user", (Text("Are you there?"),)),), max_output=1)
    try:
        for _ in range(_CALLS):
            await agent.call(request, lambda text: None)
    finally:
        await agent.close()
        server.close()


@contextmanager
def _told(variables: Mapping[str, str]) -> Iterator[None]:
    """The environment with these in it, for as long as it takes."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _settle() -> None:
    """Put what was loaded where the collector doesn't touch it, so that the forked go on sharing it."""
    gc.collect()
    gc.freeze()
    # What tells of the gaps may look another way in another Python; then they stay.
    with suppress(Exception):
        _fill_gaps()


def _run_by(work: Callable[[], None]) -> set[int]:
    """The ids of the code that runs in `work`, in its threads too."""
    ran: set[int] = set()

    def saw(frame: FrameType, event: str, argument: object) -> None:
        ran.add(id(frame.f_code))

    threading.setprofile(saw)
    sys.setprofile(saw)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return ran


def _lay_together(ran: set[int]) -> None:
    """Lay the code that runners run in one place.

    Whoever runs code writes to the page it is on, if only to count who uses it, and has a page of its own then. Where it was loaded it
    lies between ten times as much that is never run.
    """
    # What was frozen is not found.
    gc.unfreeze()
    # What it replaces is let go afterwards, or else its place would be taken at once.
    before = []
    for each in gc.get_objects():
        if type(each) is FunctionType and id(each.__code__) in ran:
            before.append(each.__code__)
            each.__code__ = each.__code__.replace()


_GAPS = re.compile(rb"^ *\d+ +(\d+) +\d+ +\d+ +(\d+)$", re.M)
_filling: list[object] = []


def _fill_gaps() -> None:
    """Take up the free places between what was loaded.

    Else the first things that a runner makes are laid in them, one here, one there, and each copies a page for itself that it could
    have gone on sharing: a megabyte of a runner's fifteen.
    """
    for size, free in _GAPS.findall(_allocator()):
        _filling.extend(_of_size(int(size)) for _ in range(int(free)))


def _of_size(size: int) -> object:
    """Something small that takes as many bytes."""
    return object() if size == 16 else float(size) if size == 32 else bytes(size - sys.getsizeof(b""))


def _allocator() -> bytes:
    """What the interpreter tells of its allocator: it can tell that to its standard error alone."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as told:
            os.dup2(told.fileno(), 2)
            sys._debugmallocstats()
            os.dup2(kept, 2)
            told.seek(0)
            return told.read()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
