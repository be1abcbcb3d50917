"""The reader: what it says of a deck is what a cold look finds, it says it at once, and nothing on disk can end it."""

import os
import shutil
import time

import pytest

from loopdeck.core import events as ev
from loopdeck.deck.reader import Reader
from loopdeck.deck.snapshot import Snapshot
from loopdeck.deck.unread import Unread
from loopdeck.store.journal import JournalWriter
from tests.cli.loops import fixer
from tests.deck.following_deck import Following, deck_at
from tests.kit.repos import commit_files, git
from tests.kit.written import WrittenRun, unchanged

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def deck(tmp_path):
    return deck_at(tmp_path)


@pytest.fixture(params=["told", "looking"])
def hints(request):
    """With the kernel's word, and without."""
    return request.param == "told"


def test_a_deck_without_anything_is_a_snapshot_too(deck):
    with Following(deck) as following:
        seen = following.until(lambda snapshot: snapshot.number)
    assert not seen.rows
    assert seen.decks[0].name == deck.name


def test_idle_loops_have_rows_and_say_what_they_are(tmp_path):
    loops = fixer("nightly", trigger={"cron": "0 7 * * 1-5"}, level="report")
    with Following(deck_at(tmp_path, dict(loops))) as following:
        row = following.row("0/nightly", lambda row: row.agent)
    assert (row.status, row.agent, row.level, row.trigger, row.layers) == ("idle", "scripted", "report", "cron 0 7 * * 1-5", (1, 2, 3))


@pytest.mark.req("S2-025")
def test_a_loop_that_is_made_or_edited_is_noticed(tmp_path):
    deck = deck_at(tmp_path, {"README.md": "x"})
    with Following(deck) as following:
        following.until(lambda snapshot: snapshot.number)
        for path, text in fixer("later").items():
            (deck.root / path).parent.mkdir(parents=True, exist_ok=True)
            (deck.root / path).write_text(text)
        following.reader.poke()
        following.row("0/later", lambda row: row.layers == (1, 2))


def test_what_a_run_does_is_seen_as_it_happens(deck, hints):
    with Following(deck, hints=hints) as following:
        run = WrittenRun(deck, "fix")
        following.row("0/fix", lambda row: row.status == "queued" and row.live)
        run.begun()
        following.row("0/fix", lambda row: row.status == "running")
        run.ask()
        asking = following.row("0/fix", lambda row: row.status == "asking")
        assert (asking.attention, asking.asking, asking.asking_for) == ("asking", "approval", "a1")
        assert [one.summary for one in asking.approvals] == ["git push"]
        run.tell(ev.ApprovalDecided("a1", True, "olga", command="c1"))
        row = following.row("0/fix", lambda row: row.status == "running")
        assert (row.touches, row.approvals) == (1, ())
        run.end("error")
        row = following.row("0/fix", lambda row: row.status == "ended" and not row.live)
        assert (row.attention, row.reason) == ("broken", "error")


def test_a_row_that_did_not_change_is_the_same_object(deck):
    with Following(deck) as following:
        quiet = WrittenRun(deck, "quiet").begun()
        busy = WrittenRun(deck, "busy").begun()
        following.until(lambda snapshot: len(snapshot.rows) == 2 and all(row.status == "running" for row in snapshot.rows))
        time.sleep(0.3)  # What could wait has been found out by now.
        before = following.last.row("0/quiet")
        number = following.last.number
        for _ in range(20):
            busy.go_on()
            time.sleep(0.01)
        following.row("0/busy", lambda row: row.iteration == 1)
        assert following.last.number > number
        assert following.last.row("0/quiet") is before
        quiet.close()


def test_never_a_second_snapshot_before_the_first_was_taken(deck):
    run = WrittenRun(deck, "fix").begun()
    with Following(deck, taking=False) as following:
        following.until(lambda snapshot: snapshot.number == 1)
        run.go_on(30)
        following.reader.poke()
        time.sleep(0.2)
        assert len(following.snapshots) == 1
        following.reader.taken()
        # What follows is the newest state, not all that lay between.
        newest = following.until(lambda snapshot: snapshot.number == 2).row("0/fix")
        assert newest is not None
        assert newest.iteration == 2


