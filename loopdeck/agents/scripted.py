"""The scripted agent: a model whose turns were written in advance, for tests, the demo and rehearsals of a loop.

It reaches no network and needs no key; everything around it is real. The invariant: the same request gives the same answer. Its
place in the script travels in the request's `session` and comes back advanced with every answer, failed ones included, so that a
turn is played at most once per run, whoever restarts the runner.
"""

import asyncio
import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct, structs

from loopdeck.core.conversation import (
    Block,
    FailureKind,
    Message,
    ModelFailed,
    ModelReply,
    ModelRequest,
    OnText,
    Stop,
    Text,
    ToolResult,
    ToolUse,
)
from loopdeck.core.script import Script, ScriptTurn
from loopdeck.core.usage import Usage

NO_TURN = "The script has no turn for this iteration."
RETRY_AFTER_S = 0.1
"""What a scripted rate limit or overload asks to wait, in seconds."""

_BUSY: frozenset[FailureKind] = frozenset({"rate_limit", "overloaded"})
_PIECES = re.compile(r"\S*\s+|\S+")
_PLACE = re.compile(r"(\d{1,9})@(\d{1,9})")


class Place(Struct, frozen=True):
    """Where the script stands: the index of the next turn, and the iteration the turn before it was played in (0: none was)."""

    turn: int = 0
    iteration: int = 0

    def __str__(self) -> str:
        return f"{self.turn}@{self.iteration}"

    @classmethod
    def read(cls, session: str) -> "Place":
        """The place that `session` names; what isn't ours means the beginning."""
        found = _PLACE.fullmatch(session)
        return cls(int(found[1]), int(found[2])) if found else cls()


class ScriptedAgent:
    """A ModelAgent that plays `script`."""

    def __init__(self, script: Script) -> None:
        self._turns = script.turns
        self.priced_as = script.model
        """The model whose prices the script's usage is meant to have; empty: the one asked for."""

    def input_bound(self, request: ModelRequest) -> int:
        """Bytes of the whole request, or what the script will report for it if that is more."""
        turn, _ = self._next(request)
        return max(len(msgspec.json.encode(request)), _input(turn))

    async def count_input(self, request: ModelRequest) -> int | None:
        """What the script will report for it; nothing if it has no turn for it."""
        turn, _ = self._next(request)
        return _input(turn)

    async def call(self, request: ModelRequest, on_text: OnText) -> ModelReply:
        """Play the next turn that fits `request`. Raises ModelFailed where the script says so."""
        turn, place = self._next(request)
        model = self.priced_as or request.model
        if turn is None:
            on_text(NO_TURN)
            return ModelReply((Text(NO_TURN),), "end", Usage(), model, session=str(place))
        after = str(Place(place.turn + 1, request.iteration))
        if turn.error:
            await asyncio.sleep(turn.delay_s)
            raise _failure(turn, after)
        answer, blocks, stop = _answer(turn, place.turn, request.max_output)
        text = "".join(block.text for block in blocks if isinstance(block, Text))
        await _stream(text, turn.delay_s, on_text)
        return ModelReply(blocks, stop, answer, model, session=after, request_id=f"script-{place.turn}")

    async def close(self) -> None:
        """Nothing to let go of."""

    def _next(self, request: ModelRequest) -> tuple[ScriptTurn | None, Place]:
        """The turn that answers `request` and its place; None if the script has nothing for this iteration."""
        start = Place.read(request.session)
        index = start.turn
        if start.iteration != request.iteration:
            index = self._first_of(request.iteration, index)
        prompt = _prompt(request.messages)
        while index < len(self._turns):
            turn = self._turns[index]
            if turn.iteration > request.iteration:
                break
            if turn.when in prompt:
                return turn, Place(index, request.iteration)
            index += 1
        return None, Place(index, request.iteration)

    def _first_of(self, iteration: int, start: int) -> int:
        marked = (index for index in range(start, len(self._turns)) if self._turns[index].iteration == iteration)
        return next(marked, start)


def _prompt(messages: tuple[Message, ...]) -> str:
    """All that the maker was told so far in this iteration: the instruction, notes, and what its tools said."""
    return "\n".join(_said(messages))


def _said(messages: tuple[Message, ...]) -> Iterator[str]:
    for message in messages:
        if message.role != "user":
            continue
        for block in message.blocks:
            match block:
                case Text(text=text):
                    yield text
                case ToolResult(output=output):
                    yield output
                case _:
                    pass


def _input(turn: ScriptTurn | None) -> int:
    return 0 if turn is None else turn.usage.tokens - turn.usage.output


def _answer(turn: ScriptTurn, index: int, max_output: int) -> tuple[Usage, tuple[Block, ...], Stop]:
    """Usage, blocks and stop of a turn; what is longer than `max_output` tokens is cut as a provider would: the end is missing."""
    if turn.usage.output > max_output:
        kept = turn.text[: len(turn.text) * max_output // turn.usage.output]
        return structs.replace(turn.usage, output=max_output), (Text(kept),), "max_output"
    calls = tuple(ToolUse(f"s{index}-{number}", call.tool, call.arguments) for number, call in enumerate(turn.calls, 1))
    text = (Text(turn.text),) if turn.text or not calls else ()
    return turn.usage, (*text, *calls), "tools" if calls else "end"


def _failure(turn: ScriptTurn, after: str) -> ModelFailed:
    """The failure that `turn` asks for. A turn with usage failed after the provider had begun to charge for it."""
    kind: FailureKind = turn.error or "malformed"
    return ModelFailed(
        kind,
        turn.text or f"the script says: {kind}",
        retry_after=RETRY_AFTER_S if kind in _BUSY else None,
        maybe_charged=turn.usage.tokens > 0,
        session=after,
    )


async def _stream(text: str, delay_s: float, on_text: OnText) -> None:
    pieces = _PIECES.findall(text)
    if not pieces or delay_s <= 0:
        await asyncio.sleep(delay_s)
    for piece in pieces:
        if delay_s > 0:
            await asyncio.sleep(delay_s / len(pieces))
        on_text(piece)
