"""Which of the hand's actions make sense for a run, by its row alone. Pure."""

from collections.abc import Callable

from loopdeck.deck.snapshot import LoopRow

_Test = Callable[[LoopRow], bool]


def _works(row: LoopRow) -> bool:
    return bool(row.run) and row.status not in ("ended", "idle", "stopping")


def _gone(row: LoopRow) -> bool:
    return row.status == "ended" and row.reason == "lost"


def _resumable(row: LoopRow) -> bool:
    return _gone(row) or row.status == "paused" or (_works(row) and (row.pausing or row.held)) or (not row.live and _works(row))


_TESTS: dict[str, _Test] = {
    "start": lambda row: row.status in ("idle", "ended"),
    "pause": lambda row: _works(row) and row.status != "paused" and not row.pausing,
    "pause_now": lambda row: _works(row) and row.status != "paused",
    "resume": _resumable,
    "hold": lambda row: _works(row) and row.status != "paused",
    "nudge": _works,
    "kill": lambda row: (bool(row.run) and row.status not in ("ended", "idle")) or _gone(row),
    "set": _works,
    "retry": lambda row: row.status == "ended" and row.iteration > 0,
    "verdict": lambda row: row.status == "asking" and row.asking == "verdict",
    "edit": lambda _: True,
    "why": lambda _: True,
    "trace": lambda row: bool(row.run),
    "review": lambda row: bool(row.branch),
    "peek": lambda _: True,
    "open": lambda _: True,
}

NAMES = frozenset(_TESTS)


def allowed(action: str, row: LoopRow | None) -> bool:
    """True if `action` would do something to what `row` is of."""
    test = _TESTS.get(action)
    return test is None or (row is not None and test(row))