@pytest.mark.pain(1)
def test_a_runner_that_dies_is_lost_though_no_journal_changes(deck, hints):
    run = WrittenRun(deck, "fix").begun()
    with Following(deck, hints=hints) as following:
        following.row("0/fix", lambda row: row.status == "running")
        run.close()
        row = following.row("0/fix", lambda row: row.status == "ended")
    assert (row.reason, row.attention) == ("lost", "broken")


@pytest.mark.pain(1)
def test_a_runner_that_is_silent_hangs_though_no_journal_changes(deck):
    run = WrittenRun(deck, "fix").begun()
    with Following(deck) as following:
        following.row("0/fix", lambda row: row.status == "running")
        os.utime(run.paths.lease, (0, time.time() - 20))
        following.reader.poke()
        row = following.row("0/fix", lambda row: row.status == "hung")
        assert row.beat_age_s >= 20
        os.utime(run.paths.lease)
        following.reader.poke()
        following.row("0/fix", lambda row: row.status == "running")


def test_the_newest_run_of_a_loop_takes_its_row_and_older_ones_that_go_on_have_their_own(deck):
    first = WrittenRun(deck, "fix").begun()
    with Following(deck) as following:
        following.row("0/fix", lambda row: row.run == first.paths.run)
        second = WrittenRun(deck, "fix").begun()
        following.row("0/fix", lambda row: row.run == second.paths.run)
        older = f"0/fix/{first.paths.run}"
        following.row(older)
        first.end()
        following.until(lambda snapshot: snapshot.row(older) is None)


def test_what_has_ended_is_read_once_and_only_the_newest_is_shown(deck):
    for _ in range(3):
        WrittenRun(deck, "fix").begun().go_on(40).end()
    with Following(deck) as following:
        row = following.row("0/fix")
    assert [one.key for one in following.last.rows] == ["0/fix"]
    assert (row.status, row.reason, row.live) == ("ended", "done", False)


def test_damage_is_a_row_that_says_so_and_what_is_mended_is_well(deck):
    run = WrittenRun(deck, "fix").begun().go_on(10)
    whole = run.paths.journal.read_bytes()
    with Following(deck) as following:
        following.row("0/fix", lambda row: row.iteration == 1)
        last = whole.splitlines(keepends=True)[-1]
        with run.paths.journal.open("ab") as file:
            file.write(last.replace(b'"crc":"', b'"crc":"0')[:-1] + b"\n" + last)
        row = following.row("0/fix", lambda row: row.damage)
        assert row.attention == "broken"
        assert row.damage == deck.view(run.paths).damage
        run.paths.journal.write_bytes(whole)
        following.row("0/fix", lambda row: not row.damage and row.iteration == 1)


def test_events_that_make_no_sense_are_damage(deck):
    run = WrittenRun(deck, "fix").begun()
    with Following(deck) as following:
        following.row("0/fix", lambda row: row.status == "running")
        run.tell(ev.IterationFinished(1, 0.5, False, "cd" * 32))
        other = WrittenRun(deck, "other").begun()
        assert "makes no sense" in following.row("0/fix", lambda row: row.damage).damage
        following.row("0/other", lambda row: row.status == "running")
        other.close()


def test_an_event_the_lifecycle_forbids_is_damage(deck):
    run = WrittenRun(deck, "fix").begun()
    with Following(deck) as following:
        following.row("0/fix", lambda row: row.status == "running")
        run.tell(ev.RunStarted())
        row = following.row("0/fix", lambda row: row.damage)
    assert row.damage == deck.view(run.paths).damage


def test_a_journal_that_is_replaced_is_folded_anew(deck, hints):
    run = WrittenRun(deck, "fix").begun().go_on(60)
    with Following(deck, hints=hints) as following:
        following.row("0/fix", lambda row: row.iteration == 3)
        aside = run.paths.dir / "aside"
        writer = JournalWriter.open(aside, 1, unchanged)
        writer.append(ev.RunQueued("fix", run.paths.run, run.settings, "s", "e", "h", "emil"), at="2026-11-21T07:15:00Z", clock=0.0)
        writer.close()
        aside.replace(run.paths.journal)
        following.row("0/fix", lambda row: row.iteration == 0 and row.by == "emil")


def test_a_run_whose_folder_vanishes_is_gone_and_the_rest_goes_on(deck, hints):
    gone, stays = WrittenRun(deck, "gone").begun(), WrittenRun(deck, "stays").begun()
    with Following(deck, hints=hints) as following:
        following.until(lambda snapshot: len(snapshot.rows) == 2)
        shutil.rmtree(gone.paths.dir.parent)
        following.until(lambda snapshot: [row.loop for row in snapshot.rows] == ["stays"])
        stays.go_on(5)
        following.row("0/stays", lambda row: row.iteration == 1)


