"""`retry`: a new run that goes on from an iteration of another, with its work, its state, what was open, and a purse of its own."""

import hashlib
from pathlib import Path

import pytest

from loopdeck.store.blobs import Blobs
from tests.cli.loops import loop, turn, write
from tests.kit.front import opened
from tests.kit.repos import commit_files, git


def steps():
    """A loop of three rounds: the first two are found wanting, each remembers its number in the state."""
    rounds = [
        [
            turn(
                f"Round {n}.", write("a.txt", f"{n}\n"), ("update_state", {"content": f"# State\n\nround {n} is done\n"}), iteration=n
            ),
            turn("Done."),
        ]
        for n in (1, 2, 3)
    ]
    return loop("steps", [one for each in rounds for one in each], checks=[{"name": "three", "run": "grep 3 a.txt"}])


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A front door, and the run that all retries here go on from."""
    with opened(tmp_path_factory.mktemp("retry"), {"README.md": "# A project\n", **steps()}) as door:
        assert door.run("start", "steps", "--wait").code == 0
        yield door, door.entry("steps")["run"]


def test_it_goes_on_from_that_iteration(played, inside):
    door, first = played
    before = inside(door, "show", first, "--json").json
    state = inside(door, "state", "steps", "--json").json
    commit_files(door.repo, {"later.txt": "x\n"}, "meanwhile")
    # What the loop file says now counts from the next start, not from here.
    loop_file = door.repo / ".loopdeck/loops/steps/loop.toml"
    loop_file.write_text(loop_file.read_text("utf-8").replace("max_iterations = 3", "max_iterations = 7"), encoding="utf-8")

    said = door.ok("retry", first, "--from", "1", "--json").json["started"][0]
    assert said["origin"] == {"run": first, "iteration": 1}
    door.until_ended("steps")
    again = inside(door, "show", said["run"], "--json").json
    assert again["run"] != first
    assert again["origin"] == {"run": first, "iteration": 1}
    assert (again["reason"], again["spec_hash"], again["max_iterations"]) == ("done", before["spec_hash"], 3)
    # Its first commit sits on that of iteration 1; what it changed is told against the base that both have.
    commits = git(door.repo, "log", "--format=%H", f"{before['base']}..{again['branch']}").split()
    assert before["iterations"][0]["commit"] in commits
    assert before["iterations"][1]["commit"] not in commits
    assert again["base"] == before["base"]
    assert [one["path"] for one in inside(door, "diff", said["run"], "--json").json["files"]] == ["a.txt"]
    # Its own spending, with the origin named in the report.
    assert again["usage"]["input"] == sum(one["usage"]["input"] for one in again["iterations"])
    assert f"goes on from iteration 1 of {first}" in Path(again["report"]).read_text("utf-8")
    assert f"{first}, from iteration 1" in inside(door, "show", said["run"]).out
    # The other run is as it was.
    assert inside(door, "show", first, "--json").json == before

    versions = inside(door, "state", "steps", "--history", "--json").json["versions"]
    mine = next(one for one in versions if one["note"] == f"retry-{first}-i1")
    assert mine["author"] == "operator"
    assert "round 1 is done" in Path(mine["path"]).read_text("utf-8")
    earlier = [Path(one["path"]).read_bytes() for one in versions if one["number"] < mine["number"]]
    assert state["hash"] in [hashlib.sha256(text).hexdigest() for text in earlier]


def test_the_first_instruction_is_what_was_open_then(played, inside):
    door, first = played
    said = door.ok("retry", first, "--from", "2", "--wait", "--json").json["loops"][0]
    prompts = [one for one in inside(door, "trace", said["run"], "--kind", "prompt_sent", "--json").lines if one["iteration"] == 1]
    blobs = Blobs(Path(said["dir"]) / "blobs")
    texts = {part["name"]: blobs.get(part["blob"]).decode() for part in prompts[0]["parts"]}
    assert "three" in texts["findings"]
    assert "Iteration 1 of at most 3" in texts["iteration"]
    assert "Mend it." in texts["iteration"]
    assert "round 2 is done" in texts["state"]


@pytest.mark.parametrize("number", ["0", "9", "-1"])
def test_an_iteration_that_is_not_there_is_named(played, inside, number):
    door, first = played
    said = inside(door, "retry", first, "--from", number)
    assert said.code == 2
    assert f"no iteration {number}" in said.err
    assert "There is 1, 2, 3." in said.err


def two_rounds(seconds):
    """A loop whose second round takes its time."""
    rounds = [turn("w", write("a.txt", "1\n")), turn("d"), turn("w", write("a.txt", "2\n"), iteration=2, delay_s=seconds), turn("d")]
    return loop("slow", rounds, checks=[{"run": "grep -q 2 a.txt"}])


def in_round_two(door):
    door.ok("start", "slow")
    while door.entry("slow")["iteration"] < 2:
        door.until("slow", "running")
    return door.entry("slow")["run"]


def test_a_run_at_work_is_refused(front, inside):
    door = front(two_rounds(30))
    run = in_round_two(door)
    before = inside(door, "state", "slow", "--json").json
    said = inside(door, "retry", run, "--from", "1")
    assert said.code == 2
    assert "still going on" in said.err
    assert f"loopdeck pause {run}" in said.err
    assert [one["run"] for one in inside(door, "status", "--json").json["loops"]] == [run]
    assert inside(door, "state", "slow", "--json").json == before
    assert inside(door, "kill", run, "--now").code == 0
    said = inside(door, "retry", run, "--from", "2")
    assert (said.code, "not finished" in said.err) == (2, True)
    door.ok("retry", run, "--from", "1")
    assert door.until("slow", "running")["run"] != run


def test_a_pause_is_enough(front, inside):
    door = front(two_rounds(1))
    run = in_round_two(door)
    door.ok("pause", run)
    assert door.until("slow", "paused")["run"] == run
    new = door.ok("retry", run, "--from", "1", "--wait", "--json").json["loops"][0]
    assert (new["reason"], new["run"] != run) == ("done", True)
    statuses = {one["run"]: one["status"] for one in inside(door, "status", "--json").json["loops"]}
    assert statuses == {run: "paused", new["run"]: "ended"}
