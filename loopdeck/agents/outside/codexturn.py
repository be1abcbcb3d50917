"""One turn of Codex: its thread opened, its requests put before the gate, its reports written down.

Invariant: no request of its is answered with yes unless the gate allowed exactly the call that it stands for; what can't be shown to
the gate is declined. Figures are counted for turns that began while we listened, since it repeats old ones when it resumes.
"""

import asyncio
import contextlib
import itertools
import json

from msgspec import Struct, structs

from loopdeck.agents.openai_chat import disjoint
from loopdeck.agents.outside import codexcalls as calls
from loopdeck.agents.outside import codexends as ends
from loopdeck.agents.outside.listening import Gone, Json, Refused, count, part, parts, text
from loopdeck.agents.outside.playing import Late, soon
from loopdeck.agents.outside.port import Allowed, Denied, Ended, Host, Server, Shown, Task
from loopdeck.agents.outside.rpc import NO_SUCH_METHOD, Peer

_CLEAN_S = 2.0
_INSTEAD = "The operator did not allow the call as it was, but allows this one in its place: make it now.\n{arguments}"
_NOT_ALLOWED = "loopdeck: a call was not allowed, and did not run: {why}"
_STILL_RUNNING = "It was still running when the turn ended, and was ended with it."


class _Verdict(Struct, frozen=True):
    """What is answered, and what the agent is told besides."""

    decision: str
    told: str = ""
    edited: str = ""


