"""`loopdeck verify`: is a run's record untouched?"""

import argparse

from loopdeck.cli import here, out
from loopdeck.deck.verification import verified

TOUCHED = 1


def run(options: argparse.Namespace) -> int:
    """Say of each part how it stands; 1 if any was changed or damaged."""
    deck = here.deck()
    paths = deck.resolve(options.run)
    parts = verified(paths)
    untouched = not any(one.wrong for one in parts)
    if options.json:
        told = [{"part": one.part, "wrong": one.wrong or None, "head": one.head or None, "note": one.note or None} for one in parts]
        out.document({"run": paths.run, "loop": paths.loop, "untouched": untouched, "parts": told})
        return 0 if untouched else TOUCHED
    rows = [["✗" if one.wrong else "✓", one.part, one.size, one.head[:16], one.wrong or one.note] for one in parts]
    out.table(("", "part", "size", "head", ""), rows)
    if untouched:
        out.say(
            "\nUntouched. Who can write these files could write all of them anew: the journal's head, kept elsewhere, proves it later."
        )
    else:
        out.warn(f"the record of {paths.run} is not what its runner wrote")
    return 0 if untouched else TOUCHED
