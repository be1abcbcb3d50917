"""JSON-RPC over a program's lines: what Codex's app-server and every ACP agent are talked with."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping

from loopdeck.agents.outside.listening import Json, Listening, Refused
from loopdeck.sandbox.port import Conversation

NO_SUCH_METHOD = -32601


class Peer(Listening):
    """One side of a conversation; `talk` leads to the other.

    `answer` is awaited for each request of theirs, and may raise Refused; `heard` takes each notice; `rubbish` each line that is no
    message. `stamp` stands in every message of ours.
    """

    def __init__(
        self,
        talk: Conversation,
        answer: Callable[[str, Json], Awaitable[Json]],
        heard: Callable[[str, Json], None],
        rubbish: Callable[[str], None],
        *,
        stamp: Mapping[str, str],
    ) -> None:
        super().__init__(talk, rubbish)
        self._answer = answer
        self._heard = heard
        self._stamp = dict(stamp)
        self._ids = itertools.count(1)
        self._writing = asyncio.Lock()

    def is_message(self, decoded: Json) -> bool:
        """Whether it names a method, or answers a request."""
        return "method" in decoded or "id" in decoded

    async def ask(self, method: str, params: Json) -> Json:
        """Make a request and wait for its answer. Raises Refused, Gone."""
        number = next(self._ids)
        result = await self.asked(number, {"id": number, "method": method, "params": params})
        return result if isinstance(result, dict) else {}

    async def tell(self, method: str, params: Json | None = None) -> None:
        """Send a notice. Raises Gone."""
        await self.send({"method": method} | ({} if params is None else {"params": params}))

    async def send(self, message: Json) -> None:
        """Send a message, stamped, one at a time. Raises Gone."""
        async with self._writing:
            await super().send(self._stamp | message)

    async def drop(self, result: Json) -> None:
        """Answer every request of theirs that still waits with `result`, whatever is being found out for it. Raises Gone."""
        for number in await self.cancelled():
            await self.send({"id": number, "result": result})

    def take(self, message: Json) -> None:
        """A request, a notice or an answer."""
        method, number = message.get("method"), message.get("id")
        params = message.get("params")
        given = params if isinstance(params, dict) else {}
        if isinstance(method, str) and number is not None:
            self.answer_beside(number, self._serve(number, method, given))
        elif isinstance(method, str):
            self._heard(method, given)
        elif isinstance(number, int) and (future := self.waiting.get(number)) is not None and not future.done():
            error = message.get("error")
            if error is None:
                future.set_result(message.get("result"))
            else:
                future.set_exception(_refusal(error))

    async def _serve(self, number: object, method: str, params: Json) -> None:
        try:
            reply: Json = {"result": await self._answer(method, params)}
        except Refused as refusal:
            reply = {"error": {"code": refusal.code, "message": refusal.message}}
        await self.send({"id": number} | reply)


def _refusal(error: object) -> Refused:
    if not isinstance(error, dict):
        return Refused(0, str(error)[:2000])
    code = error.get("code")
    return Refused(code if isinstance(code, int) else 0, str(error.get("message") or "no explanation")[:2000], error.get("data"))
