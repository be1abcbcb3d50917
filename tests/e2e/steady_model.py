"""A model that works as models do: looks around, reads, writes, looks again; right only in its fifth iteration."""

import json
import re

from tests.kit.model_talk import Answer, Call, Request

ITERATIONS = 5


def steady(request: Request) -> Answer:
    """Four turns in each iteration."""
    said = re.search(r"Iteration (\d+) of", request.texts[0])
    iteration = int(said[1]) if said else 0
    content = "right\n" if iteration == ITERATIONS else f"attempt {iteration}\n"
    match request.turns:
        case 0:
            return Answer("Let me see what there is.", (Call("glob", '{"pattern": "**"}'), Call("read_file", '{"path": "notes.md"}')))
        case 1:
            return Answer("I see.", (Call("write_file", json.dumps({"path": "answer.txt", "content": content})),), thinking="Hm. " * 40)
        case 2:
            return Answer("And again.", (Call("grep", '{"pattern": "attempt|right"}'),))
        case _:
            return Answer("Done. " * 20)


def brisk(request: Request) -> Answer:
    """Two turns in each iteration, never right."""
    said = re.search(r"Iteration (\d+) of", request.texts[0])
    if request.turns:
        return Answer("Done.")
    return Answer("Writing.", (Call("write_file", json.dumps({"path": "answer.txt", "content": f"attempt {said and said[1]}\n"})),))
