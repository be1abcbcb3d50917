"""The reader on loops that really run: started by the verb, asking, answered, killed."""

import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loopdeck.deck import gathering
from loopdeck.deck.decks import Deck
from tests.cli.loops import fixer, loop, turn, waiting
from tests.deck.following_deck import Following
from tests.kit.front import opened

pytestmark = pytest.mark.timeout(90)


def test_runs_are_followed_from_their_start_to_their_end(tmp_path):
    asks = loop("asks", [turn("Pushing.", ("bash", {"command": "git push"})), turn("Done.")], gates={"ask": ["bash(git push)"]})
    with opened(tmp_path, {"README.md": "x", **fixer(), **asks, **waiting()}) as front:
        deck = Deck.open(front.repo, front.env)
        with Following(deck) as following:
            following.until(lambda snapshot: len(snapshot.rows) == 3)
            front.ok("start", "fixer", "asks", "waiting")
            # What its loop file says is read in the time between two frames.
            done = following.row("0/fixer", lambda row: row.status == "ended" and row.agent)
            assert (done.reason, done.scores, done.agent, done.layers, done.edited) == ("done", (1.0,), "scripted", (1, 2), False)
            asking = following.row("0/asks", lambda row: row.status == "asking")
            front.ok("deny", asking.approvals[0].id, "--why", "not today")
            over = following.row("0/asks", lambda row: row.status == "ended")
            assert over.touches == 1
            works = following.row("0/waiting", lambda row: row.phase == "maker")
            os.kill(deck.views()[-1].run.pid, signal.SIGKILL)
            lost = following.row("0/waiting", lambda row: row.reason == "lost")
            assert (lost.run, lost.attention) == (works.run, "broken")
            following.row("0/fixer", lambda row: not row.live)
            assert {row.run: (row.status, row.reason, row.cost, row.iteration) for row in following.last.rows} == {
                one.run.id: (one.status, one.reason, one.run.cost, one.run.iteration) for one in deck.views()
            }


@contextmanager
def a_run_that_goes_on(base: Path) -> Iterator[tuple[Following, Path]]:
    """A run whose maker waits, followed, and its loop file."""
    with opened(base, {"README.md": "x", **waiting()}) as front:
        deck = Deck.open(front.repo, front.env)
        front.ok("start", "waiting")
        with Following(deck) as following:
            following.row("0/waiting", lambda row: row.phase == "maker" and row.agent)
            yield following, front.repo / ".loopdeck/loops/waiting/loop.toml"


def test_an_edit_of_the_loop_file_of_a_run_that_goes_on_shows(tmp_path):
    with a_run_that_goes_on(tmp_path) as (following, file):
        file.write_text(file.read_text().replace("max_iterations = 3", "max_iterations = 5"))
        following.reader.poke()
        following.row("0/waiting", lambda row: row.edited)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells of edits, and they are looked for")
def test_such_an_edit_is_told_whichever_way_an_editor_saves(tmp_path, monkeypatch):
    monkeypatch.setattr(gathering, "FILES_S", math.inf)
    with a_run_that_goes_on(tmp_path) as (following, file):
        before = file.read_text()
        file.write_text(before.replace("max_iterations = 3", "max_iterations = 5"))
        following.row("0/waiting", lambda row: row.edited)
        file.with_name("new").write_text(before)
        file.with_name("new").replace(file)
        following.row("0/waiting", lambda row: not row.edited)
