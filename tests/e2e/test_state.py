"""The state file: what a loop remembers, read before and written after every iteration, and nobody's edit of it lost."""

import hashlib
import itertools
import json
from pathlib import Path

import pytest

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.memory import BEGIN, MOST, without_block
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat
from tests.kit.repos import git

NEVER = [{"name": "never", "run": "test -f never"}]
INITIAL = "# What we know\n\n## Open\n\n- [ ] one\n- [ ] two\n\n## Done\n\n- zero\n\n## Learned\n\n- the sea is wet\n"
ONCE = {"max_iterations": 1}
MET = {
    "criteria": [{"id": "short", "outcome": "passed", "reason": "", "path": "", "line": 0}],
    "result": "satisfied",
    "explanation": "",
}
GRADED = {"name": "read", "rubric": "RUBRIC.md", "script": "judge.toml"}


def remembering(turns, **more):
    """A loop with a state to start from."""
    return loop("mind", turns, **more) | {".loopdeck/loops/mind/STATE.initial.md": INITIAL}


def edits(old, new):
    """A call that changes a place in the maker's copy of the state."""
    return ("edit_file", {"path": ".loop/STATE.md", "old": old, "new": new})


def ticking(iteration=1, old="- [ ] one", new="- [x] one", delay_s=0.0):
    """An iteration that changes a place of the state, and takes its time before it ends."""
    return [turn("Ticking.", edits(old, new), iteration=iteration), turn("Done.", delay_s=delay_s)]


def slow():
    """A loop whose maker has ticked off one, and is still at work."""
    return remembering(ticking(delay_s=0.7), checks=NEVER, end=ONCE)


def ticked(front):
    """A seat before such a loop at work."""
    door: Seat = front(slow())
    door.ok("start", "mind")
    door.wait("mind", lambda one: one.run.tool_calls == 1 and "[x] one" in (door.worktree("mind") / ".loop/STATE.md").read_text())
    return door


def state(door):
    """Its STATE.md."""
    return door.deck.home.state_dir("mind") / "STATE.md"


def by_hand(door, old, new):
    """The operator changes a place in the state, with whatever editor."""
    text = state(door).read_text(encoding="utf-8")
    assert old in text
    state(door).write_text(text.replace(old, new), encoding="utf-8")


def versions(door):
    """Its versions as the verb tells them, oldest first."""
    return door.ok("state", "mind", "--history", "--json").json["versions"]


def texts(door, author):
    """The texts of the versions of one author."""
    return [Path(one["path"]).read_text(encoding="utf-8") for one in versions(door) if one["author"] == author]


@pytest.mark.req("S0-07", "S0-19")
def test_it_is_read_before_and_written_after_every_iteration_the_same_for_maker_and_grader(front):
    judge = loop("x", [turn(json.dumps(MET), iteration=2)])[".loopdeck/loops/x/play.toml"]
    checks = [{"name": "there", "run": "test -f there"}, GRADED]
    turns = [*ticking(), turn("w", write("there", "x"), edits("- [ ] two", "- [x] two"), iteration=2), turn("Done.")]
    files = {".loopdeck/loops/mind/judge.toml": judge, ".loopdeck/loops/mind/RUBRIC.md": "- short\n"}
    door: Seat = front(remembering(turns, checks=checks), files)
    door.done("mind")
    trace = door.trace("mind")
    for number in (1, 2):
        own = [one for one in trace if getattr(one, "iteration", 0) == number]
        kinds = [type(one) for one in own]
        first, last = kinds.index(tr.StateRead), len(kinds) - 1 - kinds[::-1].index(tr.StateWritten)
        sent = [index for index, kind in enumerate(kinds) if kind is tr.PromptSent]
        assert first < sent[0]
        assert last > max(index for index, kind in enumerate(kinds) if kind is tr.CheckRan)
    reads = {(one.iteration, one.role): one.hash for one in trace if isinstance(one, tr.StateRead)}
    assert set(reads) == {(1, "maker"), (2, "maker"), (2, "check")}
    assert reads[2, "maker"] == reads[2, "check"]
    written = [one.hash for one in trace if isinstance(one, tr.StateWritten)]
    shelf = {hashlib.sha256(Path(one["path"]).read_bytes()).hexdigest() for one in versions(door)}
    assert {*reads.values(), *written} <= shelf
    assert written[-2:][0] != reads[2, "maker"]
    kept = door.blob("mind", reads[2, "maker"]).rstrip()
    assert kept in door.prompts("mind", 2)[0]["state"]
    [graded] = door.prompts("mind", 2, "check")
    assert without_block(kept).strip() in "\n".join(graded.values())


