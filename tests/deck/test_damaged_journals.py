"""Journals with every sort of damage, read by all that the room and the verbs read with: a true beginning, and the damage named."""

import random
import time
from pathlib import Path

import msgspec
import pytest

from loopdeck.core import fold
from loopdeck.core.run import Run
from loopdeck.deck.following import Followed
from loopdeck.deck.history import HistoryReader
from loopdeck.deck.reading import look
from loopdeck.deck.view import document
from loopdeck.store.journal import read_journal
from loopdeck.store.layout import RunPaths
from tests.journals import VERSIONS, copied
from tests.store.test_crash_points import _mangled as mangled

DAY = "2026-11-21T00:00:00Z"


def golden(base: Path) -> list[RunPaths]:
    """Runs with nothing but their journals to go by."""
    runs = [paths for version in VERSIONS for paths in copied(version, base / version).all_runs() if paths.journal.exists()]
    for paths in runs:
        paths.card.unlink(missing_ok=True)
        paths.checkpoint.unlink(missing_ok=True)
    return runs


def folded(paths: RunPaths, count: int) -> list[Run]:
    """The run after each of its first `count` events, from none on."""
    run, states = Run(), [Run()]
    for entry in read_journal(paths.journal).entries[:count]:
        fold.apply(run, entry.event, fold.Stamp(entry.at, entry.clock, entry.epoch))
        states.append(msgspec.msgpack.decode(msgspec.msgpack.encode(run), type=Run))
    return states


def survive(paths: RunPaths, states: list[Run], data: bytes, damaged: bytes) -> bool:
    """Read `damaged` in the place of `data` with each of the readers; True if there was damage to name."""
    cold = Followed(paths, "one", 0)
    warm = Followed(paths, "one", 0)
    paths.journal.write_bytes(data)
    warm.refresh(0.0, DAY, look=True)
    history = HistoryReader(paths)
    history.look()
    paths.journal.write_bytes(damaged)
    found = read_journal(paths.journal)
    view = look(paths)
    told = view.run
    expected = states[len(found.entries)]
    if not expected.id:
        expected.loop, expected.id = paths.loop, paths.run
    assert told == expected
    assert bool(view.damage) == (found.damage is not None)
    msgspec.json.encode(document(view))
    cold.refresh(0.0, DAY, look=True)
    warm.refresh(0.0, DAY, look=True)
    assert cold.run.id in ("", told.id)
    assert bool(cold.row.damage) == bool(view.damage)
    # Who has read on does not read again what was before; whatever he makes of the rest is a true beginning too.
    assert warm.run in states or not warm.run.started_at
    assert len(HistoryReader(paths).look().passes) == len(told.iterations)
    history.look()
    return found.damage is not None


def suffer(base: Path, times: int, seed: int) -> int:
    """Damage as many journals; gives how many had damage to name."""
    chance = random.Random(seed)
    runs = golden(base)
    known = [(paths, paths.journal.read_bytes(), folded(paths, 1 << 30)) for paths in runs]
    named = 0
    for number in range(times):
        paths, data, states = known[number % len(known)]
        damaged = data
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            damaged = mangled(damaged, chance) if damaged else damaged
        named += survive(paths, states, data, damaged)
        paths.journal.write_bytes(data)
    return named


def test_damaged_journals_are_read_to_a_true_beginning_by_every_reader(tmp_path):
    assert suffer(tmp_path, 300, seed=20261121) > 100


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_twenty_thousand_damaged_journals(tmp_path):
    named = suffer(tmp_path, 20_000, seed=int(time.time()))
    # The figures are what a chaos suite is for.
    print(f"\n20,000 damaged journals: no reader failed, {named} with damage that was named")  # noqa: T201 - the figures are the output
