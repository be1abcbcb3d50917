"""A model that does one thing after the other, never the same twice, so that what happened twice was done twice by somebody else."""

import json

from tests.kit.model_talk import Answer, Call, Request

TURNS = 16


def once_each(request: Request) -> Answer:
    """The thing of this turn; every fourth is one that has to be allowed, and every eighth of them will not be."""
    turn = request.turns
    if turn >= TURNS:
        return Answer("Done.")
    command = f"echo gated {turn} >> effects.txt" if turn % 4 == 3 else f"echo plain {turn} >> effects.txt; sleep 0.03"
    return Answer(f"Turn {turn}.", (Call("bash", json.dumps({"command": command})),), delay_s=0.03)
