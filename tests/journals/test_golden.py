"""Golden journals: what this and every later version must make of runs that earlier ones wrote."""

import json

import pytest

from loopdeck.core.entry import entry
from loopdeck.core.unknown import Unknown
from loopdeck.store.folded import load_run
from loopdeck.store.frozen import thaw
from loopdeck.store.journal import tail_journal, verify_journal
from loopdeck.store.specs import hash_of
from loopdeck.store.state import LoopState
from loopdeck.store.trace import read_trace, verify_trace
from tests.journals import HERE, VERSIONS, copied

EXPECTED = {version: json.loads((HERE / version / "expected.json").read_text()) for version in VERSIONS}
RUNS = [(version, loop) for version, loops in EXPECTED.items() for loop in loops]


@pytest.fixture(params=RUNS, ids=[f"{version}-{loop}" for version, loop in RUNS])
def golden(request, tmp_path):
    """The run's paths in a copy that may be written to, and the entry it must come to."""
    version, loop = request.param
    home = copied(version, tmp_path / "home")
    return home.runs_of(loop)[-1], EXPECTED[version][loop]


def test_there_are_some():
    assert len(RUNS) >= 4
    assert {one["reason"] for loops in EXPECTED.values() for one in loops.values()} >= {"done", "budget", "no_progress"}


def test_a_golden_journal_folds_to_what_it_always_did(golden):
    paths, expected = golden
    folded = load_run(paths)
    assert folded.damage == ""
    now = entry(folded.run)
    assert {key: now[key] for key in expected} == expected


def test_every_line_of_a_golden_run_is_known_and_untouched(golden):
    paths, _ = golden
    assert not [one for one in tail_journal(paths.journal).poll() if isinstance(one.event, Unknown)]
    assert not [one for one in read_trace(paths.trace) if isinstance(one, Unknown)]
    assert verify_journal(paths.journal).damage is None
    assert verify_trace(paths.trace).damage is None


def test_a_golden_loop_file_is_still_understood(golden):
    paths, expected = golden
    frozen = thaw(paths.dir)
    assert frozen.spec.name == expected["loop"]
    assert load_run(paths).run.spec_hash == hash_of(frozen.spec)


def test_a_golden_state_has_all_its_versions(golden):
    paths, expected = golden
    state = LoopState(paths.dir.parents[2] / "state" / expected["loop"])
    assert [one.number for one in state.history()] == list(range(1, len(state.history()) + 1))
    assert state.version(state.history()[-1].path.name) == state.read().text
