"""Servers that run, and sessions with them."""

import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from loopdeck.connectors.session import Session
from loopdeck.connectors.stdio import StdioChannel
from loopdeck.sandbox.plain import PlainDoor
from loopdeck.sandbox.port import Command

ROOT = Path(__file__).parents[2]
HOSTILE = ROOT / "tests/kit/mcp_hostile.py"
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


@asynccontextmanager
async def stdio(argv, cwd, **bounds):
    """A session with a program, not greeted yet."""
    door = PlainDoor("connectors-test", grace_s=0.2)
    async with door.open(Command(argv=tuple(map(str, argv)), cwd=cwd, env=ENV, timeout_s=math.inf)) as conversation:
        yield Session(StdioChannel(conversation), **bounds)


def hostile(how, cwd, *more, **bounds):
    """A session with a server that misbehaves."""
    return stdio((sys.executable, "-S", HOSTILE, how, *more), cwd, **bounds)


@contextmanager
def serving(cwd: Path) -> Iterator[str]:
    """The honest server over HTTP: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.kit.mcp_server", "http", str(port)]
    with subprocess.Popen(command, cwd=cwd, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline, "the server does not come up"
                    assert process.poll() is None, "the server has ended"
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> Iterator[str]:
    """One server for all tests over HTTP."""
    with serving(tmp_path_factory.mktemp("server")) as url:
        yield url
