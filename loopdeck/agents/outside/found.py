"""Which outside agents this machine has, which version of each, and what it can and can't show us: for whoever asks before a run.

Invariant: nothing is claimed of an agent that its `Caps` don't say.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from loopdeck.agents.outside.port import Caps

_VERSION = re.compile(r"\d+\.\d+[\w.+-]*")
_PATIENCE_S = 10.0
_MOST = 1 << 16
_QUIET = {"DISABLE_AUTOUPDATER": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1", "PI_OFFLINE": "1", "NO_COLOR": "1"}


class Found(Struct, frozen=True):
    """An agent's program. `agent` is what a loop file calls it, `version` is empty if it would not say.

    `says` and `lacks` are what it can and can't show us or be told, in words; `hides` what of its doings nobody sees.
    """

    agent: str
    program: str
    path: str
    version: str
    says: tuple[str, ...]
    lacks: tuple[str, ...]
    hides: tuple[str, ...]


def look(env: Mapping[str, str]) -> tuple[Found, ...]:
    """The agents on the PATH of `env`, each asked for its version; takes as long as the slowest of them, ten seconds at most."""
    there = [(one, path) for one in _known() if (path := shutil.which(one.program, path=env.get("PATH")))]
    if not there:
        return ()
    with ThreadPoolExecutor(len(there)) as pool:
        versions = list(pool.map(lambda found: _version(found[1], env), there))
    return tuple(
        Found(one.agent, one.program, path, version, says(one.caps), lacks(one.caps), one.hides)
        for (one, path), version in zip(there, versions, strict=True)
    )


def acp_programs() -> tuple[str, ...]:
    """The programs that are known to speak ACP."""
    return tuple(one.program for one in _known() if one.agent == "acp")


def says(caps: Caps) -> tuple[str, ...]:
    """What an agent with these can do, in words."""
    asks = {
        "all": "puts every call before the gate first",
        "risky": "puts the calls that it holds for risky itself before the gate",
        "none": "",
    }
    counts = {"request": "tells what each request took", "turn": "tells what a turn took", "none": ""}
    told = (
        asks[caps.approvals],
        "takes edited arguments" if caps.edit else "",
        "is told why a call was denied" if caps.note else "",
        "goes on with its conversation in a later process" if caps.resume else "",
        counts[caps.usage],
        "goes through the gateway, which holds it to the budget" if caps.gateway else "",
    )
    return tuple(filter(None, told))


def lacks(caps: Caps) -> tuple[str, ...]:
    """What it can't, in words."""
    asks = {"all": "", "risky": "makes the other calls without asking", "none": "makes its calls without asking"}
    told = (
        asks[caps.approvals],
        "" if caps.edit or caps.approvals == "none" else "takes no edited arguments, and is told to make the call anew",
        "" if caps.note or caps.approvals == "none" else "is not told why a call was denied until its next turn",
        "" if caps.resume else "begins anew in each turn",
        {"none": "does not tell what it takes", "turn": "", "request": ""}[caps.usage],
        "" if caps.gateway else "can't be led through the gateway: its budget is checked after the fact",
    )
    return tuple(filter(None, told))


class _Known(Struct, frozen=True):
    agent: str
    program: str
    caps: Caps
    hides: tuple[str, ...] = ()


def _known() -> Iterator[_Known]:
    """What a loop file calls it, its program, and what is known of it."""
    from loopdeck.agents.outside import acpquirks  # not before somebody asks
    from loopdeck.agents.outside.claude import ClaudeAgent
    from loopdeck.agents.outside.codex import CodexAgent

    yield _Known("claude", "claude", ClaudeAgent.caps)
    yield _Known("codex", "codex", CodexAgent.caps)
    for quirks in acpquirks.KNOWN:
        yield _Known("acp", quirks.words[0], quirks.caps, quirks.hides)


def _version(path: str, env: Mapping[str, str]) -> str:
    try:
        # Into a file, not a pipe: who waits for a pipe waits for all that the program may have left behind.
        with (
            tempfile.TemporaryFile() as told,
            subprocess.Popen(
                [path, "--version"], env={**env, **_QUIET}, cwd="/", stdin=subprocess.DEVNULL, stdout=told,
                stderr=subprocess.DEVNULL, start_new_session=True,
            ) as process,
        ):  # fmt: skip
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_S)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            told.seek(0)
            said = told.read(_MOST)
    except OSError:
        return ""
    found = _VERSION.search(said.decode("utf-8", "replace"))
    return found[0] if found else ""
