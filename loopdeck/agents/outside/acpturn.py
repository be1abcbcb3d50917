"""One turn by the Agent Client Protocol: the session opened, its requests put before the gate, its reports written down.

Invariant: a permission is given once and for one call, by the plainest option there is; a call that can't be shown is rejected. What
a loaded session repeats of its past is not heard. Files and terminals are not offered: agents have their own.
"""

import asyncio
import contextlib
import itertools
import json

from msgspec import structs

from loopdeck.agents.outside import acpcalls as calls
from loopdeck.agents.outside import acpends as ends
from loopdeck.agents.outside.acpquirks import Quirks
from loopdeck.agents.outside.listening import Json, Refused, count, part, parts, text
from loopdeck.agents.outside.playing import soon
from loopdeck.agents.outside.port import Allowed, Denied, Ended, Host, Server, Shown, Task
from loopdeck.agents.outside.rpc import NO_SUCH_METHOD, Peer

VERSION = 1
_CANCELLED: Json = {"outcome": {"outcome": "cancelled"}}
_MOST_NOTES = 50
_MOST_PROMPTS = 4
_SETTLE_S = 0.3
_LOOKS = 10
_INSTEAD = "The operator did not allow a call of yours as it was, but allows this one in its place: {tool} {arguments}\nMake it now."