def test_a_run_whose_folder_vanishes_and_whose_work_is_there_is_lost_until_that_is_tidied_up(deck, hints):
    run = WrittenRun(deck, "fix").begun()
    tree = deck.home.worktree("fix", run.paths.run)
    tree.mkdir()
    key = f"0/fix/{run.paths.run}"
    with Following(deck, hints=hints) as following:
        following.row("0/fix", lambda row: row.status == "running")
        shutil.rmtree(run.paths.dir)
        row = following.row(key)
        assert (row.status, row.reason, row.attention, row.worktree) == ("ended", "lost", "broken", str(tree))
        assert "folder is gone" in row.why
        assert following.last.row("0/fix") is None
        tree.rmdir()
        following.until(lambda snapshot: snapshot.row(key) is None)


def test_a_deck_whose_home_vanishes_and_comes_back(deck):
    WrittenRun(deck, "fix").begun().close()
    with Following(deck) as following:
        following.row("0/fix")
        deck.home.path.rename(deck.home.path.with_name("elsewhere"))
        following.reader.poke()
        following.until(lambda snapshot: not snapshot.rows)
        deck.home.path.with_name("elsewhere").rename(deck.home.path)
        following.reader.poke()
        following.row("0/fix")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_what_may_not_be_read_is_said(deck):
    run = WrittenRun(deck, "fix").begun()
    with Following(deck) as following:
        following.row("0/fix", lambda row: row.status == "running")
        run.paths.journal.chmod(0)
        run.go_on()
        assert "denied" in following.row("0/fix", lambda row: row.damage).damage
        run.paths.journal.chmod(0o600)
        following.row("0/fix", lambda row: not row.damage)


def test_a_broken_deck_file_is_trouble_and_no_more(tmp_path):
    deck = deck_at(tmp_path, {".loopdeck/deck.toml": "[deck]\nmax_runz = 3\n", **fixer("fix")})
    with Following(deck) as following:
        seen = following.until(lambda snapshot: snapshot.decks and snapshot.decks[0].trouble)
    assert "max_runz" in seen.decks[0].trouble[0]


def test_caps_of_the_deck_and_what_was_spent_today(tmp_path):
    deck = deck_at(tmp_path, {".loopdeck/deck.toml": "[deck]\nmax_cost_usd_per_day = 5.0\nmax_unread_lines = 70\n"})
    WrittenRun(deck, "fix").begun().go_on(30).end()
    WrittenRun(deck, "fix").begun().go_on(30).close()
    with Following(deck) as following:
        facts = following.until(lambda s: s.decks and s.decks[0].day_cap and s.decks[0].day_cost > 50_000_000_000).decks[0]
    assert (facts.day_cap, facts.unread_cap) == (5 * 10**12, 70)
    # Two runs of 30 steps, in which seven calls were settled at 4.8 thousandths of a dollar.
    assert facts.day_cost == 2 * 7 * 4_800_000_000


def test_what_was_spent_today_stays_when_a_newer_run_has_the_row(deck):
    first = WrittenRun(deck, "fix").begun().go_on(30).end()
    with Following(deck) as following:
        spent = following.until(lambda s: s.decks and s.decks[0].day_cost).decks[0].day_cost
        following.row("0/fix", lambda row: row.run == first.paths.run and row.status == "ended")
        second = WrittenRun(deck, "fix").begun()
        following.row("0/fix", lambda row: row.run == second.paths.run)
        assert following.until(lambda s: s.decks).decks[0].day_cost == spent
        second.go_on(30)
        following.until(lambda s: s.decks[0].day_cost == 2 * spent)


def test_a_watched_run_comes_whole_and_is_nobody_elses(deck):
    run = WrittenRun(deck, "fix").begun().go_on(3)
    with Following(deck) as following:
        following.row("0/fix", lambda row: row.iteration == 1)
        assert not following.last.details
        following.reader.watch("0/fix")
        detail = following.until(lambda snapshot: snapshot.detail("0/fix")).detail("0/fix")
        assert detail is not None
        assert (len(detail.run.iterations), detail.trace_lines) == (1, 3)
        run.go_on(40)
        grown = following.until(lambda snapshot: (one := snapshot.detail("0/fix")) and one.trace_lines == 43).detail("0/fix")
        assert grown is not None
        assert len(detail.run.iterations) == 1
        assert grown.run == deck.view(run.paths).run
        following.reader.watch(None)
        following.until(lambda snapshot: not snapshot.details)


