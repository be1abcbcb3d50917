"""Any agent that speaks the Agent Client Protocol on its stdin and stdout, started by the loop file's `command`.

What is known of each is in `acpquirks`; one that isn't known is talked with by the protocol alone, and nothing is promised of it.
Invariant: an agent that can't put its calls before the gate is itself put there before it starts, as the command that it is.
"""

import asyncio
import json
import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from msgspec import structs

from loopdeck.agents.keys import Vendor
from loopdeck.agents.outside import acpquirks
from loopdeck.agents.outside.acpturn import AcpTurn
from loopdeck.agents.outside.playing import START_S, played
from loopdeck.agents.outside.port import Allowed, Caps, Denied, Ended, Host, Shown, Task
from loopdeck.agents.outside.rpc import Peer
from loopdeck.errors import WorkspaceError

_START = "start"
_STAMP = {"jsonrpc": "2.0"}
_OWN_PLACES = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")


class AcpAgent:
    """The agent that `command` starts."""

    kind = "acp"
    caps: Caps

    def __init__(self, command: str, *, start_s: float = START_S) -> None:
        self._argv = tuple(shlex.split(command))
        self._start_s = start_s
        self.quirks = acpquirks.quirks_of(self._argv)
        self.caps = self.quirks.caps

    async def turn(self, task: Task, host: Host) -> Ended:
        """Run one turn; see the port."""
        env = environment(self.quirks, task)
        if not self._argv or shutil.which(self._argv[0], path=env.get("PATH")) is None:
            name = self._argv[0] if self._argv else ""
            raise WorkspaceError(f"there is no program {name!r}", remedy="Mend `command` in `[maker]`, or install it.")
        if task.gateway and self.quirks.wants_model and not task.model:
            message = f"{self.quirks.name} is told no model: write `model = …` into `[maker]`"
            return Ended("failed", failure="request", message=message)
        await asyncio.to_thread(_write, self.quirks, task)
        if self.quirks.shows == "none":
            answer = await self._may_start(task, host)
            if isinstance(answer, Denied):
                return Ended("cancelled" if answer.stop else "denied", message=answer.why)
        ended = await self._run(env, task, host)
        if self.quirks.shows == "none":
            host.returned(_START, ended.text or ended.message or "it said nothing", is_error=ended.how == "failed")
        return ended

    async def _may_start(self, task: Task, host: Host) -> Allowed | Denied:
        command = shlex.join(self._argv)
        answer = await host.ask(Shown(_START, "bash", json.dumps({"command": command}), native=self.quirks.name))
        if isinstance(answer, Allowed) and answer.arguments and json.loads(answer.arguments).get("command") != command:
            return Denied("the agent's own start can't be edited; mend `command` in `[maker]`")
        return answer

    async def _run(self, env: Mapping[str, str], task: Task, host: Host) -> Ended:
        async with host.open((*self._argv, *arguments(self.quirks, self._argv, task)), env) as talk:
            turn = AcpTurn(self.quirks, task, host, self._start_s)
            peer = Peer(talk, turn.answer, turn.heard, turn.rubbish, stamp=_STAMP)
            ended = await played(self.quirks.name, talk, peer, turn.play(peer), turn.leave)
        if task.resume and not turn.opened and ended.failure == "request":
            return structs.replace(ended, failure="missing")
        return ended


def arguments(quirks: acpquirks.Quirks, argv: tuple[str, ...], task: Task) -> tuple[str, ...]:
    """What is added to the command line; a flag that it has already is the operator's own choice."""
    given = (*quirks.args, *(quirks.led_args if task.gateway else ()))
    if not task.model or any(one.startswith("-") and one in argv for one in given):
        given = quirks.args
    return tuple(acpquirks.filled(one, _values(quirks, task), in_json=False) for one in given)


def environment(quirks: acpquirks.Quirks, task: Task) -> Mapping[str, str]:
    """The environment of the process. Through the gateway it has a home of its own: no login of the operator's, no settings."""
    values = _values(quirks, task)
    env = dict(task.env)
    given = dict(quirks.env)
    if task.gateway and quirks.led:
        env = {name: value for name, value in env.items() if name not in _OWN_PLACES} | {"HOME": str(_home(task))}
        given |= quirks.led_env
    return env | {name: acpquirks.filled(one, values, in_json=one.startswith("{")) for name, one in given.items()}


def vendor(command: str, model: str) -> Vendor | None:
    """Whose key the gateway wants for it; None if it can't be led there."""
    quirks = acpquirks.quirks_of(tuple(shlex.split(command)))
    return acpquirks.vendor_of(quirks, model) if quirks.led else None


def _values(quirks: acpquirks.Quirks, task: Task) -> dict[str, str]:
    told = {"gateway": task.gateway, "token": task.token, "model": task.model, "home": str(_home(task))}
    told["worktree"] = os.path.realpath(task.worktree)
    return acpquirks.values_of(acpquirks.vendor_of(quirks, task.model), told)


def _home(task: Task) -> Path:
    return task.home / "acp"


def _write(quirks: acpquirks.Quirks, task: Task) -> None:
    home = _home(task)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = {**quirks.files, **(quirks.led_files if task.gateway else {})}
    for name, template in files.items():
        place = home / name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # It is a folder that the agent writes to: what it left there is not followed.
        place.unlink(missing_ok=True)
        place.write_text(acpquirks.filled(template, _values(quirks, task), in_json=True), "utf-8")
