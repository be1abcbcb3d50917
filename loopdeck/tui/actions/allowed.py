"""Which of the hand's actions make sense for a run, by its row alone, and why not, if one doesn't. Pure."""

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
    "board": lambda _: True,
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


def why_not(action: str, row: LoopRow | None) -> str:
    """Why `action` would do nothing to what `row` is of, in words; empty if it would, or if that needs no words."""
    if action not in _NEEDS or allowed(action, row):
        return ""
    if row is None:
        return "there is no loop here yet: N makes one"
    over = not row.run or row.status in ("ended", "idle")
    match action:
        case "start":
            return f"{row.loop} runs already: {row.status}"
        case "pause" | "pause_now" | "hold" if row.status == "paused":
            return f"{row.loop} stands still already: r goes on"
        case "pause" if row.pausing:
            return f"{row.loop} will stand still at its next step already"
        case "resume" if not over:
            return f"{row.loop} does not stand still: nothing to resume"
        case "retry" if not over:
            return f"{row.loop} still runs: a retry goes on from an iteration of a run that has ended"
        case _:
            return f"{row.loop}: {_NEEDS[action]}"


_NEEDS = {
    "start": "", "pause": "nothing runs here to pause", "pause_now": "nothing runs here to pause",
    "resume": "nothing stands still here to resume: s starts a run", "hold": "nothing runs here to hold",
    "nudge": "nothing runs here to be told a word", "kill": "nothing runs here to kill", "set": "nothing runs here to set",
    "retry": "it has no iteration yet to go on from", "verdict": "no human check waits for a verdict here",
    "trace": "it has no run yet, so no trace: s starts one", "review": "it has made nothing yet to review",
}  # fmt: skip
