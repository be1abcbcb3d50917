"""`loopdeck check`: lint loop files, and say of one that would start what a run will probably take."""

import argparse

from loopdeck import equipped, unpriced
from loopdeck.agents import prices
from loopdeck.cli import here, out
from loopdeck.core.estimate import Estimate, told
from loopdeck.core.spec import LoopSpec, Problem
from loopdeck.core.usage import dollars
from loopdeck.deck import servers
from loopdeck.deck.decks import Deck
from loopdeck.deck.estimating import estimated
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
    problems = {name: (*one.problems, *(_beyond(deck, one.spec) if one.spec else ())) for name, one in readings.items()}
    grave = any(not one.warning for found in problems.values() for one in found)
    if options.json:
        estimates = {name: estimated(deck, one.spec, prices.ordinary) for name, one in readings.items() if one.spec is not None}
        entries = [(name, [entry(one) for one in found], estimates.get(name)) for name, found in problems.items()]
        told_of = [{"loop": name, "problems": found, "estimate": _estimate(one) if one else None} for name, found, one in entries]
        out.document({"loops": told_of})
        return 2 if grave else 0
    shown: set[str] = set()
    for name, found in problems.items():
        for one in found:
            if str(one) not in shown:
                out.say(str(one))
            shown.add(str(one))
        if not found:
            out.say(f"{name}: fine")
    spec = readings[names[0]].spec
    if options.name and spec is not None and not grave:
        out.say("\n".join(told(estimated(deck, spec, prices.ordinary))))
    return 2 if grave else 0


def _beyond(deck: Deck, spec: LoopSpec) -> list[Problem]:
    """What the loop file alone does not tell: prices, programs, other loops."""
    return [*unpriced.problems(deck, spec), *equipped.warnings(deck, spec), *servers.warnings(deck.root, spec)]


def entry(one: Problem) -> dict[str, object]:
    """A problem of a loop file as JSON."""
    return {"file": one.file, "line": one.line, "what": one.what, "remedy": one.remedy, "warning": one.warning}


def _estimate(one: Estimate) -> dict[str, object]:
    """An estimate as JSON: each range as low, likely and high; money in dollars, null where no price is known."""
    cost = None if one.cost is None else [dollars(amount) for amount in one.cost]
    parts = [
        {
            "role": part.role,
            "name": part.name,
            "model": part.model or None,
            "calls": list(part.calls),
            "tokens": list(part.tokens),
            "cost_usd": None if part.cost is None else [dollars(amount) for amount in part.cost],
            "input_of_first_call": part.first,
            "input_of_last_call": part.last,
            "from": part.basis,
        }
        for part in one.parts
    ]
    return {
        "is": "an estimate",
        "iterations": list(one.iterations),
        "calls": list(one.calls),
        "tokens": list(one.tokens),
        "cost_usd": cost,
        "cap": one.limit or None,
        "fit": one.fit,
        "parts": parts,
    }
