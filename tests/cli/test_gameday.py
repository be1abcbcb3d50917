"""`gameday`: the whole matrix, on this machine, through the front door; what it says is what there is, and nothing is left of it."""

import json
import signal
import time

import psutil
import pytest

from loopdeck.cli.gameday import document
from loopdeck.core.run import Run
from loopdeck.gameday.matrix import Matrix, Row
from loopdeck.gameday.scenario import Outcome, Scenario, Seen
from tests.kit.front import Front
from tests.kit.repos import git
from tests.kit.walled import bwrap

ATTACKS = {
    "hang", "daemons", "crash", "lies", "cheat", "escape", "reach", "spam", "codes", "secrets", "storm", "spend", "answers",
}  # fmt: skip
MOST_S = 45.0
SEEN = Seen(Run(), "ended", "done")


@pytest.fixture(scope="module")
def fought(tmp_path_factory):
    """One day of it: the document, its exit code, how long it took, the folder."""
    base = tmp_path_factory.mktemp("gameday").resolve()
    outside = base / "outside"
    outside.mkdir()
    door = Front(outside, base / "person")
    began = time.monotonic()
    said = door.run("gameday", "--json", "--dir", str(base / "scratch"), timeout=110)
    yield said, time.monotonic() - began, base / "scratch"
    Front(base / "scratch" / "arena", base / "scratch").end()


def test_every_promise_holds_here(fought):
    said, seconds, _ = fought
    assert said.err == ""
    rows = {one["attack"]: one for one in said.json["rows"]}
    assert set(rows) == ATTACKS
    untried = {} if bwrap() else {"reach": "not tried"}
    assert {name: one["outcome"] for name, one in rows.items()} == dict.fromkeys(ATTACKS, "held") | untried, rows
    assert all(one["figure"] and one["run"] for name, one in rows.items() if name not in untried)
    assert (said.code, said.json["survived"]) == (0, True)
    assert seconds < 2 * MOST_S


def test_its_runs_can_be_looked_at(fought):
    said, _, scratch = fought
    door = Front(scratch / "arena", scratch)
    assert (said.json["deck"], said.json["loopdeck_home"]) == (str(door.repo), door.env["LOOPDECK_HOME"])
    reasons = {one["loop"]: one["reason"] for one in door.ok("status", "--json").json["loops"]}
    expected = {"hang": "human", "daemons": "human", "lies": "max_iterations", "spend": "budget", "crash": "done"}
    assert {name: reasons[name] for name in expected} == expected
    assert door.run("verify", "crash").code == 0
    assert git(door.repo, "status", "--porcelain") == ""


def test_nothing_of_it_is_left_running(fought):
    _, _, scratch = fought
    door = Front(scratch / "arena", scratch)
    assert door.runners() + door.supervisors() == []
    left = []
    for process in psutil.process_iter():
        try:
            if str(scratch) in " ".join(process.cmdline()) or process.cwd().startswith(str(scratch)):
                left.append(process)
        except psutil.Error:
            continue
    assert left == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing_running_and_accuses_nobody(tmp_path, number):
    outside = tmp_path / "outside"
    outside.mkdir()
    door = Front(outside, tmp_path / "person")
    process = door.start("gameday", "--dir", str(tmp_path / "scratch"))
    arena = tmp_path / "scratch" / "arena"
    deadline = time.monotonic() + 30
    while not (arena.exists() and len((at_work := Front(arena, arena.parent)).runners()) >= 2):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"")
    assert "✗".encode() not in out
    assert at_work.runners() == []


BREAKS = """
import sys
from loopdeck.core import text, tokens
from loopdeck.sandbox import family

tokens.found = lambda data: iter(())
text.clean = text.clean_line = lambda shown, *more, **named: shown
if "loopdeck.runner" in sys.orig_argv:
    family.Mark.on = lambda self, pid: False
"""
"""A loopdeck that finds no secret, shows everything as it is, and does not know its own processes when it ends them."""


@pytest.mark.chaos
@pytest.mark.usefixtures("without_walls")
def test_with_promises_truly_broken_those_rows_are_lost_and_no_others(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BREAKS)
    door = Front(outside, tmp_path / "person", {"PYTHONPATH": str(tmp_path / "site")})
    said = door.run("gameday", "--json", "--dir", str(tmp_path / "scratch"), timeout=110)
    assert said.code == 1
    assert {one["attack"] for one in said.json["rows"] if one["outcome"] == "broken"} == {"daemons", "codes", "secrets"}
    assert Front(tmp_path / "scratch" / "arena", tmp_path / "scratch").runners() == []


def test_a_folder_that_is_not_empty_is_refused(front, inside):
    door = front({})
    said = inside(door, "gameday", "--dir", str(door.repo))
    assert (said.code, "isn't empty" in said.err) == (2, True)


@pytest.fixture
def fixed(monkeypatch):
    """A function that has the verb find the given verdicts, without an attack."""

    def fix(*verdicts):
        one = Scenario("hang", "A promise of some length", "an attack", {}, lambda stage, name: SEEN, lambda seen: Outcome("held"))
        rows = tuple(Row(one, Outcome(verdict, "1 of 1", "" if verdict == "held" else "so"), "r", 0.1) for verdict in verdicts)
        made = Matrix(rows, "/arena", "/home", 0.3)
        monkeypatch.setattr("loopdeck.cli.gameday.fight", lambda folder, environ, tell: [tell(row) for row in rows] and made)
        return made

    return fix


@pytest.mark.parametrize(("verdicts", "code"), [(["held"], 0), (["held", "not tried"], 0), (["held", "broken"], 1), (["not tried"], 1)])
def test_the_exit_code_says_whether_all_that_was_tried_held(front, inside, fixed, tmp_path, verdicts, code):
    door = front({})
    matrix = fixed(*verdicts)
    said = inside(door, "gameday", "--json", "--dir", str(tmp_path / "one"))
    assert (said.code, said.json) == (code, json.loads(json.dumps(document(matrix))))
    said = inside(door, "gameday", "--dir", str(tmp_path / "two"))
    assert said.code == code
    for verdict in verdicts:
        assert {"held": "✓", "broken": "✗", "not tried": "–"}[verdict] in said.out
    assert ("hang: so" in said.out) is (verdicts != ["held"])
    assert "cd /arena && export LOOPDECK_HOME=/home" in said.out


def test_on_a_narrow_terminal_rows_are_folded(front, inside, fixed, tmp_path, monkeypatch):
    door = front({})
    fixed("held", "broken")
    monkeypatch.setattr("loopdeck.cli.out.screen_width", lambda: 40)
    said = inside(door, "gameday", "--dir", str(tmp_path / "one"))
    table = said.out.partition("promises held")[0].splitlines()[:-1]
    assert max(len(line) for line in table if not line.startswith("Attacking")) <= 40
    assert "A promise of some length" in said.out
