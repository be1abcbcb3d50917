"""The sample project is what DEMO.toml says: every loop ends for the announced reason, by the real checks, detectors and budget."""

import ast
import functools
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from loopdeck import shipped
from loopdeck.core.findings import Verdict
from loopdeck.core.gate import Policy, judge
from loopdeck.core.script import Script, read_script
from loopdeck.core.spec import LoopSpec
from loopdeck.core.usage import dollars
from loopdeck.store.specs import load_loop
from tests.kit.rehearsal import ENVIRONMENT, Ending, rehearse
from tests.kit.repos import commit_files, git, make_repo

WORKSHOP = shipped.sample_project()
LOOPS = WORKSHOP / ".loopdeck" / "loops"
DEMO = tomllib.loads((WORKSHOP / "DEMO.toml").read_text(encoding="utf-8"))
ANNOUNCED = {one["name"]: one for one in DEMO["loop"]}


@functools.cache
def spec_of(name: str) -> LoopSpec:
    reading = load_loop(WORKSHOP, name)
    assert reading.problems == ()
    assert reading.spec is not None
    return reading.spec


def copied(to: Path) -> Path:
    copy = shutil.copytree(WORKSHOP, to, ignore=shutil.ignore_patterns("__pycache__"))
    make_repo(copy, {})
    commit_files(copy, {}, "start")
    return copy


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A function from a loop's name to what the checks said before, how the loop ended, and the checkout it was played in."""

    @functools.cache
    def play(name: str) -> tuple[list[Verdict], Ending, Path]:
        checkout = copied(tmp_path_factory.mktemp(name) / "workshop")
        return (*rehearse(spec_of(name), script_of(name), checkout), checkout)

    return play


def script_of(name: str) -> Script:
    script = read_script((LOOPS / name / "play.toml").read_text(encoding="utf-8"), f"{name}/play.toml")
    assert isinstance(script, Script), script
    return script


def test_every_loop_is_announced_and_every_reason_is_seen():
    assert {folder.name for folder in LOOPS.iterdir()} == set(ANNOUNCED)
    assert {one["reason"] for one in ANNOUNCED.values()} == {"done", "no_progress", "budget", "max_iterations"}
    assert {one["iterations"] for one in ANNOUNCED.values() if one["reason"] == "done"} == {1, 2, 3}
    assert all(one["says"].endswith(".") for one in ANNOUNCED.values())


@pytest.mark.parametrize("name", sorted(ANNOUNCED))
def test_a_loop_file_lints_clean_and_says_what_it_shows(name):
    first = (LOOPS / name / "loop.toml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# Shows ")
    assert f"`{ANNOUNCED[name]['reason']}`" in first
    assert spec_of(name).maker.agent == "scripted"
    assert spec_of(name).maker.model == script_of(name).model


@pytest.mark.parametrize("name", sorted(ANNOUNCED))
def test_a_loop_ends_as_announced(name, played):
    before, end, _ = played(name)
    assert not all(one.passed for one in before)
    assert all(one.outcome in ("passed", "failed") for one in [*before, *end.verdicts])
    assert (end.reason, end.iterations) == (ANNOUNCED[name]["reason"], ANNOUNCED[name]["iterations"])
    assert all(one.passed for one in end.verdicts) == (end.reason == "done")
    limits = spec_of(name).exit
    assert limits.max_cost is not None
    assert 0.01 < dollars(end.cost) <= dollars(limits.max_cost)
    assert (end.iterations == limits.max_iterations) == (end.reason == "max_iterations")


def test_findings_choose_what_is_played(played):
    _, end, _ = played("docs-links")
    assert [turn.text for turn in script_of("docs-links").turns if turn.text not in end.played] == ["The fees need another target."]


def test_the_stuck_maker_changes_nothing(played):
    _, end, checkout = played("stuck")
    assert end.written == {"shed/booking.py"}
    assert git(checkout, "diff", "HEAD", "--stat") == ""


def test_the_capped_loop_gets_better_each_time(played):
    assert played("never-enough")[1].scores == [0.2, 0.4, 0.6]


def test_the_triage_writes_its_report_and_nothing_else(played):
    assert spec_of("ci-triage").level == "report"
    assert played("ci-triage")[1].written == {".loop/REPORT.md"}


def test_only_the_announced_command_needs_a_person():
    asking = []
    for name in ANNOUNCED:
        spec = spec_of(name)
        policy = Policy(spec.gates.allow, spec.gates.ask, spec.gates.deny, spec.workspace.protect, level=spec.level)
        for call in (call for turn in script_of(name).turns for call in turn.calls):
            ruling = judge(policy, call.tool, call.arguments)
            assert ruling.verdict != "deny", ruling
            if ruling.verdict == "ask":
                asking.append((name, call))
    assert [name for name, _ in asking] == ["release-notes"]
    answer = judge(Policy(tuple(DEMO["approve"])), asking[0][1].tool, asking[0][1].arguments)
    assert (answer.verdict, answer.rule) == ("allow", "bash(python3 tools/stamp.py *)")


def test_the_maker_runs_the_tests_before_and_after_the_second_fix(played):
    assert played("fix-tests")[1].commands == ["python3 -B -m unittest tests.test_money tests.test_loans"] * 2


def test_the_demo_waits_little():
    assert sum(turn.delay_s for name in ANNOUNCED for turn in script_of(name).turns) < 4
    assert max(sum(turn.delay_s for turn in script_of(name).turns) for name in ANNOUNCED) < 0.8


def test_the_project_needs_only_the_standard_library():
    used = set()
    for file in WORKSHOP.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    used |= {alias.name.split(".")[0] for alias in names}
                case ast.ImportFrom(module=str(module)):
                    used.add(module.split(".")[0])
    assert used - {"shed"} <= sys.stdlib_module_names


def test_the_whole_suite_of_the_project_fails_at_first(tmp_path):
    run = ["python3", "-B", "-m", "unittest"]
    done = subprocess.run(run, cwd=copied(tmp_path / "workshop"), env=ENVIRONMENT, capture_output=True, check=False)
    assert b"FAILED (failures=14)" in done.stderr
