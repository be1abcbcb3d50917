"""Claude Code's control protocol over its stdin and stdout: requests and answers of both sides, and its messages between them.

Invariant: a request that it takes back is answered no more.
"""

import itertools
from collections.abc import Awaitable, Callable

from loopdeck.agents.outside.listening import Json, Listening, Refused, part, text
from loopdeck.sandbox.port import Conversation


class Wire(Listening):
    """Our side. `answer` is awaited for each request of its (subtype, request) and may raise Refused; `heard` takes each message."""

    def __init__(
        self, talk: Conversation, answer: Callable[[str, Json], Awaitable[Json]], heard: Callable[[Json], None],
        rubbish: Callable[[str], None],
    ) -> None:  # fmt: skip
        super().__init__(talk, rubbish)
        self._answer = answer
        self._heard = heard
        self._numbers = itertools.count(1)

    def is_message(self, decoded: Json) -> bool:
        """Whether it says of which type it is."""
        return isinstance(decoded.get("type"), str)

    async def ask(self, method: str, params: Json) -> Json:
        """Make a control request of subtype `method` and wait for its answer. Raises Refused, Gone."""
        number = f"loopdeck-{next(self._numbers)}"
        request = {"type": "control_request", "request_id": number, "request": {"subtype": method, **params}}
        answer = await self.asked(number, request)
        return answer if isinstance(answer, dict) else {}

    async def drop(self) -> None:
        """Answer no request of its that still waits, whatever is being found out for it."""
        await self.cancelled()

    def take(self, message: Json) -> None:
        """A request, an answer, a request taken back, or a message."""
        match message["type"]:
            case "control_response":
                self._taken(part(message, "response"))
            case "control_request":
                number = text(message, "request_id")
                self.answer_beside(number, self._serve(number, part(message, "request")))
            case "control_cancel_request":
                if (task := self.answering.get(text(message, "request_id"))) is not None:
                    task.cancel()
            case _:
                self._heard(message)

    def _taken(self, response: Json) -> None:
        future = self.waiting.get(text(response, "request_id"))
        if future is None or future.done():
            return
        if text(response, "subtype") == "error":
            future.set_exception(Refused(0, text(response, "error")[:2000] or "no explanation"))
        else:
            future.set_result(part(response, "response"))

    async def _serve(self, number: str, request: Json) -> None:
        response: Json = {"subtype": "success", "request_id": number}
        try:
            response["response"] = await self._answer(text(request, "subtype"), request)
        except Refused as refusal:
            response = {"subtype": "error", "request_id": number, "error": refusal.message}
        await self.send({"type": "control_response", "response": response})
