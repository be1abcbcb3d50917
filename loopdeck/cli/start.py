"""`loopdeck start` and `loopdeck once`: runs, each a detached process of its own."""

import argparse
import asyncio

from loopdeck import unpriced
from loopdeck.cli import here, out
from loopdeck.cli.status import rows
from loopdeck.core.spec import LoopSpec
from loopdeck.deck.decks import Deck
from loopdeck.deck.launch import readied, start
from loopdeck.deck.reading import Watch, over
from loopdeck.deck.serving import await_warmth, ensure
from loopdeck.deck.view import RunView, document, waiting_for
from loopdeck.errors import UsageError
from loopdeck.store.layout import Outlying, RunPaths

EXIT_CODES = {
    "done": 0, "max_iterations": 10, "budget": 11, "no_progress": 12, "human": 13, "error": 14, "lost": 15,
}  # fmt: skip
"""Of each reason a run ends for, as product.md gives them."""

_FEW = 4
"""Up to as many runners are started at once, each as it can be; more would take longer than to warm up a process for all of them."""


def run(options: argparse.Namespace) -> int:
    """Start, and with `--wait` (or `once`) stay to the end."""
    deck = here.deck()
    once = options.verb == "once"
    names = [options.name] if once else _names(deck, options)
    specs = readied(deck, names)
    unpriced.refuse(deck, specs)
    _refuse_unheld(deck, specs)
    for name in _at_work(deck, names):
        out.warn(f"{name} has a run that goes on; both will read and write its one state")
    many = len(specs) > _FEW
    if many and ensure(deck, now=True):
        await_warmth(deck)
    started = [start(deck, spec, here.operator(), options.input) for spec in specs]
    if not many:
        # Afterwards: the machine is for the runner first.
        ensure(deck)
    if not once and not options.wait:
        _say_started(deck, started, options.json)
        return 0
    if not options.json:
        for paths in started:
            out.say(f"{paths.loop} {paths.run} started")
    return wait(started, as_json=options.json, aloud=not options.json)


def _names(deck: Deck, options: argparse.Namespace) -> list[str]:
    names = list(deck.loops()) if options.all else list(dict.fromkeys(options.loops))
    if options.all and options.loops:
        raise UsageError("name loops or say --all, not both")
    if not names:
        remedy = "Make one with `loopdeck new NAME`." if not deck.loops() else f"Loops here: {', '.join(deck.loops())}."
        raise UsageError("there is nothing to start" if options.all else "which loop?", remedy=remedy)
    return names


def _refuse_unheld(deck: Deck, specs: list[LoopSpec]) -> None:
    """Nobody is there when an unattended loop asks what only a person can hold back: a sandbox must."""
    alone = [spec.name for spec in specs if spec.level == "unattended"]
    if not alone:
        return
    # Most starts need none of it.
    from loopdeck.sandbox.choice import unheld

    if why := asyncio.run(unheld(Outlying(deck.home.path).walls)):
        what = f"{', '.join(alone)} would run unattended, and nothing can hold commands on this machine: {why}"
        raise UsageError(what, remedy='`loopdeck doctor` says what is missing. With `level = "assisted"` a person is asked instead.')


def _at_work(deck: Deck, names: list[str]) -> list[str]:
    """Those of the loops that have a run at work."""
    newest = [deck.home.runs_of(name)[-1:] for name in names]
    return [paths.loop for each in newest for paths in each if deck.view(paths).live]


def _say_started(deck: Deck, started: list[RunPaths], as_json: bool) -> None:
    if as_json:
        out.document({"started": [{"loop": paths.loop, "run": paths.run, "dir": str(paths.dir)} for paths in started]})
        return
    for paths in started:
        out.say(f"{paths.loop} {paths.run} started; `loopdeck show {paths.run}`")


def wait(runs: list[RunPaths], *, as_json: bool = False, aloud: bool = False) -> int:
    """Until all `runs` have ended, saying what changes; returns the highest of their codes. Interrupting it stops no run."""
    told: dict[str, tuple[int, str]] = {}
    watch = Watch(runs)
    while True:
        views = watch.look()
        if aloud:
            _tell(views, told)
        if all(over(one) for one in views):
            break
        watch.rest()
    if as_json:
        out.document({"loops": [document(one) for one in views]})
    elif aloud:
        out.say()
        out.table(("", "loop", "ended", "iteration", "score", "spent", "why"), rows([document(one) for one in views]))
    return max(EXIT_CODES[one.reason or "error"] for one in views)


def _tell(views: list[RunView], told: dict[str, tuple[int, str]]) -> None:
    """Each iteration that began since `told`, also one that is over by now, and each question once."""
    for one in views:
        run = one.run
        iteration, question = told.get(run.id, (0, ""))
        for begun in range(iteration + 1, run.iteration + 1):
            out.say(f"{run.loop} iteration {begun} of {run.settings.max_iterations}")
        asked = run.asking_for if one.status == "asking" else ""
        if asked and asked != question:
            _ask(one)
        told[run.id] = (run.iteration, asked)


def _ask(one: RunView) -> None:
    approvals = one.run.pending_approvals
    first = approvals[0] if approvals else None
    what = f"{first.tool} {first.summary}" if first else waiting_for(one)
    ask = f"loopdeck approve {first.id}` or `loopdeck deny {first.id} --why TEXT" if first else f"loopdeck show {one.run.id}"
    out.say(f"{one.run.loop} waits for you: {what}\n  `{ask}`")
