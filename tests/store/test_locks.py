"""Who may do what, one at a time: leases, places, mutexes; contended by real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from loopdeck.errors import StoreError
from loopdeck.incarnation import start_ticks
from loopdeck.store import lease
from loopdeck.store.lease import Holder, Lease, look
from loopdeck.store.locks import Mutex, SlotPool, is_locked, try_lock
from tests.store.contenders import contenders

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


def soon(path: Path) -> Lease:
    """The lease, once its killed holder is really gone."""
    end = time.monotonic() + 30
    while (taken := Lease.take(path)) is None:
        assert time.monotonic() < end
    return taken


def test_of_sixteen_one_gets_the_lease_and_its_death_frees_it(tmp_path):
    path = tmp_path / "lease"
    with contenders(16, "lease", path) as many:
        many.go()
        answers = dict(many.answers(16))
        assert sorted(answers.values()) == ["refused"] * 15 + ["took 1"]
        winner = next(pid for pid, answer in answers.items() if answer == "took 1")
        seen = look(path)
        assert seen.held
        assert seen.holder is not None
        assert (seen.holder.pid, seen.holder.epoch) == (winner, 1)
        assert Lease.take(path) is None
        os.kill(winner, signal.SIGKILL)
        mine = soon(path)
        assert mine.epoch == 2
        mine.release()


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_a_hundred_races_have_a_winner_each(tmp_path):
    for epoch in range(1, 101):
        with contenders(16, "lease", tmp_path / "lease") as many:
            many.go()
            assert sorted(answer for _, answer in many.answers(16)) == ["refused"] * 15 + [f"took {epoch}"]


def test_the_epoch_grows_with_every_holder(tmp_path):
    for epoch in range(1, 6):
        held = Lease.take(tmp_path / "lease")
        assert held is not None
        assert held.epoch == epoch
        held.release()
    (tmp_path / "lease").write_text("damaged")
    held = Lease.take(tmp_path / "lease", at_least=9)
    assert held is not None
    assert held.epoch == 9
    held.release()
    nonces = set()
    for _ in range(3):
        held = Lease.take(tmp_path / "lease")
        assert held is not None
        nonces.add(held.holder.nonce)
        held.release()
    assert len(nonces) == 3


def test_looking_disturbs_nobody(tmp_path):
    path = tmp_path / "lease"
    Mutex(path)
    assert look(path) == lease.LeaseView(False, None, 0.0, None)
    script = "import sys\nfrom pathlib import Path\nfrom loopdeck.store.locks import is_locked\nprint('on', flush=True)\n"
    script += "while True: is_locked(Path(sys.argv[1]))\n"
    path.touch()
    lookers = [subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        for one in lookers:
            assert one.stdout is not None
            assert one.stdout.readline() == "on\n"
        for _ in range(50):
            held = Lease.take(path)
            assert held is not None
            assert is_locked(path)
            held.release()
    finally:
        for one in lookers:
            one.kill()
            one.communicate()


def test_the_heartbeat_tells_its_age(tmp_path):
    path = tmp_path / "lease"
    held = Lease.take(path)
    assert held is not None
    assert look(path).age_s < 5
    os.utime(path, (time.time() - 100, time.time() - 100))
    assert 99 < look(path).age_s < 105
    held.beat()
    assert look(path).age_s < 5
    os.utime(path, (time.time() + 100, time.time() + 100))
    assert look(path).age_s == 0
    held.release()
    held.release()
    assert not look(path).held
    with pytest.raises(StoreError, match="given back"):
        held.beat()


@LINUX
def test_a_stopped_holder_still_holds(tmp_path):
    path = tmp_path / "lease"
    with contenders(1, "lease", path) as many:
        many.go()
        [(pid, answer)] = many.answers(1)
        assert answer == "took 1"
        os.kill(pid, signal.SIGSTOP)
        seen = look(path)
        assert (seen.held, seen.alive) == (True, True)
        assert Lease.take(path) is None
        os.kill(pid, signal.SIGKILL)


@LINUX
def test_a_note_tells_this_process_from_another_with_its_number(tmp_path):
    held = Lease.take(tmp_path / "lease")
    assert held is not None
    me = held.holder
    assert lease.is_running(me) is True
    for other in (
        msgspec.structs.replace(me, ticks=me.ticks + 1),
        msgspec.structs.replace(me, boot_id="another boot"),
        msgspec.structs.replace(me, pid=1 << 22),
    ):
        assert lease.is_running(other) is False
    assert lease.is_running(Holder(os.getpid(), 1, "nonce")) is None
    held.release()
    assert look(tmp_path / "lease").alive is True
    zombie = subprocess.Popen(["true"])
    while start_ticks(zombie.pid):
        time.sleep(0.005)
    zombie.wait()


def test_the_lease_does_not_stay_with_a_child(tmp_path):
    path = tmp_path / "lease"
    with contenders(1, "child", path) as many:
        many.go()
        [(pid, answer)] = many.answers(1)
        child = int(answer)
        try:
            assert look(path).held
            os.kill(pid, signal.SIGKILL)
            soon(path).release()
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_lock_on_a_file_that_was_replaced_is_none(tmp_path):
    path = tmp_path / "lock"
    first = try_lock(path)
    assert first is not None
    path.unlink()
    second = try_lock(path)
    assert second is not None
    assert try_lock(path) is None
    os.close(first)
    os.close(second)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(StoreError):
        try_lock(tmp_path / "link")


def test_a_mutex_lets_one_in_at_a_time(tmp_path):
    path = tmp_path / "locks" / "mutex"
    path.parent.mkdir()
    (tmp_path / "locks" / "mutex.number").write_text("0")
    with contenders(6, "mutex", path, 25) as many:
        many.go()
        many.end()
    assert (tmp_path / "locks" / "mutex.number").read_text() == "150"


def test_a_mutex_gives_up_in_time_and_says_where(tmp_path):
    path = tmp_path / "locks" / "mutex"
    with Mutex(path).held():
        began = time.monotonic()
        with pytest.raises(StoreError, match="still locked") as raised, Mutex(path).held(timeout_s=0.1):
            pass
        assert 0.1 <= time.monotonic() - began < 5
        assert raised.value.where == str(path)
    with Mutex(path).held(timeout_s=0):
        pass
    with pytest.raises(ZeroDivisionError), Mutex(path).held():
        _ = 1 / 0
    assert not is_locked(path)


def test_no_more_places_than_there_are(tmp_path):
    with contenders(12, "slot", tmp_path / "places", 5) as many:
        many.go()
        answers = sorted(answer for _, answer in many.answers(12))
        assert answers == ["refused"] * 7 + [f"took {number}" for number in range(5)]
        assert SlotPool(tmp_path / "places").taken() == 5


def test_places_fall_free_and_a_lower_limit_counts_those_above(tmp_path):
    pool = SlotPool(tmp_path / "places")
    assert pool.taken() == 0
    assert pool.try_take(0) is None
    taken = [pool.try_take(6) for _ in range(6)]
    assert [slot.number for slot in taken if slot] == list(range(6))
    assert pool.try_take(6) is None
    assert pool.try_take(2) is None
    for slot in taken[:4]:
        assert slot is not None
        slot.release()
    # Numbers 4 and 5 are still at work under the higher limit.
    assert pool.try_take(2) is None
    third = pool.try_take(3)
    assert third is not None
    assert pool.try_take(3) is None
    assert pool.taken() == 3
    third.release()
    for slot in taken[4:]:
        assert slot is not None
        slot.release()
    assert pool.taken() == 0
