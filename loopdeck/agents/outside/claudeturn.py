"""One turn of Claude Code: its calls put before the gate, what it says and does written down, its end told for what it was.

A hook sees every call before it runs, and answers at once where the gate does. Where a person has to decide it says `ask`, and the
permission request that follows waits, for hours if need be: hooks have a time limit, those have none. A hook's `defer` is not used:
when the session goes on, the deferred call is made before any hook of ours can be there.

Invariant: no call is let through unless the gate allowed exactly that one; what a person edited replaces the agent's own arguments.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from loopdeck.agents.outside import claudeends as ends
from loopdeck.agents.outside.claudebooks import Books
from loopdeck.agents.outside.claudewire import Wire
from loopdeck.agents.outside.foreign import Tongue, Unfit
from loopdeck.agents.outside.listening import Json, Refused, count, part, parts, text
from loopdeck.agents.outside.playing import soon
from loopdeck.agents.outside.port import Allowed, Denied, Ended, Host, Shown, Task

DECIDES_S = 2.0
"""How long a hook waits for the gate: a rule's decision takes milliseconds, and a person's is waited for elsewhere."""
_HOOK = "before-a-call"
_HOOK_S = 60
_MOST_NOTES = 50
_BOOKKEEPING = frozenset({"StructuredOutput", "TodoWrite"})
"""Its own tools that touch nothing: an answer in a form, a list of what it means to do."""
_LOOKS = {"Read": "file_path", "Grep": "path"}
_NOT_MADE = "<tool_use_error>"
_CHANGED = "loopdeck: the call is not the one that was shown before; make it again."


class ClaudeTurn:
    """One turn under way."""

    def __init__(self, task: Task, host: Host, start_s: float) -> None:
        self._task = task
        self._host = host
        self._start_s = start_s
        self._tongue = Tongue(task.worktree, servers=tuple(one.name for one in task.servers))
        self._books = Books(host)
        self._wire: Wire
        self._over: asyncio.Future[Json]
        self._asked: dict[str, tuple[Shown, asyncio.Future[Allowed | Denied]]] = {}
        self._made: dict[str, tuple[str, Mapping[str, object]]] = {}
        self._noted: set[str] = set()
        self._text = ""
        self._api_error = ""
        self._stopped = ""
        self._missing = False

    async def play(self, wire: Wire) -> Ended:
        """From the first word to the end of the turn."""
        self._wire = wire
        self._over = asyncio.get_running_loop().create_future()
        hook = {"matcher": "*", "hookCallbackIds": [_HOOK], "timeout": _HOOK_S}
        await soon(wire, "initialize", {"hooks": {"PreToolUse": [hook]}}, self._start_s)
        prompt = [{"type": "text", "text": self._task.prompt}]
        await wire.send({"type": "user", "message": {"role": "user", "content": prompt}, "parent_tool_use_id": None, "session_id": ""})
        result = await self._over
        self._books.account(result, resumed=bool(self._task.resume))
        for denial in parts(result, "permission_denials"):
            if (id_ := text(denial, "tool_use_id")) not in self._asked:
                self._note(f"claude refused a call by itself: {text(denial, 'tool_name')} ({id_})")
        if self._stopped:
            return Ended("denied", self._text, message=self._stopped)
        return ends.ended(result, self._text, self._api_error)

    async def leave(self) -> None:
        """Break the turn off: what waits for an answer is dropped, what runs is ended."""
        await self._wire.drop()
        await self._wire.ask("interrupt", {})

    def close(self) -> None:
        """Nothing more will be heard: a reply that was cut off is told as far as it is known, nobody waits for the gate."""
        self._books.close()
        for _, deciding in self._asked.values():
            deciding.cancel()

    def rubbish(self, line: str) -> None:
        """A line that is no message."""
        self._note(f"claude printed something that is no message: {line}")

    async def answer(self, subtype: str, request: Json) -> Json:
        """One request of its."""
        match subtype:
            case "hook_callback":
                return await self._before(part(request, "input"))
            case "can_use_tool":
                return await self._permitted(request)
            case "elicitation":
                self._note("a server of claude's asked a question that nobody is there to answer")
                return {"action": "cancel"}
            case _:
                self._note(f"claude asked for something that we don't do: {subtype}")
                raise Refused(0, "loopdeck does not do that")

    def heard(self, message: Json) -> None:
        """One message of its."""
        match message["type"]:
            case "system":
                self._told(message)
            case "stream_event":
                self._books.streamed(part(message, "event"), text(message, "parent_tool_use_id"))
            case "assistant":
                self._said(message)
            case "user":
                self._returned(part(message, "message"))
            case "result" if not self._over.done():
                self._over.set_result(message)
            case _:
                pass

    # Calls

    async def _before(self, given: Json) -> Json:
        """The hook before a call."""
        name, id_ = text(given, "tool_name"), text(given, "tool_use_id")
        own = part(given, "tool_input")
        if self._is_its_own(name, own):
            return _hook("allow", "")
        shown, deciding = self._put(id_, name, own)
        await asyncio.wait((deciding,), timeout=DECIDES_S)
        if not deciding.done():
            return _hook("ask", "loopdeck asks a person.")
        match deciding.result():
            case Denied(why=why, stop=stop):
                # Only the answer to a permission request can end the turn.
                return _hook("ask" if stop else "deny", why)
            case Allowed(arguments=edited):
                try:
                    return _hook("allow", "", self._as_edited(name, own, edited))
                except Unfit as unfit:
                    self._host.returned(shown.id, f"Not run: {unfit}", is_error=True)
                    return _hook("deny", f"loopdeck: {unfit}.")

    async def _permitted(self, request: Json) -> Json:
        """A permission request: waits for as long as it takes."""
        name, id_ = text(request, "tool_name"), text(request, "tool_use_id")
        own = part(request, "input")
        if self._is_its_own(name, own):
            return {"behavior": "allow", "updatedInput": own}
        shown, deciding = self._put(id_, name, own)
        if self._tongue.shown(id_, name, own) != shown:
            return {"behavior": "deny", "message": _CHANGED}
        await asyncio.wait((deciding,))
        match deciding.result():
            case Denied(why=why, stop=stop):
                self._stopped = why if stop else self._stopped
                return {"behavior": "deny", "message": why, "interrupt": stop}
            case Allowed(arguments=edited):
                try:
                    return {"behavior": "allow", "updatedInput": self._as_edited(name, own, edited) or own}
                except Unfit as unfit:
                    self._host.returned(shown.id, f"Not run: {unfit}", is_error=True)
                    return {"behavior": "deny", "message": f"loopdeck: {unfit}."}

    def _put(self, id_: str, name: str, own: Json) -> "tuple[Shown, asyncio.Future[Allowed | Denied]]":
        """Put a call before the gate, once."""
        if id_ not in self._asked:
            shown = self._tongue.shown(id_, name, own)
            self._asked[id_] = shown, asyncio.ensure_future(self._host.ask(shown))
        return self._asked[id_]

    def _is_its_own(self, name: str, own: Json) -> bool:
        """True for a call that touches nothing, or looks at what it put into its own folder: results too long for its memory."""
        if name in _BOOKKEEPING:
            return True
        place = text(own, _LOOKS[name]) if name in _LOOKS else ""
        return bool(place) and place.startswith("/") and Path(os.path.realpath(place)).is_relative_to(os.path.realpath(self._task.home))

    def _as_edited(self, name: str, own: Json, edited: str) -> Json:
        """Its arguments with what a person edited; empty if nobody did. Raises Unfit."""
        return self._tongue.given_back(name, own, edited) if edited else {}

    # What it tells

    def _told(self, message: Json) -> None:
        match text(message, "subtype"):
            case "init":
                self._host.session(text(message, "session_id"))
                if version := text(message, "claude_code_version"):
                    self._host.note(f"Claude Code {version}, model {text(message, 'model')}")
            case "api_retry":
                status = count(message, "error_status") or text(message, "error")
                self._host.note(f"claude tries again ({count(message, 'attempt')} of {count(message, 'max_retries')}): {status}")
            case "compact_boundary":
                self._host.note("claude has summed up what came before")
            case _:
                pass

    def _said(self, message: Json) -> None:
        said = part(message, "message")
        failed = bool(message.get("isApiErrorMessage") or message.get("error"))
        for block in parts(said, "content"):
            match text(block, "type"):
                case "text" if failed:
                    self._api_error = text(block, "text")
                case "text" if text(block, "text").strip():
                    self._host.said(text(block, "text"))
                    if not message.get("parent_tool_use_id"):
                        self._text = text(block, "text")
                case "tool_use":
                    self._made[text(block, "id")] = text(block, "name"), part(block, "input")
                case _:
                    pass

    def _returned(self, said: Json) -> None:
        for block in parts(said, "content"):
            if text(block, "type") != "tool_result":
                continue
            id_ = text(block, "tool_use_id")
            name, own = self._made.pop(id_, ("", {}))
            words = _words(block)
            if id_ not in self._asked and words.startswith(_NOT_MADE):
                self._note(f"claude's call of {name} made no sense to itself, and did not run: {words.removeprefix(_NOT_MADE)[:300]}")
                continue
            if id_ not in self._asked and name:
                self._host.met(self._tongue.shown(id_, name, own))
            self._host.returned(id_, words, is_error=block.get("is_error") is True)

    def _note(self, words: str) -> None:
        if words not in self._noted and len(self._noted) < _MOST_NOTES:
            self._noted.add(words)
            self._host.note(words)


def _hook(decision: str, why: str, edited: Json | None = None) -> Json:
    given: Json = {"hookEventName": "PreToolUse", "permissionDecision": decision, "permissionDecisionReason": why}
    return {"hookSpecificOutput": given | ({"updatedInput": edited} if edited else {})}


def _words(block: Json) -> str:
    """A result as text; of what is no text only its kind."""
    content = block.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(text(one, "text") or f"[{text(one, 'type')}]" for one in parts(block, "content"))
