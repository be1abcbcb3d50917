"""The gate's desk with things as they are on disk: what a yes is worth at the moment the call would start."""

import json
from collections.abc import Iterator

import pytest
from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core.conversation import ToolUse
from loopdeck.core.happening import CallAsked, Settings
from loopdeck.core.redact import Redactor
from loopdeck.core.run import Approval, Call
from loopdeck.core.spec import Gates
from loopdeck.git.pool import Pool
from loopdeck.git.repository import find
from loopdeck.runner.desk import Desk
from loopdeck.runner.record import Record
from loopdeck.runner.site import Site
from loopdeck.runner.workplace import Workplace
from loopdeck.sandbox.plain import PlainDoor
from loopdeck.store.frozen import Frozen
from loopdeck.store.layout import RunPaths
from loopdeck.store.locks import Mutex
from loopdeck.store.state import LoopState
from tests.core.make import check, loop
from tests.kit.repos import make_repo

USE = ToolUse("t1", "bash", json.dumps({"command": "sh deploy.sh"}))


class Seat:
    """A desk in the middle of an iteration whose maker has asked for a call."""

    def __init__(self, base, gates: Gates) -> None:
        repo = make_repo(base / "repo", {"a": "a"})
        self.tree = base / "tree"
        self.tree.mkdir()
        (self.tree / "deploy.sh").write_text("echo fine\n")
        spec = structs.replace(loop(check()), gates=gates)
        frozen = Frozen(loop="fix", run="r1", root=str(repo), common_dir="", created="", spec=spec, files={"template": ""})
        paths = RunPaths(base / "runs" / "fix" / "r1")
        paths.dir.mkdir(parents=True, mode=0o700)
        self.record = Record(paths, 1, Redactor())
        door = PlainDoor("r1")
        self.env = {"PATH": "/usr/bin:/bin", "STAGE": "test"}
        pool = Pool(base / "pool", Mutex(base / "lock").held)
        workplace = Workplace(find(repo), spec, self.tree, pool, door, self.env)
        self.desk = Desk(Site(frozen, self.record, workplace, LoopState(base / "state"), door, self.env))
        for event in (
            ev.RunQueued("fix", "r1", Settings(4), "s", "e", "h"), ev.RunnerStarted(1, 1), ev.RunStarted(),
            ev.WorkspacePrepared(str(self.tree), "b", "c" * 40), ev.IterationStarted(1, "s"),
            ev.ModelCallReserved("m1", "maker", "m", 1, 1),
            ev.ModelCallSettled("m1", stop="tools", asked=(CallAsked("t1", "bash"),)),
        ):  # fmt: skip
            self.record.happened(event)

    @property
    def call(self) -> Call:
        return self.record.run.call("t1")

    @property
    def question(self) -> Approval:
        return self.record.run.approvals[self.call.approval]

    def asked_and_allowed(self, **more) -> None:
        """The question, and a yes to it."""
        self.desk.ask(USE, self.desk.ruling(USE))
        answer = ev.ApprovalDecided(self.question.id, True, "her", at=self.record.now(), **more)
        self.record.happened(answer)

    def granted(self) -> None:
        """Up to the moment before it starts."""
        self.asked_and_allowed()
        yes = self.desk.approved(self.call, USE)
        assert yes.again is None
        self.desk.grant(yes.use, yes.rule, yes.approval)


@pytest.fixture
def seat(tmp_path) -> Iterator[Seat]:
    made = Seat(tmp_path, Gates())
    yield made
    made.record.close()


def test_nothing_changed_starts(seat):
    seat.granted()
    assert seat.desk.changed(seat.call, USE) is None
    assert seat.record.run.tool_calls == 1


@pytest.mark.parametrize("change", ["script", "environment", "folder", "time", "another desk"])
def test_what_changes_between_grant_and_start_is_asked_for_again(seat, change):
    seat.granted()
    match change:
        case "script":
            (seat.tree / "deploy.sh").write_text("echo sly\n")
            said = "deploy.sh changed"
        case "environment":
            seat.env["STAGE"] = "production"
            said = "its environment changed"
        case "folder":
            seat.tree.rename(f"{seat.tree}.old")
            seat.tree.mkdir()
            said = "the folder it runs in is another one; deploy.sh is gone"
        case "time":
            seat.question.at = "2026-01-01T00:00:00Z"
            said = "longer than 10 minutes ago"
        case _:
            # What was measured at the grant is gone; then the question itself is what counts.
            seat.desk._granted.clear()
            (seat.tree / "deploy.sh").write_text("echo sly\n")
            said = "deploy.sh changed"
    again = seat.desk.changed(seat.call, USE)
    assert again is not None
    assert said in again.reason
    first = seat.question.digest
    seat.desk.ask(USE, again)
    run = seat.record.run
    assert (run.status, run.asking_for, run.tool_calls, run.spend.tool_calls) == ("asking", "r1-2", 0, 0)
    assert seat.question.digest != first


def test_a_yes_and_its_question_are_used_once(seat):
    seat.granted()
    seat.record.happened(ev.ToolCallFinished("t1", "bash"))
    assert seat.call.status == "finished"
    assert [one.id for one in seat.record.run.pending_approvals] == []


def test_edited_arguments_stand_on_the_files_that_they_name(seat):
    (seat.tree / "other.sh").write_text("echo other\n")
    edited = json.dumps({"command": "sh other.sh"})
    bound = seat.desk._gating.files("bash", edited)
    assert [name for name, _ in bound] == ["file other.sh"]
    seat.asked_and_allowed(arguments=edited, bound=bound)
    yes = seat.desk.approved(seat.call, USE)
    assert (yes.again, yes.use.arguments) == (None, edited)
    (seat.tree / "other.sh").write_text("echo sly\n")
    again = seat.desk.approved(seat.call, USE).again
    assert again is not None
    assert "other.sh changed" in again.reason


def test_edited_into_what_a_rule_denies_it_is_refused(tmp_path):
    seat = Seat(tmp_path, Gates(deny=("bash(rm)",)))
    seat.asked_and_allowed(arguments=json.dumps({"command": "rm -rf x"}))
    yes = seat.desk.approved(seat.call, USE, lambda use: "")
    assert (yes.refused, yes.again is None) == ("as edited, the rule bash(rm) denies it", True)
    seat.record.close()


def test_a_call_that_a_rule_let_through_is_not_measured(tmp_path):
    seat = Seat(tmp_path, Gates(allow=("bash(sh deploy.sh)",)))
    ruling = seat.desk.ruling(USE)
    assert (ruling.verdict, ruling.rule) == ("allow", "bash(sh deploy.sh)")
    seat.desk.grant(USE, ruling.rule)
    (seat.tree / "deploy.sh").write_text("echo other\n")
    assert seat.desk.changed(seat.call, USE) is None
    seat.record.close()


def test_the_question_says_how_long_it_stands_and_what_it_is_bound_to(seat):
    seat.desk.ask(USE, seat.desk.ruling(USE))
    names = {name for name, _ in seat.question.bound}
    assert {"tool", "arguments", "argv", "program", "folder", "environment", "sandbox", "policy", "file deploy.sh"} == names
    assert seat.question.since < seat.question.expires
    assert len(seat.question.digest) == 64
