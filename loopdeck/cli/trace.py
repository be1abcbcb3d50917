"""`loopdeck trace`: everything a run did, and between its lines what people did and what was asked of them.

As documents it is the trace alone, to the letter.
"""

import argparse
import time
from typing import get_args

import msgspec

from loopdeck.cli import here, out
from loopdeck.core.trace import TraceEvent
from loopdeck.core.traceline import kind_of, line
from loopdeck.core.unknown import Unknown
from loopdeck.deck.asides import ASIDES, Aside, Asides
from loopdeck.deck.decks import Deck
from loopdeck.errors import UsageError
from loopdeck.store.layout import RunPaths
from loopdeck.store.state import LoopState
from loopdeck.store.trace import TraceEntry, tail_trace

_EVERY_S = 0.1


def run(options: argparse.Namespace) -> int:
    """Print it from the beginning, and with `--follow` go on until the run has ended."""
    deck = here.deck()
    paths = deck.resolve(options.run)
    _refuse_unknown(options.kind)
    tail = tail_trace(paths.trace)
    asides = None if options.json else Asides(paths, LoopState(deck.home.state_dir(paths.loop)))
    told: set[Aside] = set()
    while True:
        ended = not options.follow or _ended(deck, paths)
        found: list[tuple[str, int, TraceEntry | Aside]] = [(entry.at, 1, entry) for entry in tail.poll() if _wanted(entry, options)]
        beside = [one for one in asides.look() if one not in told] if asides else []
        told.update(beside)
        found += [(one.at, 0, one) for one in beside if _takes(one, options)]
        for _, _, one in sorted(found, key=lambda each: each[:2]):
            _print(one, options.json)
        if ended:
            return 0
        time.sleep(_EVERY_S)


def _refuse_unknown(kind: str) -> None:
    """A kind that no entry can have would print nothing, and look like a run that did nothing."""
    kinds = [*(str(one.__struct_config__.tag) for one in get_args(TraceEvent)), *ASIDES]
    if kind and kind not in kinds:
        from loopdeck.core.tables import nearest

        raise UsageError(f"there is no kind '{kind}' in a trace", remedy=nearest(kind, kinds) or f"One of: {', '.join(kinds)}.")


def _ended(deck: Deck, paths: RunPaths) -> bool:
    one = deck.view(paths)
    return one.status == "ended" and not one.live


def _wanted(entry: TraceEntry, options: argparse.Namespace) -> bool:
    kind = kind_of(entry.event)
    right_iteration = not options.iteration or getattr(entry.event, "iteration", 0) == options.iteration
    return right_iteration and (not options.kind or kind == options.kind)


def _takes(one: Aside, options: argparse.Namespace) -> bool:
    return options.iteration in (0, one.iteration) and (not options.kind or one.kind == options.kind)


def _print(entry: TraceEntry | Aside, as_json: bool) -> None:
    if isinstance(entry, Aside):
        said = f": {entry.said}" if entry.said else ""
        out.say(f"{entry.at[11:23].rstrip('Z'):<12}  {entry.iteration:>3}  {entry.kind:<14}  {entry.head}{said}")
    elif as_json:
        body = msgspec.json.decode(entry.event.raw) if isinstance(entry.event, Unknown) else msgspec.to_builtins(entry.event)
        out.document({"seq": entry.seq, "at": entry.at, **body})
    else:
        out.say(line(entry.at, entry.event))
