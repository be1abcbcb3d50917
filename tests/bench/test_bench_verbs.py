"""Goal 3 and the start of every verb: how light the command line is."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

import pytest

from loopdeck.cli.arguments import VERBS
from loopdeck.core import events as ev
from loopdeck.deck.decks import Deck
from loopdeck.store import specs
from loopdeck.store.folded import load_run, save_checkpoint
from loopdeck.store.frozen import hash_of
from loopdeck.store.journal import JournalWriter
from loopdeck.store.layout import claim_run
from loopdeck.store.lease import Lease
from tests.bench.report import goal, say
from tests.bench.test_store_speed import busy_events
from tests.cli.loops import fixer
from tests.kit.front import Front, opened
from tests.store.samples import AT, SETTINGS, journal_events, unchanged

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
LOOPS = 100
EVENTS = 2_000
PAIRS = 21


def fill(front: Front, live: int) -> list[Lease]:
    """A run for each of the deck's loops, as runners leave them: `live` of them go on, with some events behind the checkpoint."""
    deck = Deck.open(front.repo, front.env)
    held = []
    for number, name in enumerate(deck.loops()):
        spec = specs.load_loop(front.repo, name).spec
        assert spec is not None
        paths = claim_run(deck.home, name, datetime.now(UTC))
        writer = JournalWriter.open(paths.journal, 1, unchanged)
        queued = ev.RunQueued(name, paths.run, SETTINGS, hash_of(spec), "e" * 12, "h" * 12, "olga")
        writer.append_many([queued, *journal_events()[1:5], *busy_events(EVENTS)], at=AT, clock=1.0)
        if number < live:
            save_checkpoint(paths, load_run(paths).run, writer)
            writer.append_many(busy_events(20), at=AT, clock=2.0)
            lease = Lease.take(paths.lease)
            assert lease is not None
            held.append(lease)
        else:
            writer.append(ev.RunEnded("max_iterations", "4 of 4", best=1, commit="c" * 40), at=AT, clock=3.0)
            save_checkpoint(paths, load_run(paths).run, writer)
        writer.close()
    return held


def wall(command: list[str], front: Front) -> Callable[[], float]:
    def once() -> float:
        began = time.perf_counter()
        subprocess.run(command, cwd=front.repo, env=front.env, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    return once


@pytest.mark.parametrize("live", [0, 8, LOOPS])
def test_goal_3_status_of_a_hundred_loops(tmp_path, live):
    loops: dict[str, str] = {}
    for number in range(LOOPS):
        loops |= fixer(f"loop-{number:03}")
    with opened(tmp_path, loops) as front:
        held = fill(front, live)
        said = front.ok("status").out
        assert len(said.splitlines()) == LOOPS + 2
        assert said.count("running") == live
        nothing = wall([sys.executable, "-c", "pass"], front)
        status = wall([sys.executable, "-m", "loopdeck", "status"], front)
        pairs = [(status(), nothing()) for _ in range(PAIRS)]
        for lease in held:
            lease.release()
    ratio = median(one / other for one, other in pairs)
    took, bare = (median(times) * 1e3 for times in zip(*pairs, strict=True))
    say(f"{LOOPS} loops, {live} of them at work: {took:.0f} ms, python -c pass {bare:.0f} ms: {ratio:.1f}x")
    if live == 0:
        goal(3, f"loopdeck status, {LOOPS} loops with checkpoints, of python -c pass", ratio, 6, 3)


def test_the_start_of_every_verb(tmp_path):
    """Looking verbs do all their work; the others are stopped by what they can't find, once all they need is imported."""
    asked = {
        "check": [], "doctor": [], "approvals": [], "status": [], "where": [], "clean": [], "init": [],
        "show": ["fixer"], "trace": ["fixer"], "state": ["fixer"], "diff": ["fixer"],
        "demo": ["--dir", "."], "new": ["fixer"], "start": ["nobody"], "once": ["nobody"], "approve": ["nobody"],
        "deny": ["nobody", "--why", "so"], "nudge": ["nobody", "a word"], "set": ["nobody", "model", "x"],
        "verdict": ["nobody", "check", "pass"],
    }  # fmt: skip
    with opened(tmp_path, fixer()) as front:
        front.ok("start", "fixer", "--wait")

        def seconds(verb: str) -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            front.run(verb, *asked.get(verb, ["nobody"]))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        took = {verb: min(seconds(verb) for _ in range(5)) for verb in VERBS}
    dearest = sorted(took, key=lambda verb: -took[verb])
    say("CPU of a verb, ms: " + ", ".join(f"{verb} {took[verb] * 1e3:.0f}" for verb in dearest))
    goal("V", f"CPU of the dearest verb ({dearest[0]}), seconds", took[dearest[0]], 0.15, 0.1)
