"""One line for each trace event, for people."""

from loopdeck.core import trace as tr
from loopdeck.core.conversation import Text
from loopdeck.core.usage import dollars

_WIDE = 160


def line(at: str, kind: str, event: tr.AnyTraceEvent) -> str:
    """Time, iteration, kind and the gist."""
    iteration = getattr(event, "iteration", 0)
    return f"{at[11:23]}  {iteration:>3}  {kind:<14}  {_gist(event)}"


def _gist(event: tr.AnyTraceEvent) -> str:
    match event:
        case tr.PromptSent() | tr.ModelReplied() | tr.ModelFailed():
            return f"{event.role} {event.call} {_model(event)}"
        case tr.ToolCalled():
            return f"{event.tool} {_flat(event.arguments)}"
        case tr.ToolReturned():
            return (
                f"{event.tool} {event.problem or ('refused' if event.is_error else 'ok')} {event.seconds:.2f} s: {_flat(event.output)}"
            )
        case tr.CheckRan():
            return f"{event.check}: {event.outcome}, score {event.score:.2f}, {event.findings} findings, {event.seconds:.2f} s"
        case tr.StateRead() | tr.StateWritten():
            return f"by {event.role if isinstance(event, tr.StateRead) else event.author} {event.hash[:12]}"
        case tr.Committed():
            return f"{event.commit[:12]} {'no change' if event.empty else f'{event.files} files +{event.added} -{event.removed}'}"
        case tr.Waited():
            return f"{event.seconds:.1f} s: {event.cause}"
        case tr.Noted():
            return _flat(event.text)
        case _:
            return _flat(event.raw.decode("utf-8", "replace"))


def _model(event: tr.PromptSent | tr.ModelReplied | tr.ModelFailed) -> str:
    match event:
        case tr.PromptSent():
            size = sum(part.size for part in event.parts)
            return f"to {event.model or 'model'}: {len(event.parts)} parts, {size} bytes, {event.messages} messages"
        case tr.ModelReplied():
            said = " ".join(block.text for block in event.blocks if isinstance(block, Text))
            cost = "" if event.cost is None else f" ${dollars(event.cost):.4f}"
            return f"{event.usage.tokens} tokens{cost} {event.seconds:.2f} s: {_flat(said)}"
        case tr.ModelFailed():
            return f"{event.failure}: {_flat(event.message)}"


def _flat(text: str) -> str:
    return " ".join(text.split())[:_WIDE]