@pytest.mark.req("S0-19", "S2-095")
def test_it_starts_from_its_file_and_each_change_has_its_author(front):
    door: Seat = front(remembering(ticking(), checks=NEVER, end=ONCE))
    assert door.ok("state", "mind").out.strip() == INITIAL.strip()
    door.ended("mind", 10)
    text = state(door).read_text(encoding="utf-8")
    assert without_block(text) == INITIAL.replace("[ ] one", "[x] one")
    assert "- [ ] never: failed" in text
    state(door).write_text(text.replace("is wet", "is dry"), encoding="utf-8")
    door.ended("mind", 10)
    seen = [(one["author"], one["note"].rpartition("-")[2]) for one in versions(door)]
    assert [author for author, _ in seen[:4]] == ["operator", "maker", "check", "check"]
    assert seen[0] == ("operator", "initial")
    assert ("operator", "hand") in seen
    told = door.ok("state", "mind", "--history").out
    assert all(author in told for author in ("maker", "check", "operator"))


def test_edits_of_maker_and_operator_in_different_places_are_both_kept(front):
    door = ticked(front)
    by_hand(door, "the sea is wet", "the sea is salty")
    door.until_ended("mind")
    text = state(door).read_text(encoding="utf-8")
    assert ("- [x] one" in text, "the sea is salty" in text, "wet" in text) == (True, True, False)
    assert any("salty" in one for one in texts(door, "operator"))


def test_an_edit_while_the_checks_run_is_kept(front):
    door: Seat = front(remembering(ticking(), checks=[{"run": "sleep 0.8; false"}], end=ONCE))
    door.ok("start", "mind")
    door.wait("mind", lambda one: one.run.phase == "checks" and one.run.committed)
    by_hand(door, "the sea is wet", "the sea is salty")
    door.until_ended("mind")
    assert without_block(state(door).read_text()) == INITIAL.replace("[ ] one", "[x] one").replace("wet", "salty")


def test_an_edit_of_what_the_checks_wrote_is_nobodys_clash(front):
    turns = [*ticking(), *ticking(2, "- [ ] two", "- [x] two", 1.2)]
    door: Seat = front(remembering(turns, checks=NEVER, end={"max_iterations": 2, "no_progress": False}))
    door.ok("start", "mind")
    door.wait("mind", lambda one: one.run.iteration == 2 and one.run.tool_calls == 1)
    by_hand(door, "never: failed", "never: was never any good")
    assert door.until_ended("mind")["reason"] == "max_iterations"
    text = state(door).read_text(encoding="utf-8")
    assert ("- [x] two" in text, "any good" in text, text.count(BEGIN)) == (True, False, 1)


@pytest.mark.parametrize("choice", ["theirs", "maker's", "both"])
def test_a_clash_keeps_both_and_the_run_waits_for_what_the_person_makes_of_it(front, choice):
    door = ticked(front)
    by_hand(door, "- [ ] one", "- [ ] one, after lunch")
    entry = door.until("mind", "asking")
    assert "state" in entry["why"]
    assert any("- [ ] one, after lunch" in one for one in texts(door, "operator"))
    assert any("- [x] one\n" in one for one in texts(door, "maker"))
    assert [one["author"] for one in versions(door) if one["kept"]] == ["maker"]
    assert "[ ] one, after lunch" in state(door).read_text()
    if choice != "theirs":
        new = "- [x] one" if choice == "maker's" else "- [x] one, before lunch"
        by_hand(door, "- [ ] one, after lunch", new)
    wanted = without_block(state(door).read_text())
    door.ok("resume", "mind")
    assert door.until_ended("mind")["reason"] == "max_iterations"
    assert without_block(state(door).read_text()) == wanted
    [settled] = [one for one in door.events("mind") if isinstance(one, ev.StateSettled)]
    assert settled.by


def test_a_clash_outlives_its_runner(front):
    door = ticked(front)
    by_hand(door, "- [ ] one", "- [ ] one, after lunch")
    door.until("mind", "asking")
    door.slay("mind")
    door.ok("resume", "mind")
    if door.wait("mind", lambda one: one.status in ("asking", "ended")).status == "asking":
        door.ok("resume", "mind")
    assert door.until_ended("mind")["reason"] == "max_iterations"
    assert "- [ ] one, after lunch" in state(door).read_text()
    assert any("- [x] one\n" in one for one in texts(door, "maker"))


@pytest.mark.req("S0-20", "X-04")
def test_a_later_run_goes_on_where_the_one_before_left_off(front):
    turns = [
        turn("One is open.", write("one", "1"), edits("- [ ] one", "- [x] one"), when="- [ ] one\n"),
        turn("Two is open.", write("two", "1"), edits("- [ ] two", "- [x] two"), when="- [x] one\n- [ ] two\n"),
        turn("Done."),
    ]
    door: Seat = front(remembering(turns, checks=[{"run": "true"}]))
    first = door.done("mind")
    door.ok("discard", "mind")
    second = door.done("mind")
    assert second.id != first.id
    [said] = {one["state"] for one in door.prompts("mind", 1)}
    assert ("- [x] one" in said, "- [ ] two" in said, "- zero" in said) == (True, True, True)
    assert first.id in said
    assert "- [x] one\n- [x] two\n" in state(door).read_text()
    assert "Two is open." in door.ok("trace", "mind").out
    assert git(door.repo, "show", "--stat", "--format=", second.branch).split()[0] == "two"


