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
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

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
    """Load the SDK `kind` by calling a model where nobody answers. One that can't be had is left out."""
    # Whatever is wrong with it, the runner that needs it will say so; those that don't are none the worse.
    with suppress(Exception), _nobody() as url, _key(f"{kind.upper()}_API_KEY"):
        asyncio.run(_call(kind, url))
    _settle()


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
    return len(list(Path("/proc/self/task").iterdir())) == 1


async def _call(kind: str, url: str) -> None:
    agent = make_agent(kind, base_url=url)
    try:
        await agent.call(ModelRequest("none", (), (Message("user", (Text("Nobody is there."),)),), max_output=1), lambda text: None)
    finally:
        await agent.close()


@contextmanager
def _nobody() -> Iterator[str]:
    """An address of this machine where every connection is refused."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def _key(name: str) -> Iterator[None]:
    """A key that is none, for as long as it takes."""
    before = os.environ.get(name)
    os.environ[name] = before or "none"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]


def _settle() -> None:
    """Put what was loaded where the collector doesn't touch it, so that the forked go on sharing it."""
    gc.collect()
    gc.freeze()
    # What tells of the gaps may look another way in another Python; then they stay.
    with suppress(Exception):
        _fill_gaps()


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
