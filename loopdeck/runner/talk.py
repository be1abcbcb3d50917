"""The maker's conversation in one iteration: what goes into the next model call, and how it is rebuilt after a crash.

It lives in memory while the runner does; on disk it is the trace (replies and tool results), the blobs (the instruction) and the
journal (which replies were settled). An iteration starts a fresh conversation: the state file and the findings are its memory.
"""

from collections.abc import Collection, Iterable

from loopdeck.core import trace as tr
from loopdeck.core.conversation import Message, ModelReply, Part, Text, ToolResult, ToolUse
from loopdeck.core.prompt import message

CUT = "Your reply was cut off at the output limit. Go on from there; keep it shorter."
NOT_UNDERSTOOD = "Your last reply held neither text nor a tool call that could be understood. Answer again."
LOST = "Outcome unknown: the runner died while this call ran. It was not repeated. See whether it took effect before you do it again."


class Talk:
    """Messages so far, and the results that wait for the next one."""

    def __init__(self, instruction: tuple[Part, ...]) -> None:
        self.instruction = instruction
        self._messages: list[Message] = [message(instruction)]
        self._results: dict[str, ToolResult] = {}
        self._calls: tuple[ToolUse, ...] = ()
        self._note = ""

    @classmethod
    def rebuilt(cls, instruction: tuple[Part, ...], entries: Iterable[object], answered: Collection[str]) -> "Talk":
        """The conversation that the trace `entries` of an iteration tell of; only replies in `answered` were settled and count."""
        talk = cls(instruction)
        for entry in entries:
            match entry:
                case tr.ModelReplied(role="maker", call=call) if call in answered:
                    talk.messages()
                    talk.heard(ModelReply(entry.blocks, entry.stop, entry.usage))
                case tr.ToolReturned():
                    talk.returned(entry.call, entry.output, entry.is_error)
                case _:
                    pass
        return talk

    def heard(self, reply: ModelReply) -> None:
        """Take in the model's reply."""
        if not reply.blocks:
            self._note = NOT_UNDERSTOOD
            return
        self._messages.append(Message("assistant", reply.blocks))
        self._calls = reply.calls
        if reply.stop == "max_output" and not reply.calls:
            self._note = CUT

    def returned(self, call: str, output: str, is_error: bool) -> None:
        """Take in what a tool call came to; the last word on a call counts."""
        self._results[call] = ToolResult(call, output, is_error)

    def call(self, call: str) -> ToolUse:
        """The call of that id in the newest reply. Raises KeyError."""
        for use in self._calls:
            if use.id == call:
                return use
        raise KeyError(call)

    def messages(self) -> tuple[Message, ...]:
        """All messages for the next call; results and notes gathered since the last reply become its last one."""
        blocks: list[Text | ToolResult] = [self._results.get(use.id, ToolResult(use.id, LOST, is_error=True)) for use in self._calls]
        if self._note:
            blocks.append(Text(self._note))
        if blocks:
            self._messages.append(Message("user", tuple(blocks)))
        self._calls, self._results, self._note = (), {}, ""
        return tuple(self._messages)

    def transcript(self, most: int = 30, size: int = 4000) -> str:
        """The last messages as plain text, each cut to `size` characters: the maker's words, for a check to distrust."""
        lines = []
        for one in self._messages[1:][-most:]:
            for block in one.blocks:
                match block:
                    case Text(text=text):
                        lines.append(f"{one.role}: {text[:size]}")
                    case ToolUse(tool=tool, arguments=arguments):
                        lines.append(f"{one.role} calls {tool} {arguments[:size]}")
                    case ToolResult(output=output):
                        lines.append(f"result: {output[:size]}")
                    case _:
                        pass
        return "\n".join(lines)
