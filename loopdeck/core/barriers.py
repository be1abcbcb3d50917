"""What holds the commands of a run, in words: the same on every screen and in every verb. Never more than is known."""

from collections.abc import Sequence
from typing import Literal

from loopdeck.core.happening import Walls

MARK = "unsandboxed: approvals are advisory"
"""Of a run whose commands nothing holds: whoever runs as its operator can do what an approval forbids."""
Tone = Literal["plain", "warn", "bad"]


def network(allowed: bool | Sequence[str]) -> str:
    """What `[sandbox] network` lets a command reach."""
    match allowed:
        case True:
            return "the whole network"
        case False:
            return "no network"
        case hosts:
            return f"these hosts alone: {', '.join(hosts)}" if hosts else "no network"


def held(door: str, walls: Walls, hosts: Sequence[str], lacks: Sequence[str] = ()) -> list[tuple[str, Tone]]:
    """Sentences on a run whose commands go through `door`; none if its journal does not say."""
    if not walls:
        return []
    if walls == "none":
        return [(MARK, "bad")]
    reach = network(hosts if walls == "listed" else walls == "open")
    first: tuple[str, Tone] = (f"held by {door}, with {reach}", "plain" if walls == "closed" else "warn")
    return [first, *((f"not held: {one}", "warn") for one in lacks)]