def test_what_is_in_the_loop_folder_is_never_committed(front):
    notes = [write(".loop/notes.md", "x"), write(".loop/deep/er.md", "x"), write("kept.txt", "x")]
    add = ("bash", {"command": "git add -f .loop; git add -A; true"})
    door: Seat = front(remembering([turn("w", *notes, add), turn("d")], gates={"allow": ["bash"]}))
    run = door.done("mind")
    assert git(door.repo, "diff", "--name-only", run.base, run.commit).split() == ["kept.txt"]
    assert git(door.repo, "status", "--porcelain") == ""


LARGE = "x" * 79 + "\n"


def much(lines):
    """A state of so many lines of 80 bytes."""
    return INITIAL + LARGE * lines


@pytest.mark.req("S2-084")
@pytest.mark.parametrize(
    "call",
    [("update_state", {"content": much(420)}), write(".loop/STATE.md", much(420)), edits("- zero", much(420))],
    ids=["update_state", "write_file", "edit_file"],
)
def test_a_state_too_large_is_an_error_that_the_maker_sees(front, call):
    door: Seat = front(remembering([turn("w", call), turn("I see.", edits("[ ] one", "[x] one"), when=f"{MOST}"), turn("d")]))
    door.done("mind")
    assert "more than" in door.outputs("mind")[0]
    assert without_block(state(door).read_text()) == INITIAL.replace("[ ] one", "[x] one")


@pytest.mark.req("S2-084")
def test_a_state_made_too_large_by_a_command_is_put_aside_and_the_maker_is_told(front):
    grow = ("bash", {"command": f"head -c {2 * MOST} /dev/zero | tr '\\0' x >> .loop/STATE.md"})
    turns = [turn("w", grow), turn("d"), turn("I see.", write("seen", "x"), iteration=2, when="put aside"), turn("d")]
    door: Seat = front(remembering(turns, checks=[{"run": "test -f seen"}], gates={"allow": ["bash"]}))
    run = door.done("mind")
    assert any("put aside" in one for one in run.notices)
    assert without_block(state(door).read_text()) == INITIAL
    assert [one["author"] for one in versions(door) if one["kept"]] == ["maker"]


def test_a_state_that_the_operator_makes_too_large_is_theirs_to_shorten(front):
    door = ticked(front)
    by_hand(door, "- zero\n", LARGE * 500)
    door.until("mind", "asking")
    assert "more than" in door.says("resume", "mind").err
    assert door.entry("mind")["status"] == "asking"
    by_hand(door, LARGE * 500, "- nought\n")
    door.ok("resume", "mind")
    assert door.until_ended("mind")["reason"] == "max_iterations"
    assert "- nought" in state(door).read_text()


@pytest.mark.req("S2-084")
def test_a_state_as_large_as_it_may_be_leaves_room_for_the_verdict(front):
    full = (INITIAL + LARGE * 500)[:MOST]
    many = [
        {"name": f"check {number} {'n' * 60}", "run": 'for i in $(seq 30); do echo "a.py:$i: E1 no"; done; false'}
        for number in range(9)
    ]
    door: Seat = front(remembering([turn("w", ("update_state", {"content": full})), turn("d")], checks=many, end=ONCE))
    door.ended("mind", 10)
    assert "more than" not in door.outputs("mind")[0]
    assert without_block(state(door).read_text()).strip() == full.strip()
    assert "iteration 1: not passed" in state(door).read_text()


@pytest.mark.req("S2-084", "S2-095", "S2-078")
def test_state_and_instruction_stay_small_over_many_iterations(front):
    noisy = 'for i in 1 2 3 4 5 6; do echo "f.py:$i: E$i it is $(cat f.py)"; done; false'
    rounds = 12
    turns = [
        one
        for number in range(1, rounds + 1)
        for one in (turn("w" * 2000, write("f.py", f"{number}\n" * 50), edits("## Done\n", f"## Done\n- {number}\n"), iteration=number),
                    turn("d" * 2000))
    ]  # fmt: skip
    door: Seat = front(remembering(turns, checks=[{"run": noisy}], end={"max_iterations": rounds, "no_progress": False}))
    door.ended("mind", 10)
    sizes = [
        sum(part.size for part in sent.parts) for sent in door.trace("mind") if isinstance(sent, tr.PromptSent) and sent.messages == 1
    ]
    assert len(sizes) == rounds
    assert max(sizes[2:]) < sizes[2] * 1.3, sizes
    assert all(f"\n- {number}\n" in state(door).read_text() for number in range(1, rounds + 1))
    assert state(door).stat().st_size < 6000
    journal = door.paths("mind").journal.read_bytes()
    numbers = [json.loads(line)["seq"] for line in journal.splitlines() if b'"seq"' in line]
    assert all(after > before for before, after in itertools.pairwise(numbers))
