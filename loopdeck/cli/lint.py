"""`loopdeck check`: lint loop files."""

import argparse

from loopdeck import unpriced
from loopdeck.cli import here, out
from loopdeck.core.spec import Problem
from loopdeck.errors import UsageError
from loopdeck.store import specs


def run(options: argparse.Namespace) -> int:
    """Name every problem with file, line and remedy; 2 if one of them would keep a loop from starting."""
    deck = here.deck()
    names = (options.name,) if options.name else deck.loops()
    if not names:
        raise UsageError("there are no loops here", where=str(deck.root), remedy="Make one with `loopdeck new NAME`.")
    settings = specs.load_deck(deck.root)
    readings = {name: specs.load_loop(deck.root, name, deck=settings) for name in names}
    problems = {name: (*one.problems, *(unpriced.problems(deck, one.spec) if one.spec else ())) for name, one in readings.items()}
    grave = any(not one.warning for found in problems.values() for one in found)
    if options.json:
        out.document({"loops": [{"loop": name, "problems": [entry(one) for one in found]} for name, found in problems.items()]})
        return 2 if grave else 0
    shown: set[str] = set()
    for name, found in problems.items():
        for one in found:
            if str(one) not in shown:
                out.say(str(one))
            shown.add(str(one))
        if not found:
            out.say(f"{name}: fine")
    return 2 if grave else 0


def entry(one: Problem) -> dict[str, object]:
    """A problem of a loop file as JSON."""
    return {"file": one.file, "line": one.line, "what": one.what, "remedy": one.remedy, "warning": one.warning}
