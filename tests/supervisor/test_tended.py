"""How a run without a runner is told: lost, or in a supervisor's hands."""

import os
import time

import pytest

from loopdeck.core.rescue import Tries
from loopdeck.core.run import Run
from loopdeck.deck.answer import answer
from loopdeck.deck.reading import look
from loopdeck.deck.tending import Tending, is_tended, supervisor
from loopdeck.deck.view import SETTLING_S, Seen, document, view, waiting_for
from loopdeck.store import rescue
from loopdeck.store.layout import DeckHome, RunPaths
from loopdeck.store.lease import HUNG_AFTER_S, Lease

GONE = Seen(False, 20.0, 99.0, begun=True)
TENDED = Seen(False, 20.0, 99.0, begun=True, tended=True)


@pytest.mark.parametrize("status", ["queued", "running", "asking", "paused", "waiting", "stopping"])
def test_a_dead_one_is_lost_unless_somebody_starts_the_next(status):
    run = Run("fix", "r1", status=status, life=1, pid=7)
    assert (view(run, GONE, "/r").status, view(run, GONE, "/r").reason) == ("ended", "lost")
    now = view(run, TENDED, "/r")
    assert (now.status, now.reason, now.live) == ("waiting", None, False)
    assert waiting_for(now) == document(now)["why"] == "its runner is gone; the supervisor starts another"
    assert [fact.label for fact in answer(now, "2026-11-21T07:20:00Z")][:2] == ["waiting", "runner"]


def test_one_that_nobody_has_begun_is_queued_as_long_as_somebody_will():
    run = Run("fix", "r1")
    for tended, age, expected in ((False, 1.0, "queued"), (False, SETTLING_S + 1, "ended"), (True, SETTLING_S + 1, "queued")):
        assert view(run, Seen(False, 0.0, age, tended=tended), "/r").status == expected


def test_one_that_has_ended_stays_so():
    run = Run("fix", "r1", status="ended", reason="done")
    assert (view(run, TENDED, "/r").status, view(run, TENDED, "/r").reason) == ("ended", "done")


def test_a_supervisor_is_there_while_it_holds_its_lease_and_counted_on_while_it_beats(tmp_path):
    home = DeckHome(tmp_path / "home")
    assert supervisor(home) == Tending()
    home.make()
    held = Lease.take(home.supervisor)
    assert held is not None
    assert supervisor(home) == Tending(os.getpid(), True, True)
    old = time.time() - HUNG_AFTER_S - 1
    os.utime(home.supervisor, (old, old))
    assert supervisor(home) == Tending(os.getpid(), True, False)
    held.release()
    assert supervisor(home) == Tending(os.getpid(), False, False)
    home.supervisor.write_bytes(b"damaged")
    assert supervisor(home) == Tending()


def test_a_run_is_tended_until_it_was_given_up_and_again_once_somebody_has_had_it(tmp_path):
    home = DeckHome(tmp_path / "home")
    home.make()
    paths = RunPaths(home.runs / "fix" / "20261121-0715-a3f9")
    paths.dir.mkdir(parents=True)
    paths.runner_log.write_text("Killed\n")

    def lives() -> None:
        held = Lease.take(paths.lease)
        assert held is not None
        held.release()

    lives()
    assert not is_tended(paths)
    held = Lease.take(home.supervisor)
    assert held is not None
    assert is_tended(paths)
    assert look(paths).status == "waiting"
    rescue.save(paths, Tries(epoch=1, lives=5, gave_up="5 runners in a row came to nothing"))
    assert not is_tended(paths)
    lost = look(paths)
    assert (lost.status, lost.reason) == ("ended", "lost")
    assert "5 runners in a row came to nothing" in waiting_for(lost)
    lives()
    assert is_tended(paths)
    held.release()
    assert not is_tended(paths)


def test_what_is_kept_of_a_rescue_can_be_damaged(tmp_path):
    home = DeckHome(tmp_path / "home")
    home.make()
    paths = RunPaths(home.runs / "fix" / "20261121-0715-a3f9")
    paths.dir.mkdir(parents=True)
    assert rescue.load(paths) == Tries()
    tries = Tries(2, 3, 1.5, 2.5, 4, "so")
    rescue.save(paths, tries)
    assert rescue.load(paths) == tries
    paths.rescue.write_bytes(b'{"epoch": "x"}')
    assert rescue.load(paths) == Tries()
