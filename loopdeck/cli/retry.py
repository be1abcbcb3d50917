"""`loopdeck retry`: again from an earlier iteration."""

import argparse

from loopdeck.cli import here, out
from loopdeck.cli.start import wait
from loopdeck.deck.retry import retry


def run(options: argparse.Namespace) -> int:
    """Start the run, and with `--wait` stay to its end."""
    deck = here.deck()
    origin = deck.resolve(options.run)
    paths = retry(deck, origin, options.iteration, here.operator())
    if options.json and not options.wait:
        entry = {"loop": paths.loop, "run": paths.run, "dir": str(paths.dir)}
        out.document({"started": [{**entry, "origin": {"run": origin.run, "iteration": options.iteration}}]})
        return 0
    if not options.json:
        out.say(f"{paths.loop} {paths.run} started, from iteration {options.iteration} of {origin.run}; `loopdeck show {paths.run}`")
    return wait([paths], as_json=options.json, aloud=not options.json) if options.wait else 0
