"""A provider that charges as it likes: output up to what was allowed, input up to what was sent, split over the caches in any way; and

that refuses, breaks off, garbles and forgets to say what it charged. What it does to a loop depends on the loop's address alone.
"""

import json
import random
from collections import Counter

from loopdeck.core.usage import Usage
from tests.kit.model_talk import TOOL_PREAMBLE, Answer, Call, Cut, ErrorEvent, Fault, Garble, Hang, Refuse, Request

_asked: Counter[str] = Counter()


def erratic(request: Request) -> Answer:
    """One answer, or none."""
    _asked[request.tag] += 1
    dice = random.Random(f"{request.tag} {_asked[request.tag]}")
    content = "".join(dice.choices("abcdefgh \n", k=dice.randint(0, 400)))
    call = Call("write_file", json.dumps({"path": f"{dice.randint(1, 5)}.txt", "content": content}))
    return Answer(
        text="",
        calls=(call,) if dice.random() < 0.6 else (),
        stop="" if dice.random() < 0.9 else _cut_off(request),
        usage=_charged(dice, request),
        told=dice.choices(("start", "end", "never"), (7, 3, 1))[0],
        fault=_fault(dice),
        plain=dice.random() < 0.1,
    )


def _cut_off(request: Request) -> str:
    return {"messages": "max_tokens", "chat": "length"}.get(request.dialect, "max_tokens")


def _charged(dice: random.Random, request: Request) -> Usage:
    most = len(request.raw) + (TOOL_PREAMBLE if request.tools else 0)
    total = dice.choice((most, dice.randint(1, most)))
    read = dice.choice((0, dice.randint(0, total)))
    write = 0 if request.dialect != "messages" else dice.choice((total - read, dice.randint(0, total - read)))
    output = dice.choice((request.max_tokens, request.max_tokens, dice.randint(1, request.max_tokens)))
    return Usage(total - read - write, output, read, write)


def _fault(dice: random.Random) -> Fault | None:
    """What goes wrong: mostly nothing. A wait is always asked for, so that nobody waits long."""
    soon = {"retry-after-ms": str(dice.randint(1, 30))}
    status = dice.choice((429, 500, 503, 529))
    faults: list[Fault | None] = [
        Refuse(status, "api_error", "not now", soon),
        Cut(events=dice.randint(0, 5), clean=dice.random() < 0.5),
        Cut(octets=dice.randint(1, 900)),
        # Not before the model began: nobody would bill that.
        ErrorEvent(dice.randint(1, 4)),
        Garble(dice.randint(0, 3)),
    ]
    return dice.choices((*faults, None), (10, 4, 3, 3, 3, 60))[0]


def silent(request: Request) -> Answer:
    """Begins to answer its first request and falls silent; answers every other at once."""
    _asked[request.tag] += 1
    return Answer("Done.", fault=Hang(3) if _asked[request.tag] == 1 else None)
