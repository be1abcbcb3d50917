"""Where things of a deck are, and how files get there whole."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.errors import StoreError, UsageError
from loopdeck.store.blobs import Blobs, capped
from loopdeck.store.files import make_dir, write_atomic
from loopdeck.store.layout import RUN_ID, DeckHome, RunPaths, claim_run, deck_home, new_run_id

NOW = datetime(2026, 11, 21, 7, 15, 38, 400_000, UTC)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_home_is_where_the_contract_says(tmp_path):
    git = tmp_path / "repo" / ".git"
    git.mkdir(parents=True)
    cases = {
        (("LOOPDECK_HOME", "/lh"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")): "/lh",
        (("LOOPDECK_HOME", "~/lh"), ("HOME", "/h")): "/h/lh",
        (("LOOPDECK_HOME", "/lh/../other"),): "/other",
        (("XDG_STATE_HOME", "/x"), ("HOME", "/h")): "/x/loopdeck",
        (("XDG_STATE_HOME", "relative"), ("HOME", "/h")): "/h/.local/state/loopdeck",
        (("LOOPDECK_HOME", ""), ("HOME", "/h")): "/h/.local/state/loopdeck",
    }
    for env, base in cases.items():
        home = deck_home("my repo", git, dict(env))
        assert str(home.parent) == base
        assert home.name.startswith("my-repo-")
        assert not home.exists()
    for relative in ("lh", "./lh", "../lh", "~"):
        with pytest.raises(UsageError, match="absolute"):
            deck_home("my repo", git, {"LOOPDECK_HOME": relative, "HOME": "/h"})


def test_the_home_is_the_same_from_every_way_into_the_repository(tmp_path):
    git = tmp_path / "repo" / ".git"
    git.mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "repo")
    env = {"LOOPDECK_HOME": "/lh"}
    homes = {deck_home("repo", way, env) for way in (git, tmp_path / "link" / ".git", tmp_path / "repo" / ".." / "repo" / ".git")}
    assert len(homes) == 1
    assert deck_home("repo", tmp_path / "repo2" / ".git", env) not in homes
    assert deck_home("../..", git, env).parent == Path("/lh")


def test_paths_of_a_run(tmp_path):
    home = DeckHome(tmp_path)
    run = home.run_dir("fix-tests", "20261121-0715-a3f9")
    assert (run.loop, run.run) == ("fix-tests", "20261121-0715-a3f9")
    names = [run.spec, run.journal, run.trace, run.blobs, run.inbox, run.lease, run.checkpoint, run.report, run.runner_log]
    assert len(set(names)) == 9
    assert {path.parent for path in names} == {tmp_path / "runs" / "fix-tests" / "20261121-0715-a3f9"}
    assert home.worktree("fix-tests", run.run) == tmp_path / "worktrees" / "fix-tests-20261121-0715-a3f9"
    assert home.state_dir("fix-tests") == tmp_path / "state" / "fix-tests"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "/etc", ".hidden", "a\0b", "a\n", "a b", "x" * 101, "-rf", "a..b", "ä"])
def test_names_that_could_lead_elsewhere_are_refused(tmp_path, name):
    home = DeckHome(tmp_path)
    for use in (home.state_dir, home.runs_of, lambda bad: home.run_dir("loop", bad), lambda bad: claim_run(home, bad, NOW)):
        with pytest.raises(UsageError):
            use(name)
    assert not (tmp_path / "state").exists() or not any((tmp_path / "state").iterdir())


@given(seconds=st.integers(0, 10**9), zone=st.integers(-14, 14))
def test_ids_are_utc_and_sort_by_time(seconds, zone):
    first = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    run = new_run_id(first.astimezone(timezone(timedelta(hours=zone))))
    assert RUN_ID.fullmatch(run)
    assert run[:13] == first.strftime("%Y%m%d-%H%M")
    for later in (1000, 2000, 10**6, 10**8, 10**11):
        assert new_run_id(first + timedelta(microseconds=later)) > run
    steps = [new_run_id(first, by) for by in (0, 1, 2, 30_000, 60_000, 65_535)]
    assert steps == sorted(set(steps))
    assert steps[-1] < new_run_id(first + timedelta(minutes=1))


def test_runs_claimed_at_once_have_ids_of_their_own_in_order(tmp_path):
    home = DeckHome(tmp_path / "home")
    claimed = [claim_run(home, f"loop{number % 3}", NOW) for number in range(40)]
    ids = [run.run for run in claimed]
    assert ids == sorted(set(ids))
    assert ids[0] == new_run_id(NOW)
    assert home.loops() == ["loop0", "loop1", "loop2"]
    assert [run.run for run in home.runs_of("loop1")] == ids[1::3]
    assert [run.run for run in home.all_runs()] == ids
    assert home.runs_of("never") == []
    late = datetime(2026, 11, 21, 7, 15, 59, 999_999, UTC)
    tails = [claim_run(home, "loop0", late).run for _ in range(5)]
    assert tails == sorted(set(tails))
    assert tails[-1] < claim_run(home, "loop0", late + timedelta(seconds=1)).run


def test_a_run_started_after_the_clock_was_set_back_is_the_newest_all_the_same(tmp_path):
    home = DeckHome(tmp_path / "home")
    before = [claim_run(home, "loop0", NOW).run, claim_run(home, "loop1", NOW + timedelta(hours=1)).run]
    back = [claim_run(home, f"loop{number % 2}", NOW - timedelta(days=number)).run for number in range(40)]
    again = claim_run(home, "loop0", NOW + timedelta(hours=2)).run
    ids = [*before, *back, again]
    assert ids == sorted(set(ids))
    assert all(RUN_ID.fullmatch(one) for one in ids)
    assert again == new_run_id(NOW + timedelta(hours=2))


def test_ids_go_on_past_the_end_of_the_minute_in_which_the_clock_was_set_back(tmp_path):
    home = DeckHome(tmp_path / "home")
    late = datetime(2026, 11, 21, 7, 15, 59, 999_999, UTC)
    ids = [claim_run(home, "loop", late).run] + [claim_run(home, "loop", NOW - timedelta(days=9)).run for _ in range(5)]
    assert ids == sorted(set(ids))
    assert ids[-1].endswith("-ffff0004")


def test_many_claim_at_once(tmp_path):
    home = DeckHome(tmp_path / "home")
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda number: claim_run(home, f"loop{number % 4}", NOW), range(64)))
    assert len({run.run for run in runs}) == 64
    assert [run.run for run in home.all_runs()] == sorted(run.run for run in runs)


def test_everything_is_private_whatever_the_umask(tmp_path):
    for umask in (0, 0o022, 0o077, 0o777):
        home = DeckHome(tmp_path / f"home{umask}" / "deck")
        before = os.umask(umask)
        try:
            run = claim_run(home, "loop", NOW)
            write_atomic(run.report, b"report")
            blob = Blobs(run.blobs).put(b"blob")
        finally:
            os.umask(before)
        folders = [
            home.path.parent,
            home.path,
            home.runs,
            home.state,
            home.worktrees,
            home.locks,
            run.dir.parent,
            run.dir,
            run.inbox,
            run.blobs,
        ]
        assert {mode(path) for path in folders} == {0o700}
        assert {mode(path) for path in (run.report, run.blobs / blob)} == {0o600}


def test_a_home_that_others_may_write_is_refused(tmp_path):
    home = DeckHome(tmp_path / "home")
    home.make()
    home.path.chmod(0o777)
    with pytest.raises(StoreError, match="others may write"):
        claim_run(home, "loop", NOW)
    home.path.chmod(0o755)
    assert claim_run(home, "loop", NOW).dir.is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder away")
def test_a_home_of_somebody_else_is_refused(tmp_path):
    home = DeckHome(tmp_path / "home")
    home.make()
    os.chown(home.path, 12345, 12345)
    with pytest.raises(StoreError, match="somebody else"):
        home.make()


def test_what_is_no_run_is_not_listed(tmp_path):
    home = DeckHome(tmp_path / "home")
    run = claim_run(home, "loop", NOW)
    (run.dir.parent / "notes").mkdir()
    (run.dir.parent / "20261121-0715-zzzz").mkdir()
    (run.dir.parent / "20261121-0716-aaaa").write_text("a file")
    (run.dir.parent / "20261121-0717-aaaa").symlink_to(run.dir)
    (home.runs / ".DS_Store").write_text("")
    (home.runs / ".hidden").mkdir()
    assert home.all_runs() == [run]
    assert home.runs_of("loop") == [RunPaths(run.dir)]


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(StoreError, match="in the way") as raised:
        make_dir(tmp_path / "home")
    assert raised.value.where == str(tmp_path / "home")


# Files


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"one", durable=True)
    inode = path.stat().st_ino
    reader = path.open("rb")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_ino != inode
    assert reader.read() == b"one"
    reader.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "file").symlink_to(victim)
    write_atomic(tmp_path / "file", b"new")
    assert victim.read_text() == "mine"
    assert not (tmp_path / "file").is_symlink()


def test_a_file_that_does_not_fit_leaves_the_old_one_and_nothing_else(tmp_path):
    script = """
