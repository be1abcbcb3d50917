"""What the supervisor sees of the runs of a deck, and what it does not look at again."""

import os
import shutil
import time
from pathlib import Path

from loopdeck.core import events as ev
from loopdeck.core.rescue import Tries
from loopdeck.incarnation import boot_id
from loopdeck.store import rescue
from loopdeck.store.folded import load_run, save_checkpoint
from loopdeck.store.journal import JournalWriter
from loopdeck.store.layout import DeckHome, RunPaths
from loopdeck.store.lease import Lease
from loopdeck.supervisor.observe import Observer
from loopdeck.supervisor.plan import RunSeen
from tests.store.samples import AT, SETTINGS, unchanged


def new_run(home: DeckHome, loop: str, number: int, *, frozen: bool = True) -> RunPaths:
    paths = RunPaths(home.runs / loop / f"20261121-0715-{number:04x}")
    paths.dir.mkdir(parents=True)
    if frozen:
        paths.spec.write_text("no spec, and nobody asks\n")
    return paths


def begin(paths: RunPaths, *, ended: bool = False) -> JournalWriter:
    """A journal of a run that somebody has begun."""
    held = Lease.take(paths.lease)
    assert held is not None
    writer = JournalWriter.open(paths.journal, held.epoch, unchanged)
    queued = ev.RunQueued(paths.loop, paths.run, SETTINGS, "s" * 12, "e" * 12, "h" * 12, "olga")
    writer.append_many([queued, ev.RunnerStarted(7, 1, "boot", "n")], at=AT, clock=0.0)
    if ended:
        writer.append(ev.RunEnded("human"), at=AT, clock=1.0)
        save_checkpoint(paths, load_run(paths).run, writer)
    held.release()
    return writer


def seen(observer: Observer) -> dict[str, RunSeen]:
    return {f"{paths.loop}/{paths.run[-1]}": one for paths, one in observer.look((), {}).items()}


def test_every_run_that_may_need_somebody_is_seen_oldest_first(tmp_path):
    home = DeckHome(tmp_path)
    home.make()
    for number, loop in ((1, "b"), (2, "a"), (3, "b")):
        new_run(home, loop, number, frozen=number != 3)
    observer = Observer(home)
    assert list(seen(observer)) == ["b/1", "a/2", "b/3"]
    assert [one.frozen for one in seen(observer).values()] == [True, True, False]
    new_run(home, "a", 4)
    assert list(seen(observer)) == ["b/1", "a/2", "b/3", "a/4"]
    shutil.rmtree(home.runs / "b")
    assert list(seen(observer)) == ["a/2", "a/4"]


def test_a_lease_is_told_with_all_that_it_says(tmp_path):
    home = DeckHome(tmp_path)
    home.make()
    paths = new_run(home, "a", 1)
    observer = Observer(home)
    assert seen(observer)["a/1"].lease.epoch == 0
    held = Lease.take(paths.lease)
    assert held is not None
    old = time.time() - 60
    os.utime(paths.lease, (old, old))
    [one] = observer.look({paths}, {paths: 1}).values()
    assert (one.lease.held, one.lease.epoch, one.lease.pid, one.lease.alive) == (True, 1, os.getpid(), True)
    assert (one.lease.nonce, one.lease.boot_id) == (held.holder.nonce, boot_id())
    assert 59 < one.lease.beat_age_s < 70
    assert (one.starting, one.adopted) == (True, 1)
    held.release()


def test_one_that_has_ended_is_seen_no_more(tmp_path):
    home = DeckHome(tmp_path)
    home.make()
    done, dead = new_run(home, "a", 1), new_run(home, "a", 2)
    begin(done, ended=True).close()
    writer = begin(dead)
    observer = Observer(home)
    assert list(seen(observer)) == ["a/2"]
    rescue.save(dead, Tries(1, 2))
    dead.runner_log.write_text("one\ntwo\nthree\n")
    one = seen(observer)["a/2"]
    assert (one.tries.lives, one.said, one.damage, one.ended) == (2, "two three", "", False)
    writer.append(ev.RunEnded("human"), at=AT, clock=2.0)
    writer.close()
    assert seen(observer) == {}


def test_one_that_cant_be_read_hides_no_other(tmp_path):
    home = DeckHome(tmp_path)
    home.make()
    bad, good = new_run(home, "a", 1), new_run(home, "a", 2)
    for paths in (bad, good):
        begin(paths).close()
    lines = bad.journal.read_bytes().splitlines(keepends=True)
    bad.journal.write_bytes(lines[0] + b"{nonsense}\n" + lines[1])
    locked = new_run(home, "a", 3)
    Path(locked.lease).mkdir()
    found = seen(Observer(home))
    assert "journal.jsonl" in found["a/1"].damage
    assert found["a/2"].damage == ""
    assert list(found) == ["a/1", "a/2", "a/3"]
    assert found["a/3"].lease.held, "somebody may have it"