class CodexTurn:
    """One turn under way."""

    def __init__(self, task: Task, host: Host, start_s: float) -> None:
        self._task = task
        self._host = host
        self._start_s = start_s
        self._peer: Peer
        self._thread = ""
        self._turn = ""
        self._model = task.model
        self._items: dict[str, Json] = {}
        self._asked: dict[str, list[str]] = {}
        self._returned: set[str] = set()
        self._turns: set[str] = set()
        self._numbers = itertools.count(1)
        self._noted: set[str] = set()
        self._instead: dict[str, str] = {}
        self._text = ""
        self._stopped = ""

    async def play(self, peer: Peer) -> Ended:
        """From the first word to the end of the turn."""
        self._peer = peer
        self._over: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        client = {"name": "loopdeck", "title": None, "version": "1"}
        await soon(peer, "initialize", {"clientInfo": client, "capabilities": {"experimentalApi": True}}, self._start_s)
        await peer.tell("initialized")
        await self._open_thread()
        given: Json = {"threadId": self._thread, "input": [{"type": "text", "text": self._task.prompt}]}
        if self._task.schema:
            given["outputSchema"] = json.loads(self._task.schema)
        started = await soon(peer, "turn/start", given, self._start_s)
        self._turn = text(part(started, "turn"), "id")
        self._turns.add(self._turn)
        finished = await self._over
        with contextlib.suppress(Late, Refused):
            await soon(peer, "thread/backgroundTerminals/clean", {"threadId": self._thread}, _CLEAN_S)
        self._close_calls()
        return self._ended(finished)

    @property
    def opened(self) -> bool:
        """True once there is a thread to talk in."""
        return bool(self._thread)

    async def leave(self) -> None:
        """Break the turn off: what waits for an answer is cancelled, what runs is ended."""
        await self._peer.drop({"decision": "cancel", "action": "cancel"})
        if self._turn:
            await self._peer.ask("turn/interrupt", {"threadId": self._thread, "turnId": self._turn})
        if self._thread:
            await self._peer.ask("thread/backgroundTerminals/clean", {"threadId": self._thread})

    def rubbish(self, line: str) -> None:
        """A line that is no message."""
        self._note(f"codex printed something that is no message: {line}")

    async def answer(self, method: str, params: Json) -> Json:
        """One request of its."""
        match method:
            case "item/commandExecution/requestApproval":
                return {"decision": await self._about_command(params)}
            case "item/fileChange/requestApproval":
                return {"decision": await self._about_files(params)}
            case "mcpServer/elicitation/request":
                return {"action": await self._about_tool(params)}
            case "item/permissions/requestApproval":
                self._host.note("codex asked for wider permissions, and was given none")
                return {"permissions": {}}
            case "item/tool/requestUserInput":
                self._host.note("codex asked a question that nobody is there to answer")
                return {"answers": {}}
            case _:
                raise Refused(NO_SUCH_METHOD, "loopdeck does not do that")

    def heard(self, method: str, params: Json) -> None:
        """One notice of its."""
        match method:
            case "item/started":
                item = part(params, "item")
                self._items[text(item, "id")] = item
            case "item/completed":
                self._completed(part(params, "item"))
            case "item/commandExecution/terminalInteraction":
                self._typed(params)
            case "thread/tokenUsage/updated":
                self._used(params)
            case "turn/started":
                self._turns.add(text(part(params, "turn"), "id"))
            case "turn/completed":
                turn = part(params, "turn")
                if text(params, "threadId") == self._thread and not self._over.done():
                    self._over.set_result(turn)
            case "error" if params.get("willRetry") is True:
                self._host.note(f"codex tries again: {ends.said(part(params, 'error'))}")
            case "warning" | "configWarning" | "guardianWarning":
                words = text(params, "message") or text(params, "summary")
                if not words.startswith(ends.OUR_OWN_DOING):
                    self._note(f"codex warns: {words[:500]}")
            case _:
                pass

    async def _open_thread(self) -> None:
        task = self._task
        given: Json = {
            "cwd": str(task.worktree),
            "approvalPolicy": "untrusted",
            # Our own sandbox holds it, and its own can't be made in there.
            "sandbox": "danger-full-access" if task.confined else "workspace-write",
            "config": {"mcp_servers": {one.name: _server(one) for one in task.servers}},
        }
        if task.model:
            given["model"] = task.model
        if task.system:
            given["developerInstructions"] = task.system
        if task.resume:
            given |= {"threadId": task.resume, "excludeTurns": True}
        opened = await soon(self._peer, "thread/resume" if task.resume else "thread/start", given, self._start_s)
        self._thread = text(part(opened, "thread"), "id") or task.resume
        self._model = text(opened, "model") or task.model
        self._host.session(self._thread)

    # What it asks

    async def _about_command(self, params: Json) -> str:
        item = self._items.get(text(params, "itemId"), {})
        shown = calls.command(self._task.worktree, params, item)
        if shown is None:
            self._host.note("codex asked for something that it did not say: declined")
            return "decline"
        return await self._decided((shown,), text(params, "itemId"))

    async def _about_files(self, params: Json) -> str:
        item = self._items.get(text(params, "itemId"), {})
        shown = calls.changes(self._task.worktree, item)
        if not shown or text(params, "grantRoot"):
            self._host.note("codex asked to change files, but not which and how, or for more than one change: declined")
            return "decline"
        return await self._decided(shown, text(params, "itemId"))

    async def _about_tool(self, params: Json) -> str:
        waiting = [
            item for item in self._items.values() if text(item, "type") == "mcpToolCall" and text(item, "status") == "inProgress"
        ]
        about = [item for item in waiting if text(item, "server") == text(params, "serverName") and text(item, "id") not in self._asked]
        shown = calls.tool(about[0]) if len(about) == 1 else None
        if shown is None:
            self._host.note("a server of codex's asked a question that nobody is there to answer: declined")
            return "decline"
        return await self._decided((shown,), shown.id)

    async def _decided(self, shown: tuple[Shown, ...], item: str) -> str:
        """Put calls that stand or fall together before the gate: the first one that is not allowed decides for all."""
        if len(shown) == 1:
            # The edited call that a person allowed in place of an earlier one is that one's, and not asked for again.
            shown = (structs.replace(shown[0], id=self._instead.pop(_same(shown[0].tool, shown[0].arguments), shown[0].id)),)
        self._asked.setdefault(item, []).extend(one.id for one in shown)
        verdict = _Verdict("accept")
        allowed: list[str] = []
        for one in shown:
            verdict = _verdict(one, await self._host.ask(one))
            if verdict.decision != "accept":
                break
            allowed.append(one.id)
        if verdict.decision == "accept":
            return "accept"
        for other in allowed:
            self._came(other, "Not made: another part of the same change was not allowed.", failed=True)
        if verdict.edited and len(shown) == 1:
            self._instead[_same(shown[0].tool, verdict.edited)] = shown[0].id
            self._asked.pop(item)
        if verdict.decision == "cancel":
            self._stopped = verdict.told
        else:
            await self._tell(verdict.told)
        return verdict.decision

    async def _tell(self, message: str) -> None:
        """Put a word into the turn: an answer itself carries none."""
        given = {"threadId": self._thread, "expectedTurnId": self._turn, "input": [{"type": "text", "text": message}]}
        with contextlib.suppress(Refused, Late, Gone):
            await soon(self._peer, "turn/steer", given, _CLEAN_S)

    # What it reports

    def _completed(self, item: Json) -> None:
        id_ = text(item, "id")
        self._items.pop(id_, None)
        match text(item, "type"):
            case "agentMessage":
                self._text = text(item, "text")
                if self._text.strip():
                    self._host.said(self._text)
                return
            case "commandExecution":
                met = calls.command(self._task.worktree, item, item)
                shown: tuple[Shown, ...] = (met,) if met else ()
            case "fileChange":
                shown = calls.changes(self._task.worktree, item)
            case "mcpToolCall" | "dynamicToolCall":
                met = calls.tool(item)
                shown = (met,) if met else ()
            case "userMessage" | "reasoning" | "plan" | "hookPrompt" | "contextCompaction":
                return
            case other:
                self._note(f"codex did something that we have no name for: {other}")
                return
        output, failed = calls.outcome(item)
        if id_ in self._asked:
            ids = self._asked.pop(id_)
        elif text(item, "status") == "declined":
            return
        else:
            for one in shown:
                self._host.met(one)
            ids = [one.id for one in shown]
        for one_id in ids:
            self._came(one_id, output, failed=failed)

    def _typed(self, params: Json) -> None:
        """It typed something into a command that runs: nobody is asked about that."""
        typed = text(params, "stdin")
        if typed.strip():
            shown = calls.typed(f"{text(params, 'itemId')}:typed{next(self._numbers)}", typed)
            self._host.met(shown)
            self._came(shown.id, "", failed=False)

    def _came(self, id_: str, output: str, *, failed: bool) -> None:
        if id_ not in self._returned:
            self._returned.add(id_)
            self._host.returned(id_, output, is_error=failed)

    def _close_calls(self) -> None:
        for ids in self._asked.values():
            for id_ in ids:
                self._came(id_, _STILL_RUNNING, failed=True)

    def _used(self, params: Json) -> None:
        if text(params, "turnId") not in self._turns:
            return
        told = part(params, "tokenUsage")
        last, total = part(told, "last"), count(part(told, "total"), "totalTokens")
        usage = disjoint(
            count(last, "inputTokens"),
            count(last, "cachedInputTokens"),
            count(last, "cacheWriteInputTokens"),
            count(last, "outputTokens"),
        )
        # What a thread has taken in all only grows: a figure that is told twice has one name.
        self._host.used(f"{text(params, 'threadId')}:{total}", self._model, usage)

    def _note(self, words: str) -> None:
        if words not in self._noted and len(self._noted) < ends.MOST_NOTES:
            self._noted.add(words)
            self._host.note(words)

    def _ended(self, turn: Json) -> Ended:
        said = next((text(one, "text") for one in reversed(parts(turn, "items")) if text(one, "type") == "agentMessage"), self._text)
        match text(turn, "status"):
            case "completed":
                return Ended("ended", said)
            case "interrupted" if self._stopped:
                return Ended("denied", said, message=self._stopped)
            case "interrupted":
                return Ended("cancelled", said, message="codex: the turn was interrupted")
            case _:
                return ends.failed(part(turn, "error"), said)


def _verdict(shown: Shown, given: Allowed | Denied) -> _Verdict:
    match given:
        case Denied(why=why, stop=True):
            return _Verdict("cancel", why)
        case Denied(why=why):
            return _Verdict("decline", _NOT_ALLOWED.format(why=why))
        case Allowed(arguments=arguments) if arguments and _same("", arguments) != _same("", shown.arguments):
            return _Verdict("decline", _INSTEAD.format(arguments=arguments), arguments)
        case _:
            return _Verdict("accept")


def _same(tool: str, arguments: str) -> str:
    """A call by what it says, however its JSON is written."""
    try:
        return f"{tool} {json.dumps(json.loads(arguments), sort_keys=True)}"
    except (ValueError, RecursionError):
        return f"{tool} {arguments}"


def _server(server: Server) -> Json:
    """A server as its settings want it: each call of a tool is asked for."""
    where: Json = (
        {"url": server.url} if server.url else {"command": server.argv[0], "args": list(server.argv[1:]), "env": dict(server.env)}
    )
    return where | {"default_tools_approval_mode": "prompt"}
