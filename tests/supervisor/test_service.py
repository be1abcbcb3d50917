"""The supervisor at work, with real runners: adopts, resumes, gives up with evidence, leaves; and status tells the truth of it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from loopdeck.deck.serving import ensure
from loopdeck.deck.tending import supervisor
from loopdeck.supervisor.service import LOOK_S
from tests.cli.loops import fixer, loop, turn, waiting, write
from tests.supervisor.decks import attend, attending, holder, lives, serving, slay_supervisor, supervised, until, whole, words
from tests.supervisor.warmed import begun, made


def twice(name: str = "twice") -> dict[str, str]:
    """A loop that has a slow turn, and must be looked after to come to its end."""
    return loop(name, [turn("Thinking.", write("x", "1"), delay_s=1.0), turn("d")], checks=[{"name": "x", "run": "test -f x"}])


def asking(name: str = "asking") -> dict[str, str]:
    """A loop that waits for a person, as long as it takes."""
    return loop(name, [turn("b", ("bash", {"command": "true"})), turn("d")], gates={"ask": ["bash"]})


def test_start_sees_to_a_supervisor_that_resumes_what_dies(tmp_path):
    with supervised(tmp_path, twice()) as seat:
        assert seat.ok("status", "--json").json["supervisor"] == {"pid": None, "alive": False}
        seat.ok("start", "twice")
        until(lambda: supervisor(seat.deck.home).awake)
        assert seat.ok("status", "--json").json["supervisor"] == {"pid": attending(seat), "alive": True}
        seat.until("twice", "running")
        until(lambda: any("is run by process" in line for line in words(seat)))
        os.kill(holder(seat, "twice"), signal.SIGKILL)
        assert seat.until_ended("twice")["reason"] == "done", seat.log("twice")
        assert lives(seat, "twice") == [1, 2]
        whole(seat, "twice")
        assert [line for line in words(seat) if "resumed, try 1: its runner" in line]


def test_a_run_between_two_runners_is_not_lost_and_who_waits_goes_on_waiting(tmp_path):
    with supervised(tmp_path, twice()) as seat:
        attend(seat)
        process = seat.start("start", "twice", "--wait", "--json")
        until(lambda: seat.deck.home.all_runs() and seat.view("twice").live)
        # It is stopped for a moment, so that what lies between can be looked at.
        os.kill(attending(seat), signal.SIGSTOP)
        os.kill(holder(seat, "twice"), signal.SIGKILL)
        until(lambda: not seat.view("twice").live)
        view = seat.view("twice")
        assert (view.status, view.reason, view.seen.tended) == ("waiting", None, True)
        assert "the supervisor starts another" in seat.ok("status").out
        time.sleep(0.3)
        assert process.poll() is None
        os.kill(attending(seat), signal.SIGCONT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, (out, err)


@pytest.mark.req("F14")
def test_a_new_supervisor_adopts_at_once_and_starts_nothing_twice(tmp_path):
    with supervised(tmp_path, {**waiting("one", 60), **waiting("two", 60)}) as seat:
        first = attend(seat)
        begun(seat, "one")
        begun(seat, "two")
        seat.at_work("one")
        seat.at_work("two")
        slay_supervisor(seat)
        assert seat.ok("status", "--json").json["supervisor"] == {"pid": None, "alive": False}
        assert [seat.entry(name)["status"] for name in ("one", "two")] == ["running", "running"]
        began = time.monotonic()
        second = attend(seat)
        until(lambda: sum("is run by process" in line for line in words(seat)[-2:]) == 2)
        assert second != first
        # On a machine of its own it takes a quarter of a second; here others are at work.
        assert time.monotonic() - began < 5
        time.sleep(2 * LOOK_S)
        assert [lives(seat, name) for name in ("one", "two")] == [[1], [1]]


def test_what_was_written_down_and_never_begun_is_started(tmp_path):
    with supervised(tmp_path, fixer()) as seat:
        paths = made(seat, "fixer")
        os.utime(paths.dir, (time.time() - 20, time.time() - 20))
        attend(seat)
        assert seat.until_ended("fixer")["reason"] == "done"
        assert any("nobody had begun it" in line for line in words(seat))


def test_a_damaged_run_is_given_up_with_the_evidence_and_status_tells_it(tmp_path):
    with supervised(tmp_path, asking()) as seat:
        paths = begun(seat, "asking")
        seat.until("asking", "asking")
        seat.slay("asking")
        lines = paths.journal.read_bytes().splitlines(keepends=True)
        paths.journal.write_bytes(b"".join([*lines[:2], b"{nonsense\n", *lines[3:]]))
        paths.checkpoint.unlink(missing_ok=True)
        attend(seat)
        until(lambda: any(" lost: " in line for line in words(seat)))
        entry = seat.entry("asking")
        assert (entry["status"], entry["reason"]) == ("ended", "lost")
        assert "journal.jsonl:3" in entry["why"]
        assert "life 1" in entry["why"]
        time.sleep(2 * LOOK_S)
        assert sum(" lost: " in line for line in words(seat)) == 1


def test_who_hangs_is_not_replaced(tmp_path):
    with supervised(tmp_path, asking()) as seat:
        attend(seat)
        begun(seat, "asking")
        seat.until("asking", "asking")
        pid = holder(seat, "asking")
        os.kill(pid, signal.SIGSTOP)
        old = time.time() - 60
        os.utime(seat.paths("asking").lease, (old, old))
        until(lambda: any("is silent and still holds the run" in line for line in words(seat)))
        assert seat.entry("asking")["status"] == "hung"
        os.kill(pid, signal.SIGCONT)
        seat.until("asking", "asking")
        assert lives(seat, "asking") == [1]


def test_serve_says_what_it_does_and_is_the_only_one(tmp_path):
    with supervised(tmp_path, asking()) as seat:
        begun(seat, "asking")
        seat.until("asking", "asking")
        with serving(seat) as process:
            said = seat.says("serve")
            assert f"has a supervisor already: process {process.pid}" in said.err
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2)]
            assert "supervises" in lines[0]
            assert f"asking {seat.folded('asking').id} is run by process {holder(seat, 'asking')}, life 1" in lines[1]
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=10)
            assert (process.returncode, err) == (0, "")
            assert "all runs go on" in out
        assert seat.entry("asking")["status"] == "asking"
        assert not supervisor(seat.deck.home).alive
        assert seat.supervisors() == [], "the warm process has gone with it"


def test_told_twice_it_goes_at_once(tmp_path):
    with supervised(tmp_path, asking()) as seat, serving(seat) as process:
        until(lambda: len(seat.supervisors()) == 1)
        [warm] = seat.supervisors()
        # What it would wait for.
        warm.suspend()
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(1) == 128 + signal.SIGTERM
        warm.kill()


def test_in_the_background_it_leaves_when_nothing_is_left_to_do(tmp_path):
    files = {**fixer(), ".loopdeck/deck.toml": '[deck]\nsupervisor_idle = "1s"\n'}
    with supervised(tmp_path, files) as seat:
        attend(seat)
        begun(seat, "fixer")
        seat.until_ended("fixer")
        until(lambda: not supervisor(seat.deck.home).alive)
        until(lambda: seat.supervisors() == [])
        assert words(seat)[-1] == "leaves: there is nothing to look after"


def test_switched_off_or_within_a_run_there_is_none(tmp_path):
    with supervised(tmp_path, fixer()) as seat:
        for name, value in (("LOOPDECK_SUPERVISOR", "off"), ("LOOPDECK_RUN", "20261121-0715-a3f9")):
            assert not ensure(seat.deck, environ={**seat.env, name: value})
        assert seat.run("start", "fixer", env={"LOOPDECK_SUPERVISOR": "off"}).code == 0
        assert not seat.deck.home.supervisor_log.exists()


def test_where_it_cant_be_started_runs_are_all_the_same(tmp_path):
    with supervised(tmp_path, fixer()) as seat:
        # Its lease can't be had.
        seat.deck.home.make()
        seat.deck.home.supervisor.mkdir()
        assert seat.run("start", "fixer", "--wait").code == 0
        assert not supervisor(seat.deck.home).alive


def test_more_than_a_few_are_forked_from_a_process_that_is_waited_for(tmp_path):
    names = ["a", "b", "c", "d", "e", "f"]
    files: dict[str, str] = {}
    for name in names:
        files |= asking(name)
    with supervised(tmp_path, files) as seat:
        seat.ok("start", *names)
        for name in names:
            seat.until(name, "asking")
        parents = {one.pid: one.name() for one in seat.runners()}
        assert list(parents.values()) == ["loopdeck.runner"] * 6, "spawned ones are called python"


@pytest.mark.parametrize("what", ["lease", "checkout"])
def test_its_home_or_checkout_gone_it_leaves(tmp_path, what):
    with supervised(tmp_path, asking()) as seat:
        pid = attend(seat)
        if what == "lease":
            seat.deck.home.supervisor.unlink()
        else:
            seat.repo.rename(tmp_path / "moved")
        until(lambda: not any(one.pid == pid for one in seat.supervisors()), 20)
        if what == "checkout":
            (tmp_path / "moved").rename(seat.repo)


def test_one_that_comes_too_late_makes_nothing_anew(tmp_path):
    with supervised(tmp_path, asking()) as seat:
        home = seat.deck.home.path
        assert not home.exists()
        words = [sys.executable, "-m", "loopdeck.supervisor", str(home), str(seat.repo)]
        assert subprocess.run(words, env=seat.env, check=False).returncode == 3
        assert not home.exists()
