"""What Claude Code says that its requests took: from the stream of each reply, and from its account at the end what that left out.

Its finished messages carry the output count of their beginning, one for each block of the same message, and its sums go on over a
resumed session: none of those is used. Invariant: each reply is told once, by its id, with disjoint counts; one that was cut off has
its known input and an estimate of its output, never nothing.
"""

from msgspec import Struct

from loopdeck.agents.outside.listening import Json, count, part, text
from loopdeck.agents.outside.port import Host
from loopdeck.core.usage import Usage

_BYTES_A_TOKEN = 4
_STREAM = {"input": "input_tokens", "output": "output_tokens", "cache_read": "cache_read_input_tokens",
           "cache_write": "cache_creation_input_tokens"}  # fmt: skip
_ACCOUNT = {"input": "inputTokens", "output": "outputTokens", "cache_read": "cacheReadInputTokens",
            "cache_write": "cacheCreationInputTokens"}  # fmt: skip


class _Reply(Struct):
    """A reply under way."""

    id: str
    model: str
    counts: dict[str, int]
    size: int = 0
    told: bool = False


class Books:
    """Tells `host` of each reply, and of what the account at the end has besides."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._replies: dict[str, _Reply] = {}
        self._seen = Usage()
        self._models: set[str] = set()

    def streamed(self, event: Json, lane: str) -> None:
        """One event of a reply; `lane` tells a sub-agent's from its own."""
        match text(event, "type"):
            case "message_start":
                self._settle(lane)
                message = part(event, "message")
                self._replies[lane] = _Reply(text(message, "id"), text(message, "model"), _counts(part(message, "usage"), _STREAM))
            case "content_block_delta" if (reply := self._replies.get(lane)) is not None:
                delta = part(event, "delta")
                reply.size += sum(len(text(delta, key).encode()) for key in ("text", "thinking", "partial_json"))
            case "message_delta" if (reply := self._replies.get(lane)) is not None:
                figures = _counts(part(event, "usage"), _STREAM)
                reply.counts |= figures
                reply.told |= "output" in figures
            case "message_stop":
                self._settle(lane)

    def close(self) -> None:
        """Nothing more comes: what is under way was cut off."""
        for lane in tuple(self._replies):
            self._settle(lane)

    def account(self, result: Json, *, resumed: bool) -> None:
        """Its account of the turn. What it has more than was seen is told too: replies in one piece, side requests of its own."""
        self.close()
        told = part(result, "model_usage_since_last_result") or ({} if resumed else part(result, "modelUsage"))
        whole, strange = Usage(), ""
        for model, figures in told.items():
            if isinstance(figures, dict):
                whole += Usage(**_counts(figures, _ACCOUNT))
                strange = strange if model in self._models else model
        seen = self._seen
        rest = Usage(
            max(0, whole.input - seen.input), max(0, whole.output - seen.output), max(0, whole.cache_read - seen.cache_read),
            max(0, whole.cache_write - seen.cache_write),
        )  # fmt: skip
        if rest.tokens:
            self._host.used(f"{text(result, 'uuid') or 'turn'}:rest", strange or next(iter(told), ""), rest)

    def _settle(self, lane: str) -> None:
        reply = self._replies.pop(lane, None)
        if reply is None:
            return
        if not reply.told:
            reply.counts["output"] = max(reply.counts.get("output", 0), -(-reply.size // _BYTES_A_TOKEN))
        usage = Usage(**reply.counts)
        self._seen += usage
        self._models.add(reply.model)
        self._host.used(reply.id, reply.model, usage)


def _counts(figures: Json, names: dict[str, str]) -> dict[str, int]:
    """The counts that are there, by our names."""
    return {ours: count(figures, theirs) for ours, theirs in names.items() if figures.get(theirs) is not None}
