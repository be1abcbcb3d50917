"""`loopdeck init` and `loopdeck new`: a deck, and a loop made from a template.

Invariant: nothing that is there is ever written to.
"""

import argparse

from loopdeck import shipped
from loopdeck.cli import here, out
from loopdeck.cli.lint import entry
from loopdeck.core.plural import some
from loopdeck.core.spec import CheckSpec, LoopSpec
from loopdeck.core.usage import dollars
from loopdeck.deck.decks import Deck
from loopdeck.deck.making import REHEARSAL, fitted, make, write_new
from loopdeck.deck.surroundings import surroundings
from loopdeck.shipped import MODELS
from loopdeck.store.deckfiles import DECK, LOOP_FILE, LOOPS


def run(options: argparse.Namespace) -> int:
    """`init` or `new`."""
    deck = here.deck()
    return _new(deck, options) if options.verb == "new" else _init(deck, options)


def _init(deck: Deck, options: argparse.Namespace) -> int:
    files = write_new(deck.root, {DECK: shipped.deck_template()}, skip=True)
    if options.json:
        out.document({"deck": str(deck.root), "home": str(deck.home.path), "files": files})
        return 0
    out.say(f"made {files[0]}" if files else f"{DECK} is there already; nothing was changed")
    if not deck.loops():
        out.say(f"\nNext: `loopdeck new NAME --template T`, T one of {', '.join(shipped.templates())}.")
        out.say("`loopdeck doctor` says what this machine offers, `loopdeck demo` shows loops at work.")
    else:
        out.say(f"\nLoops here: {', '.join(deck.loops())}. `loopdeck check` lints them, `loopdeck start NAME --wait` starts one.")
    return 0


def _new(deck: Deck, options: argparse.Namespace) -> int:
    name: str = options.name
    shown = f"{LOOPS}/{name}"
    agent = options.agent
    files = shipped.template(options.template, {"loop": name})
    files = fitted(files, name, surroundings(deck.root).tests, agent, MODELS.get(agent, ""))
    made = make(deck, name, files)
    reading = made.reading
    grave = any(not one.warning for one in reading.problems)
    if options.json:
        told = {"loop": name, "template": options.template, "files": made.files, "problems": [entry(one) for one in reading.problems]}
        out.document(told)
        return 2 if grave else 0
    for file in made.files:
        out.say(f"made {file}")
    for problem in reading.problems:
        out.say(str(problem))
    if REHEARSAL in files:
        out.say(f"\nThe scripted agent asks no model: it plays {shown}/{REHEARSAL}, an example to edit. What is around it is real.")
    if reading.spec is not None:
        _say_steps(reading.spec, shown, files[LOOP_FILE])
    return 2 if grave else 0


def _say_steps(spec: LoopSpec, shown: str, text: str) -> None:
    """The five decisions that a loop is made of, as they are now and where to change them."""
    budget = f"${dollars(spec.exit.max_cost):.2f}" if spec.exit.max_cost is not None else f"{spec.exit.max_tokens} tokens"
    checks = "; ".join(one.name if one.name == _grades(one) else f"{one.name} ({_grades(one)})" for one in spec.checks)
    steps = (
        ("task", spec.goal, "goal"),
        ("check", checks, "[[check]]"),
        ("stop", f"done when every check of severity {spec.exit.severity_floor} or above passes, or after "
         f"{some(spec.exit.max_iterations, 'iteration')}", "max_iterations"),
        ("budget", budget, "max_cost_usd"),
        ("schedule", "none: it starts when you say so", ""),
    )  # fmt: skip
    out.say(f"\nFive things to decide, all in {shown}/{LOOP_FILE}:")
    for number, (step, now, key) in enumerate(steps, 1):
        line = _line_of(text, key)
        out.say(f"  {number}. {step:<9}{now}" + (f"  (line {line})" if line else ""))
    out.say(f"\nThen `loopdeck check {spec.name}`, and `loopdeck start {spec.name} --wait`.")


def _grades(check: CheckSpec) -> str:
    if check.run:
        return check.run
    kinds = {"links": check.links, "schema": check.schema, "scope": check.scope, "rubric": check.rubric, "human": check.human}
    return next((kind for kind, given in kinds.items() if given), "metric")


def _line_of(text: str, key: str) -> int:
    return next((number for number, line in enumerate(text.splitlines(), 1) if key and line.startswith(key)), 0)
