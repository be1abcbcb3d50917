"""The loopback model server as a process of its own, for tests whose clients are processes and for measuring without its CPU."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from loopdeck.core.usage import Usage

_ROOT = Path(__file__).parents[2]


class ServerProcess:
    """What can be asked of a running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def shown(self, what: str) -> list[dict[str, Any]]:
        """Its `ledger`, `requests` or `errors`."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/{what}", timeout=10) as page:
            rows: list[dict[str, Any]] = json.load(page)
        return rows

    def billed(self, *, tag: str | None = None) -> Usage:
        """All that was billed, or what was billed to one tag."""
        rows = [row for row in self.shown("ledger") if tag in {None, row["tag"]}]
        return sum((msgspec.convert(row["usage"], Usage) for row in rows), start=Usage())


@contextmanager
def serving_process(scenario: str) -> Iterator[ServerProcess]:
    """A server that plays `scenario` (`module:function`) for as long as the block lasts. Fails if the scenario raised."""
    command = [sys.executable, "-m", "tests.kit.model_server", "--scenario", scenario]
    env = {**os.environ, "PYTHONPATH": str(_ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT, env=env) as process:
        assert process.stdout is not None
        try:
            server = ServerProcess(process.stdout.readline().strip())
            yield server
            errors = server.shown("errors")
        finally:
            process.communicate(timeout=10)
    assert not errors, errors
