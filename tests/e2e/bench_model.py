"""The model that the loops of the bug benchmark talk to: its first work is wrong, its second, after the findings, right.

It knows which program it is asked about by the path of its address (`http://127.0.0.1:PORT/gcd`), and how far it is by what it is told.
"""

import json
import re

from tests.e2e.programs import Program, programs
from tests.kit.model_talk import Answer, Call, Request

_PROGRAMS = {one.name: one for one in programs()}


def wrong_then_right(request: Request) -> Answer:
    """Reads, writes the wrong line, says it is done; in the second iteration mends it. Raises if it is not told what is wrong."""
    one = _PROGRAMS[request.tag]
    iteration = re.search(r"Iteration (\d+) of", request.texts[0])
    if iteration is None or f"programs/{one.name}.py" not in request.said:
        raise ValueError(f"{one.name}: not told what to do: {request.said[:2000]}")
    match (int(iteration[1]), request.turns):
        case (1, 0):
            return Answer("Reading it.", (Call("read_file", json.dumps({"path": one.path})),))
        case (1, 1):
            return _written(request, one)
        case (2, 0):
            return _mended(request, one)
        case _:
            return Answer("Done.")


def _written(request: Request, one: Program) -> Answer:
    if one.bug not in request.results[0]:
        raise ValueError(f"{one.name}: what was read is not the program: {request.results}")
    return Answer("Found it.", (Call("write_file", json.dumps({"path": one.path, "content": one.source(one.tried)})),))


def _mended(request: Request, one: Program) -> Answer:
    if "AssertionError" not in request.prompt and "Error" not in request.prompt:
        raise ValueError(f"{one.name}: the findings do not say what is wrong: {request.prompt}")
    return Answer(calls=(Call("edit_file", one.mending),), thinking="So that was not it.")
