"""`loopdeck gameday`: the promises, attacked on this machine by agents that misbehave, with what came of each.

Invariant: everything is real but the model, nothing outside the scratch folder is written to, and nothing is left running.
"""

import argparse
import os
import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from loopdeck.cli import out
from loopdeck.cli.demorun import scratch
from loopdeck.gameday.matrix import Matrix, Row, fight
from loopdeck.gameday.scenario import Verdict

_SIGNS: dict[Verdict, str] = {"held": "✓", "broken": "✗", "not tried": "–"}


def run(options: argparse.Namespace) -> int:
    """Attack, judge, say; 0 only if every promise that was tried held."""
    folder = scratch(options.dir, "loopdeck-gameday-")
    if not options.json:
        out.say(f"Attacking the promises in {folder}\n")
    with _interruptible():
        matrix = fight(folder, os.environ, (lambda _: None) if options.json else _tell)
    if options.json:
        out.document(document(matrix))
    else:
        _say(matrix)
    return 0 if matrix.survived else 1


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end it as Ctrl-C does: what it has started would go on without it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _tell(row: Row) -> None:
    out.say(f"{_SIGNS[row.outcome.verdict]} {row.scenario.name}, {row.seconds:.1f} s")


def _say(matrix: Matrix) -> None:
    out.say()
    cells = [("promise", "attack", "", "figure"), *(_cells(row) for row in matrix.rows)]
    needed = sum(max(len(row[column]) for row in cells) for column in range(4)) + 6
    if 0 < out.screen_width() < needed:
        _say_folded(matrix.rows)
    else:
        out.table(cells[0], cells[1:])
    verdicts = [row.outcome.verdict for row in matrix.rows]
    held, broken, untried = (verdicts.count(one) for one in _SIGNS)
    out.say(f"\n{held} promises held, {broken} broken, {untried} not tried, in {matrix.seconds:.1f} s.")
    for row in matrix.rows:
        if row.outcome.why:
            out.say(f"{_SIGNS[row.outcome.verdict]} {row.scenario.name}: {row.outcome.why}")
    out.say("\nLook around:")
    out.say(f"  cd {shlex.quote(matrix.root)} && export LOOPDECK_HOME={shlex.quote(matrix.base)}")
    out.say("  loopdeck status")
    for verb, what in (("show", "what an attack came to"), ("trace", "everything it did"), ("verify", "its record is whole")):
        out.say(f"  loopdeck {verb} {matrix.rows[0].scenario.name:<{16 - len(verb)}}{what}")


def _cells(row: Row) -> tuple[str, str, str, str]:
    one = row.scenario
    return one.promise, f"{one.name}: {one.attack}", _SIGNS[row.outcome.verdict], _figure(row)


def _say_folded(rows: tuple[Row, ...]) -> None:
    """Each row as a few lines, for a terminal that the table does not fit on."""
    for number, row in enumerate(rows):
        if number:
            out.say()
        promise, attack, sign, figure = _cells(row)
        for lead, text in ((sign, promise), ("", attack), ("", figure)):
            first, *rest = out.folded(text, out.screen_width() - 2)
            out.say(f"{lead:<2}{first}")
            for part in rest:
                out.say(f"  {part}")


def _figure(row: Row) -> str:
    return row.outcome.figure or row.outcome.verdict


def document(matrix: Matrix) -> dict[str, object]:
    """What `loopdeck gameday --json` prints."""
    rows = [
        {
            "attack": row.scenario.name, "promise": row.scenario.promise, "does": row.scenario.attack,
            "outcome": row.outcome.verdict, "figure": row.outcome.figure or None, "why": row.outcome.why or None,
            "run": row.run or None, "seconds": round(row.seconds, 3),
        }
        for row in matrix.rows
    ]  # fmt: skip
    return {
        "deck": matrix.root, "loopdeck_home": matrix.base, "survived": matrix.survived,
        "seconds": round(matrix.seconds, 3), "rows": rows,
    }  # fmt: skip
