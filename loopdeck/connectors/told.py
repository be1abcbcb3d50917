"""What a server answers to a call, as text for a maker: what is no text is named and left out."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from loopdeck.core.text import strip_ansi
from loopdeck.tools.port import ToolOutcome, failed

MOST_SHOWN = 30_000
"""Characters that the model sees: the head and the tail."""


def outcome(result: Mapping[str, Any]) -> ToolOutcome:
    """The outcome that a call's result comes to."""
    content = result.get("content")
    pieces = list(_pieces(content)) if isinstance(content, list) else []
    if not pieces and result.get("structuredContent") is not None:
        pieces = [msgspec.json.encode(result["structuredContent"]).decode()]
    text = strip_ansi("\n".join(pieces)).strip() or "[no output]"
    if len(text) > MOST_SHOWN:
        half = MOST_SHOWN // 2
        text = f"{text[:half]}\n[... {len(text)} characters in all, the middle is left out ...]\n{text[-half:]}"
    return failed(text) if result.get("isError") else ToolOutcome(text)


def _pieces(content: list[Any]) -> Iterator[str]:
    for one in content:
        match one:
            case {"type": "text", "text": str(text)}:
                yield text
            case {"type": "resource", "resource": {"uri": str(uri), "text": str(text)}}:
                yield f"{uri}:\n{text}"
            case {"type": "resource_link", "uri": str(uri)}:
                yield f"[see {uri}]"
            case {"type": str(kind)}:
                yield f"[{kind}, {str(one.get('mimeType', 'of unknown type'))[:80]}: left out]"
            case _:
                yield "[something that is no content: left out]"
