"""The survival matrix: every scenario attacked, several at a time, and judged.

Invariant: a row is held only by its judge's word. What could not be attacked for want of something on this machine says so; what went
wrong on the way is broken, with what was said.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec import Struct

from loopdeck.errors import LoopdeckError
from loopdeck.gameday import honesty, noise, standing, stopping
from loopdeck.gameday.scenario import Ground, Outcome, Scenario
from loopdeck.gameday.stage import Stage, Stopped
from loopdeck.sandbox.probe import facts

AT_ONCE = 4
"""Attacks at a time: most of them wait for something most of the time."""

Tell = Callable[["Row"], None]


class Row(Struct, frozen=True):
    """A scenario and what became of it, in `seconds`; `run` is empty if there was none."""

    scenario: Scenario
    outcome: Outcome
    run: str
    seconds: float


class Matrix(Struct, frozen=True):
    """All rows, where to look at what happened, and how long it took in all (seconds)."""

    rows: tuple[Row, ...]
    root: str
    base: str
    seconds: float

    @property
    def survived(self) -> bool:
        """True if every promise that was tried held, and any was."""
        tried = [row for row in self.rows if row.outcome.verdict != "not tried"]
        return bool(tried) and all(row.outcome.verdict == "held" for row in tried)


def scenarios(ground: Ground) -> tuple[Scenario, ...]:
    """Every row, in the order in which it is shown."""
    return (*stopping.SCENARIOS, *honesty.scenarios(ground), *noise.SCENARIOS, *standing.SCENARIOS)


def _files(ground: Ground) -> dict[str, str]:
    rows = scenarios(ground)
    files = {"README.md": "# The arena\n", ".loopdeck/deck.toml": f"[deck]\nmax_runs = {2 * len(rows)}\n"}
    for one in rows:
        files |= one.files
    return files


def fight(folder: Path, environ: Mapping[str, str], tell: Tell) -> Matrix:
    """Attack everything in `folder`, an empty one, and judge it; `tell` hears of each row as it is done, from several threads.

    When this returns or raises, nothing that was started runs any more. Raises LoopdeckError if there is no place to fight in.
    """
    began = time.monotonic()
    walls = facts()
    stage = Stage.make(folder, _files, environ)
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                rows = tuple(pool.map(lambda one: attack(stage, one, walls, tell), scenarios(stage.ground)))
            except BaseException:
                stage.stop()
                raise
    finally:
        stage.close()
    return Matrix(rows, str(stage.deck.root), str(stage.base), time.monotonic() - began)


def attack(stage: Stage, one: Scenario, walls: tuple[bool, tuple[str, ...]], tell: Tell) -> Row:
    """Attack once and have it judged. `walls` say whether this machine holds commands, and how it was found out."""
    began = time.monotonic()
    run = ""
    if lacks := _lacks(one, walls):
        outcome = Outcome("not tried", why=lacks)
    else:
        try:
            seen = one.drive(stage, one.name)
            run, outcome = seen.run.id, one.judge(seen)
        except Stopped as stopped:
            outcome = Outcome("not tried", why=stopped.what)
        except (LoopdeckError, OSError, ValueError) as error:
            outcome = Outcome("broken", why=f"it could not be judged: {error}")
    row = Row(one, outcome, run, time.monotonic() - began)
    tell(row)
    return row


def _lacks(one: Scenario, walls: tuple[bool, tuple[str, ...]]) -> str:
    """What this machine lacks for the attack; empty if nothing."""
    holds, told = walls
    if one.needs == "walls" and not holds:
        return f"no sandbox here: {told[0]}"
    if one.needs == "setsid" and shutil.which("setsid") is None:
        return "no setsid here"
    return ""
