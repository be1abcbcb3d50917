"""`show` and `trace`: how a run stands, for people and as JSON; damage is named and never a traceback."""

from pathlib import Path

import pytest

from tests.cli.loops import fixer, loop, turn, waiting, write
from tests.kit.front import opened

CHECK = "test -f answer.txt || { echo 'src/app.py:3: error: no answer  [missing]'; exit 1; }"


def failing():
    """Two iterations that leave the same finding, and a rule of another check that passes."""
    turns = [turn("Trying.", write("try.txt", "1\n")), turn("So."), turn("Again.", write("try.txt", "2\n"), iteration=2), turn("So.")]
    checks = [{"name": "answered", "run": CHECK}, {"name": "tried", "run": "test -f try.txt"}]
    return loop(
        "failing", turns, checks=checks, end={"max_iterations": 2, "max_tokens": 100_000, "max_wall": "5m", "max_tool_calls": 9}
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A deck with a run that failed twice and one that is done."""
    files = {"README.md": "# A project\n", "src/app.py": "one\ntwo\nthree\nfour\n", **failing(), **fixer()}
    with opened(tmp_path_factory.mktemp("show"), files) as door:
        assert door.run("start", "failing", "fixer", "--wait").code == 10
        yield door


def test_the_text_answers_who_what_and_how_much(played):
    said = played.ok("show", "failing").out
    entry = played.entry("failing")
    assert said.splitlines()[0].startswith(f"failing {entry['run']}  ended: max_iterations")
    for wanted in (
        entry["branch"], entry["worktree"], entry["dir"], f"{entry['dir']}/REPORT.md", "2 of 2", "of $1.00", "of 100,000", "of 300 s",
        "of 9", "Iterations", "Open findings: 1", "src/app.py:3", "repeated x2", "Verdicts", "exit code 1", "no answer",
    ):  # fmt: skip
        assert wanted in said, wanted


def test_the_document_is_that_of_status_and_more(played):
    shown, entry = played.ok("show", "failing", "--json").json, played.entry("failing")
    assert {key: shown[key] for key in entry} == entry
    assert [one["number"] for one in shown["iterations"]] == [1, 2]
    first = shown["iterations"][0]
    assert (first["files"], first["added"], first["maker"], first["score"]) == (1, 1, "ended", 0.5)
    assert first["outcomes"] == {"answered": "failed", "tried": "passed"}
    assert sum(one["cost_usd"] for one in shown["iterations"]) == pytest.approx(entry["usage"]["cost_usd"])
    assert (first["cache_hit_share"], first["checker_share"]) == (0.0, 0.0)
    [finding] = shown["findings"]
    assert (finding["check"], finding["path"], finding["line"], finding["status"]) == ("answered", "src/app.py", 3, "repeated x2")
    verdict = next(one for one in shown["verdicts"] if one["check"] == "answered")
    assert verdict["findings"] == [finding["id"]]
    assert (verdict["evidence"]["command"], verdict["evidence"]["exit_code"]) == (CHECK, 1)
    assert len(verdict["evidence"]["output_hash"]) == 64
    assert len(shown["spec_hash"]) == len(shown["exit_hash"]) == 64
    assert (shown["changed"], shown["damage"], shown["commands"], shown["approvals"]) == (False, None, [], [])
    assert shown["report"] == f"{entry['dir']}/REPORT.md"


def test_the_evidence_is_the_output_that_is_kept(played):
    shown = played.ok("show", "failing", "--json").json
    proof = next(one["evidence"] for one in shown["verdicts"] if one["check"] == "answered")
    kept = Path(shown["dir"], "blobs", proof["output_hash"]).read_bytes()
    assert b"no answer" in kept
    assert proof["tail"].strip() == kept.decode().strip()


def test_a_run_is_named_by_id_prefix_or_loop(played):
    run = played.entry("fixer")["run"]
    other = played.entry("failing")["run"]
    common = next(n for n in range(len(run)) if run[n] != other[n])
    for reference in (run, run[: common + 1], "fixer"):
        assert played.ok("show", reference, "--json").json["run"] == run
    both = played.run("show", run[:common])
    assert both.code == 2
    assert run in both.err
    assert other in both.err
    assert played.run("show", "").code == 2
    assert played.run("show", "nothing").code == 2


def test_a_loop_that_never_ran_says_how_to_start_it(front, inside):
    door = front(fixer())
    said = inside(door, "show", "fixer")
    assert (said.code, "loopdeck start fixer" in said.err) == (2, True)


def test_the_trace_is_everything_in_order(played):
    said = played.ok("trace", "fixer", "--json").lines
    kinds = [one["kind"] for one in said]
    assert [one["seq"] for one in said] == list(range(len(said)))
    assert [kind for kind in kinds if kind in ("prompt_sent", "model_replied", "tool_called", "tool_returned")] == [
        "prompt_sent", "model_replied", "tool_called", "tool_returned", "prompt_sent", "model_replied",
    ]  # fmt: skip
    only = played.ok("trace", "fixer", "--kind", "check_ran", "--json").lines
    assert [one["check"] for one in only] == ["answered"]
    assert {one["iteration"] for one in played.ok("trace", "failing", "--iteration", "2", "--json").lines} == {2}
    wrong = played.run("trace", "fixer", "--kind", "check_run")
    assert (wrong.code, wrong.out, "`check_ran`" in wrong.err) == (2, "", True)
    assert "tool_called" in played.run("trace", "fixer", "--kind", "x").err
    people = played.ok("trace", "fixer").out
    assert len(people.splitlines()) == len(said) + 2
    assert "write_file" in people


@pytest.mark.req("S1-13")
def test_between_the_lines_of_a_trace_stands_what_people_did(played):
    lines = [line.split() for line in played.ok("trace", "fixer").out.splitlines()]
    assert [lines[0][2], lines[-1][2], lines[-1][3]] == ["start", "end", "done:"]
    assert [line[0] for line in lines] == sorted(line[0] for line in lines)
    assert played.ok("trace", "fixer", "--kind", "end").out.count("\n") == 1


def test_following_ends_with_the_run(front):
    door = front(loop("slow", [turn("One.", write("a", "1"), delay_s=0.6), turn("Two.")]))
    door.ok("start", "slow")
    said = door.ok("trace", "slow", "--follow", "--json").lines
    assert said[-1]["kind"] in ("state_written", "committed", "check_ran")
    assert [one["seq"] for one in said] == list(range(len(said)))
    assert door.entry("slow")["status"] == "ended"


def test_a_live_run_says_what_changes_and_what_waits(front):
    door = front(waiting())
    door.ok("start", "waiting")
    door.at_work("waiting")
    door.ok("nudge", "waiting", "look at the third file")
    door.ok("set", "waiting", "max_iterations", "8")
    file = door.repo / ".loopdeck/loops/waiting/loop.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("The goal", "Another goal"), encoding="utf-8")
    said = door.ok("show", "waiting").out
    assert "look at the third file" in said
    assert "of 8" in said
    assert "applies to the next run" in said
    shown = door.ok("show", "waiting", "--json").json
    assert (shown["changed"], shown["report"], shown["max_iterations"]) == (True, None, 8)
    assert len(shown["commands"]) == 2


DAMAGE = {
    "flipped": lambda lines: [*lines[:5], lines[5].replace(b'"seq":', b'"sEq":'), *lines[6:]],
    "cut out": lambda lines: [*lines[:5], *lines[6:]],
    "garbage": lambda lines: [*lines[:5], b"\x00\xff\x1b[31m not json\n", *lines[5:]],
    "torn": lambda lines: [*lines[:-1], lines[-1][:40]],
    "empty": lambda _: [],
}


def test_a_damaged_journal_is_named_by_every_verb_that_reads_it(front, inside):
    door = front(fixer())
    door.ok("start", "fixer", "--wait")
    entry = door.entry("fixer")
    run, folder = entry["run"], Path(entry["dir"])
    whole = (folder / "journal.jsonl").read_bytes()
    (folder / "checkpoint.json").unlink()
    for how, damaged in DAMAGE.items():
        (folder / "journal.jsonl").write_bytes(b"".join(damaged(whole.splitlines(keepends=True))))
        grave = how not in ("torn", "empty")
        assert bool(inside(door, "show", run, "--json").json["damage"]) == grave, how
        for args in (["status"], ["show", run], ["trace", run], ["diff", run], ["merge", run], ["clean"], ["approvals"], ["where"]):
            said = inside(door, *args)
            assert said.code in (0, 2), (how, args, said)
            assert "\x1b" not in said.out + said.err
        assert inside(door, "status", "--json").json["loops"]
        if grave:
            assert "DAMAGED" in inside(door, "show", run).out
            assert "damaged" in inside(door, "merge", run).err