def test_an_older_run_that_is_over_can_be_watched_by_its_name(deck):
    old = WrittenRun(deck, "fix").begun().go_on(30).end()
    WrittenRun(deck, "fix").begun()
    key = f"0/fix/{old.paths.run}"
    with Following(deck) as following:
        following.reader.watch(key)
        detail = following.until(lambda snapshot: snapshot.detail(key)).detail(key)
    assert detail is not None
    assert detail.run.reason == "done"


def test_two_decks_have_keys_of_their_own(tmp_path):
    decks = [deck_at(tmp_path / name) for name in ("one", "two")]
    for deck in decks:
        WrittenRun(deck, "fix").begun()
    with Following(*decks) as following:
        seen = following.until(lambda snapshot: len(snapshot.rows) == 2)
    assert {row.key for row in seen.rows} == {"0/fix", "1/fix"}


def test_spending_shows_as_a_rate_also_what_was_spent_before_anybody_looked(deck):
    run = WrittenRun(deck, "fix").begun().go_on(30)
    with Following(deck) as following:
        # Seven calls within its first minute.
        before = following.row("0/fix", lambda row: row.rate)
        assert before.rate == 7 * 4_800_000_000 * 60
        run.go_on(30)
        assert following.row("0/fix", lambda row: row.iteration == 3).rate > before.rate


def test_what_was_shipped_and_nobody_has_read_is_counted(deck):
    run = WrittenRun(deck, "fix").begun()
    base = git(deck.root, "rev-parse", "HEAD").strip()
    branch = f"loop/fix/{run.paths.run}"
    git(deck.root, "checkout", "-q", "-b", branch)
    tip = commit_files(deck.root, {"a.py": "one\ntwo\nthree\n"})
    git(deck.root, "checkout", "-q", "main")
    run.tell(ev.WorkspacePrepared("/w", branch, base))
    with Following(deck) as following:
        following.row("0/fix", lambda row: row.status == "running")
        run.tell(ev.RunEnded("done", best=1, commit=tip)).close()
        row = following.row("0/fix", lambda row: row.unread)
        assert (row.unread, row.attention, following.last.decks[0].unread) == (3, "unread", 3)
        counter = Unread(deck)
        cargo = counter.cargo(run.paths)
        assert cargo is not None
        counter.mark(cargo)
        following.reader.poke()
        assert following.row("0/fix", lambda row: not row.unread).attention == "quiet"


@pytest.mark.parametrize("fate", ["merged", "discarded"])
@pytest.mark.req("S0-24")
def test_what_became_of_a_runs_work_is_known_at_once(deck, fate):
    run = WrittenRun(deck, "fix").begun()
    base = git(deck.root, "rev-parse", "HEAD").strip()
    branch = f"loop/fix/{run.paths.run}"
    git(deck.root, "checkout", "-q", "-b", branch)
    tip = commit_files(deck.root, {"a.py": "one\n"})
    git(deck.root, "checkout", "-q", "main")
    run.tell(ev.WorkspacePrepared("/w", branch, base))
    run.tell(ev.RunEnded("done", best=1, commit=tip)).close()
    with Following(deck) as following:
        assert following.row("0/fix", lambda row: row.fate).fate == "waits"
        # So soon after the first look that branches would be taken to be where they were.
        if fate == "merged":
            git(deck.root, "merge", "-q", "--no-ff", "-m", "by hand", branch)
        else:
            git(deck.root, "branch", "-q", "-D", branch)
        following.reader.poke()
        row = following.row("0/fix", lambda row: row.fate != "waits")
        assert (row.fate, bool(row.unread)) == (fate, fate == "merged")


def test_stopping_is_quick_and_leaves_no_thread(deck):
    posted: list[Snapshot] = []
    reader = Reader([deck], posted.append)
    reader.start()
    while not posted:
        time.sleep(0.002)
    began = time.monotonic()
    reader.stop()
    # After a second it would no longer be waited for.
    assert time.monotonic() - began < 1.0
    assert not reader._thread.is_alive()
