"""`loopdeck trace`: everything a run did."""

import argparse
import time
from typing import get_args

import msgspec

from loopdeck.cli import here, out
from loopdeck.core.trace import TraceEvent
from loopdeck.core.traceline import kind_of, line
from loopdeck.core.unknown import Unknown
from loopdeck.deck.decks import Deck
from loopdeck.errors import UsageError
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import TraceEntry, tail_trace

_EVERY_S = 0.1


def run(options: argparse.Namespace) -> int:
    """Print it from the beginning, and with `--follow` go on until the run has ended."""
    deck = here.deck()
    paths = deck.resolve(options.run)
    _refuse_unknown(options.kind)
    tail = tail_trace(paths.trace)
    while True:
        ended = not options.follow or _ended(deck, paths)
        for entry in tail.poll():
            if _wanted(entry, options):
                _print(entry, options.json)
        if ended:
            return 0
        time.sleep(_EVERY_S)


def _refuse_unknown(kind: str) -> None:
    """A kind that no entry can have would print nothing, and look like a run that did nothing."""
    kinds = [str(one.__struct_config__.tag) for one in get_args(TraceEvent)]
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


def _print(entry: TraceEntry, as_json: bool) -> None:
    if as_json:
        body = msgspec.json.decode(entry.event.raw) if isinstance(entry.event, Unknown) else msgspec.to_builtins(entry.event)
        out.document({"seq": entry.seq, "at": entry.at, **body})
    else:
        out.say(line(entry.at, entry.event))