class AcpTurn:
    """One turn under way."""

    def __init__(self, quirks: Quirks, task: Task, host: Host, start_s: float) -> None:
        self._quirks = quirks
        self._task = task
        self._host = host
        self._start_s = start_s
        self._peer: Peer
        self._servers = tuple(one.name for one in task.servers)
        self._session = ""
        self._listening = False
        self._known: dict[str, Json] = {}
        self._asked: dict[str, list[str]] = {}
        self._closed: set[str] = set()
        self._instead: dict[str, tuple[str, str]] = {}
        self._numbers = itertools.count(1)
        self._noted: set[str] = set()
        self._piece = ""
        self._last = ""
        self._denied = ""

    async def play(self, peer: Peer) -> Ended:
        """From the first word to the end of the turn."""
        self._peer = peer
        offered = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
        client = {"name": "loopdeck", "version": "1"}
        greeted = await soon(
            peer, "initialize", {"protocolVersion": VERSION, "clientCapabilities": offered, "clientInfo": client}, self._start_s
        )
        if greeted.get("protocolVersion") != VERSION:
            words = f"{self._quirks.name} speaks version {greeted.get('protocolVersion')} of the protocol, and we speak {VERSION}"
            return Ended("failed", failure="malformed", message=words)
        try:
            await self._open(part(greeted, "agentCapabilities"))
            self._listening = True
            prompt = self._task.prompt
            if self._task.system and not self._task.resume:
                prompt = f"{self._task.system}\n\n{prompt}"
            result: Json = {}
            for _ in range(_MOST_PROMPTS):
                result = await peer.ask("session/prompt", {"sessionId": self._session, "prompt": [{"type": "text", "text": prompt}]})
                self._prompted(result)
                if not self._instead:
                    break
                prompt = "\n".join(_INSTEAD.format(tool=tool, arguments=given) for tool, given in self._instead.values())
            self._close_calls()
            return ends.ended(self._quirks.name, text(result, "stopReason"), self._last, self._denied)
        except Refused as refusal:
            self._flush()
            return ends.failed(self._quirks.name, refusal, self._last, opened=self.opened)

    @property
    def opened(self) -> bool:
        """True once there is a session to talk in."""
        return bool(self._session)

    async def leave(self) -> None:
        """Break the turn off: open requests are answered with cancelled, or some agents never stop."""
        await self._peer.drop(_CANCELLED)
        if self._session:
            await self._peer.tell("session/cancel", {"sessionId": self._session})

    def rubbish(self, line: str) -> None:
        """A line that is no message."""
        self._note(f"{self._quirks.name} printed something that is no message: {line}")

    async def answer(self, method: str, params: Json) -> Json:
        """One request of its."""
        if method == "session/request_permission":
            return await self._permission(params)
        raise Refused(NO_SUCH_METHOD, "loopdeck does not offer that")

    def heard(self, method: str, params: Json) -> None:
        """One notice of its."""
        if method != "session/update" or not self._listening or text(params, "sessionId") != self._session:
            return
        update = part(params, "update")
        match text(update, "sessionUpdate"):
            case "agent_message_chunk":
                self._piece += text(part(update, "content"), "text")
                self._chunk(update)
            case "tool_call" | "tool_call_update":
                self._flush()
                self._called(update)
            case "user_message_chunk" | "agent_thought_chunk" | "plan":
                self._flush()
            case _:
                pass

    async def _open(self, able: Json) -> None:
        task = self._task
        servers = task.servers if self._quirks.serves else ()
        given: Json = {"cwd": str(task.worktree), "mcpServers": [_server(one) for one in servers]}
        if self._quirks.session:
            given["_meta"] = dict(self._quirks.session)
        if task.resume:
            if able.get("loadSession") is not True:
                raise Refused(0, "it can't go on with a conversation")
            opened = await soon(self._peer, "session/load", given | {"sessionId": task.resume}, self._start_s)
            session = task.resume
        else:
            opened = await soon(self._peer, "session/new", given, self._start_s)
            session = text(opened, "sessionId")
        await self._set_up(session, opened)
        self._session = session
        self._host.session(session)

    async def _set_up(self, session: str, opened: Json) -> None:
        """The mode in which it asks, and the model."""
        modes, wanted = part(opened, "modes"), self._quirks.mode
        if wanted and text(modes, "currentModeId") != wanted:
            await soon(self._peer, "session/set_mode", {"sessionId": session, "modeId": wanted}, self._start_s)
        model = self._task.model
        if not model or (self._task.gateway and self._quirks.led):
            return
        models = part(opened, "models")
        if model in [text(one, "modelId") for one in parts(models, "availableModels")]:
            await soon(self._peer, "session/set_model", {"sessionId": session, "modelId": model}, self._start_s)
            return
        for option in parts(opened, "configOptions"):
            if text(option, "id") == "model" and model in [text(one, "value") for one in parts(option, "options")]:
                choice = {"sessionId": session, "configId": "model", "value": model}
                await soon(self._peer, "session/set_config_option", choice, self._start_s)
                return
        self._note(f"{self._quirks.name} offers no model {model!r}, and takes the one that it has chosen itself")

    # What it asks

    async def _permission(self, params: Json) -> Json:
        self._flush()
        asked = part(params, "toolCall")
        id_, options = text(asked, "toolCallId"), parts(params, "options")
        self._known[id_] = calls.merged(self._known.get(id_, {}), asked)
        call = await self._told(id_)
        shown = calls.shown(self._quirks.name, self._task.worktree, call, self._servers)
        if not id_ or not shown:
            self._note(f"{self._quirks.name} asked for something that it did not show: rejected")
            return _chosen(calls.plainest(options, "reject_once"))
        verdict = await self._decided(id_, shown)
        if isinstance(verdict, Denied):
            self._denied = verdict.why
            if verdict.stop:
                await self._peer.tell("session/cancel", {"sessionId": self._session})
                return _CANCELLED
            return _chosen(calls.plainest(options, "reject_once"))
        once = calls.plainest(options, "allow_once")
        if not once:
            self._note(f"{self._quirks.name} offers no permission for one call alone: rejected")
            return _chosen(calls.plainest(options, "reject_once"))
        return _chosen(once)

    async def _told(self, id_: str) -> Json:
        """The call once it says what it is about: some tell that only right after they have asked."""
        for _ in range(_LOOKS):
            call = self._known[id_]
            if part(call, "rawInput") or parts(call, "content"):
                break
            await asyncio.sleep(_SETTLE_S / _LOOKS)
        return self._known[id_]

    async def _decided(self, id_: str, shown: tuple[Shown, ...]) -> Allowed | Denied:
        """Put calls that stand or fall together before the gate: the first one that is not allowed decides for all."""
        if len(shown) == 1:
            # The edited call that a person allowed in place of an earlier one is that one's, and not asked for again.
            before = next((one for one, (tool, given) in self._instead.items() if _same(shown[0], tool, given)), "")
            self._instead.pop(before, None)
            shown = (structs.replace(shown[0], id=before or shown[0].id),)
        self._asked[id_] = [one.id for one in shown]
        allowed: list[str] = []
        for one in shown:
            answer = await self._host.ask(one)
            edited = isinstance(answer, Allowed) and bool(answer.arguments) and not _same(one, one.tool, answer.arguments)
            if edited and isinstance(answer, Allowed):
                if len(shown) == 1:
                    self._instead[one.id] = (one.tool, answer.arguments)
                    self._asked.pop(id_)
                answer = Denied("the operator allows another call in its place")
            if isinstance(answer, Denied):
                for other in allowed:
                    self._came(other, "Not made: another part of the same change was not allowed.", failed=True)
                return answer
            allowed.append(one.id)
        return Allowed()

    # What it reports

    def _called(self, update: Json) -> None:
        id_ = text(update, "toolCallId")
        if id_ not in self._known:
            self._denied = ""
        call = self._known[id_] = calls.merged(self._known.get(id_, {}), update)
        if text(call, "status") not in ("completed", "failed"):
            return
        if id_ in self._asked:
            ids = self._asked.pop(id_)
        elif id_ in self._closed:
            return
        else:
            ids = self._met(call)
        self._closed.add(id_)
        output, failed = calls.outcome(call)
        for one in ids:
            self._came(one, output, failed=failed)

    def _met(self, call: Json) -> list[str]:
        """It made a call, or tried to, and did not ask."""
        if text(call, "status") == "failed" and self._denied:
            return []
        shown = calls.shown(self._quirks.name, self._task.worktree, call, self._servers)
        for one in shown:
            self._host.met(one)
        return [one.id for one in shown]

    def _came(self, id_: str, output: str, *, failed: bool) -> None:
        self._host.returned(id_, output, is_error=failed)

    def _close_calls(self) -> None:
        for ids in self._asked.values():
            for id_ in ids:
                self._came(id_, "It did not tell what came of it.", failed=bool(self._denied))
        for id_ in self._instead:
            self._came(id_, "The agent did not make the call that was allowed in its place.", failed=True)

    def _flush(self) -> None:
        if self._piece.strip():
            self._last = self._piece
            self._denied = ""
            self._host.said(self._piece)
        self._piece = ""

    def _chunk(self, update: Json) -> None:
        told = part(part(update, "_meta"), "usage")
        if told and self._quirks.figures == "chunk":
            self._host.used(f"{self._session}:{next(self._numbers)}", self._task.model, calls.usage(told))

    def _prompted(self, result: Json) -> None:
        """The figures of a prompt, where they come at its end."""
        self._flush()
        told = part(result, "usage")
        if self._quirks.figures == "quota":
            quota = part(part(part(result, "_meta"), "quota"), "token_count")
            told = {"inputTokens": count(quota, "input_tokens"), "outputTokens": count(quota, "output_tokens")}
            told["totalTokens"] = count(told, "inputTokens") + count(told, "outputTokens")
        if self._quirks.figures in ("quota", "prompt") and count(told, "totalTokens"):
            self._host.used(f"{self._session}:{next(self._numbers)}", self._task.model, calls.usage(told))

    def _note(self, words: str) -> None:
        if words not in self._noted and len(self._noted) < _MOST_NOTES:
            self._noted.add(words)
            self._host.note(words)


def _chosen(option: str) -> Json:
    return {"outcome": {"outcome": "selected", "optionId": option}} if option else _CANCELLED


def _same(shown: Shown, tool: str, arguments: str) -> bool:
    """True if this is that call, however its JSON is written."""
    with contextlib.suppress(ValueError, RecursionError):
        return shown.tool == tool and bool(json.loads(shown.arguments) == json.loads(arguments))
    return False


def _server(server: Server) -> Json:
    if server.url:
        return {"type": "http", "name": server.name, "url": server.url, "headers": []}
    env = [{"name": name, "value": value} for name, value in server.env.items()]
    return {"name": server.name, "command": server.argv[0], "args": list(server.argv[1:]), "env": env}