import resource, sys
from pathlib import Path
from loopdeck.errors import StoreError
from loopdeck.store.files import write_atomic
path = Path(sys.argv[1])
write_atomic(path, b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    write_atomic(path, b"x" * 5000)
except StoreError as error:
    print(error)
"""
    path = tmp_path / "file"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert str(path) in done.stdout
    assert "ulimit" in done.stdout
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_missing_folder_is_an_error_in_words(tmp_path):
    with pytest.raises(StoreError, match="can't write the file"):
        write_atomic(tmp_path / "none" / "file", b"")


# Blobs


@given(data=st.binary(max_size=300))
def test_a_blob_is_what_its_name_says(tmp_path_factory, data):
    blobs = Blobs(tmp_path_factory.mktemp("run") / "blobs", most=200)
    name = blobs.put(data)
    assert blobs.get(name) == capped(data, 200)
    assert blobs.put(data) == name
    assert blobs.size(name) == len(blobs.get(name))
    if len(data) <= 200:
        assert blobs.get(name) == data


def test_a_large_payload_is_cut_in_its_middle_and_says_so(tmp_path):
    data = bytes(range(256)) * 8
    kept = Blobs(tmp_path).get(Blobs(tmp_path, most=1000).put(data))
    assert kept.startswith(data[:500])
    assert kept.endswith(data[-500:])
    assert b"1,048 of 2,048 bytes left out" in kept
    assert b"at most 1,000" in kept


def test_a_damaged_or_missing_blob_is_an_error(tmp_path):
    blobs = Blobs(tmp_path / "blobs")
    name = blobs.put(b"content")
    (tmp_path / "blobs" / name).write_bytes(b"other")
    with pytest.raises(StoreError, match="damaged"):
        blobs.get(name)
    (tmp_path / "secret").write_text("x")
    for bad in ("0" * 64, "../secret", "", name[:-1]):
        with pytest.raises(StoreError, match="no such blob"):
            blobs.get(bad)
        assert blobs.size(bad) is None


def test_a_blob_that_was_damaged_is_not_written_over(tmp_path):
    """Written once: whoever finds it damaged is told, rather than given what somebody put there since."""
    blobs = Blobs(tmp_path / "blobs")
    name = blobs.put(b"content")
    inode = (tmp_path / "blobs" / name).stat().st_ino
    assert blobs.put(b"content") == name
    assert (tmp_path / "blobs" / name).stat().st_ino == inode
