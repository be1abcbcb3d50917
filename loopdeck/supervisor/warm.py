"""What the warm process loads so that the runners forked from it need not.

Code only: no thread, no event loop, no connection, and nothing of a person's, for who will want a runner is not known yet.
"""

import gc
import importlib
import pkgutil
from contextlib import suppress
from pathlib import Path

from loopdeck.agents.lean import lean
from loopdeck.core.spec import LoopSpec

_ROOMS = ("core", "store", "git", "sandbox", "agents", "tools", "checks", "runner")
"""The rooms of a runner."""
_BESIDES = ("asyncio", "concurrent.futures.thread", "ctypes", "getpass", "tempfile", "uuid")
"""What they load when a step needs it."""
CLIENTS = {"anthropic": "AsyncAnthropic", "openai": "AsyncOpenAI"}
"""The SDKs that can be warm, and what their client is called."""
_CONNECTING = (
    "httpx2", "anyio._backends._asyncio", "anyio._core._sockets", "anyio.streams.stapled", "encodings.idna", "encodings.ascii",
)  # fmt: skip
"""What a client loads with its first request."""


def rooms() -> None:
    """Load the runner itself."""
    for room in _ROOMS:
        package = importlib.import_module(f"loopdeck.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for name in _BESIDES:
        importlib.import_module(name)
    _settle()


def sdk(kind: str) -> None:
    """Load the SDK `kind`, as far as a runner uses it: with a client that is made and let go. One that can't be had is left out."""
    # Whatever is wrong with it, the runner that needs it will say so; those that don't are none the worse.
    with suppress(Exception):
        with lean(kind):
            module = importlib.import_module(kind)
            for name in _CONNECTING:
                importlib.import_module(name)
        getattr(module, CLIENTS[kind])(api_key="none", base_url="http://127.0.0.1:9", max_retries=0)
    _settle()


def needed(spec: LoopSpec) -> set[str]:
    """The SDKs that a run of `spec` will use."""
    named = {spec.maker.agent, *(check.rubric.agent for check in spec.checks if check.rubric is not None)}
    routed = {route.partition(":")[0] for route in (spec.models.check, spec.models.review, spec.models.fallback)}
    return (named | routed) & CLIENTS.keys()


def _settle() -> None:
    """Put what was loaded where the collector doesn't touch it, so that the forked go on sharing it."""
    gc.collect()
    gc.freeze()


def single_threaded() -> bool:
    """True if nothing but the main thread runs, so that a fork leaves nothing half done."""
    return len(list(Path("/proc/self/task").iterdir())) == 1
