"""Models that no price list knows: a cap on cost says nothing about them, so a loop that has no other is refused.

Invariant: a run whose cost can't be known has a cap on tokens.
"""

from loopdeck.agents import prices
from loopdeck.core.loopfile.who import judge_of
from loopdeck.core.routing import routes
from loopdeck.core.script import Script, read_script
from loopdeck.core.spec import OUTSIDE, LoopSpec, Problem
from loopdeck.core.tables import nearest, parse
from loopdeck.deck.decks import Deck
from loopdeck.deck.launch import Refused
from loopdeck.store import specs
from loopdeck.store.deckfiles import LOOP_FILE, LOOPS
from loopdeck.store.shelf import FileShelf
from loopdeck.store.texts import read_text


def refuse(deck: Deck, ready: list[LoopSpec]) -> None:
    """Raises Refused if one of the loops could spend without bound. Otherwise their runners need not look for prices again."""
    if found := [problem for spec in ready for problem in problems(deck, spec)]:
        raise Refused(found)
    deck.home.make()
    prices.keep_on(FileShelf(deck.home.prices))


def problems(deck: Deck, spec: LoopSpec) -> list[Problem]:
    """One problem for each model of `spec` whose price is not known and whose tokens nothing limits."""
    if spec.exit.max_tokens is not None:
        return []
    prices.keep_on(FileShelf(deck.home.prices))
    texts = specs.gather(deck.root, spec)
    asked = [_priced_as(one.agent, one.model, texts.get("script", "")) for one in routes(spec)]
    for check in spec.checks:
        if check.rubric is not None:
            kind, model = judge_of(spec, check.rubric)
            asked.append(_priced_as(kind, model, texts.get(f"script:{check.name}", "")))
    unknown = dict.fromkeys(model for kind, model in asked if _is_unknown(kind, model, spec))
    return [_problem(deck, spec, model) for model in unknown]


def _priced_as(kind: str, model: str, script: str) -> tuple[str, str]:
    """Kind of agent, and the model whose price counts: a script may name one of its own."""
    played = read_script(script, "script") if kind == "scripted" else None
    return kind, (played.model if isinstance(played, Script) else "") or model


def _is_unknown(kind: str, model: str, spec: LoopSpec) -> bool:
    if not model and (kind == "scripted" or kind in OUTSIDE):
        # A script without a model costs nothing. An agent chooses one itself; each request's price is asked for before it goes.
        return False
    return prices.rates(model, kind, spec.prices) is None


def _problem(deck: Deck, spec: LoopSpec, model: str) -> Problem:
    """At the cap that does not hold, if it is in the loop's own file."""
    file = f"{LOOPS}/{spec.name}/{LOOP_FILE}"
    text = read_text(deck.root / file, file)
    place = (file, 1) if isinstance(text, Problem) else parse(text, file).table("exit").place("max_cost_usd")
    close = nearest(model, prices.names(), cutoff=0.8)
    return Problem(
        *place,
        f"no price list knows what the model {model!r} costs, so `exit.max_cost_usd` can't limit it",
        (f"{close} Else write" if close else "Write")
        + f' `max_tokens` into `[exit]`, or the model\'s prices into deck.toml: `[prices."{model}"]`.',
    )
