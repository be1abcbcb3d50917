"""Escape detection: what changes outside of a run's worktree while it runs is told, with evidence or without a culprit."""

import os

import pytest

from loopdeck.core import trace as tr
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat
from tests.kit.repos import commit_files
from tests.kit.walled import walled

OPEN = {"allow": ["bash"]}


def notes(door: Seat, name: str) -> list[str]:
    """What the looks came to."""
    return [one.text for one in door.trace(name) if isinstance(one, tr.Noted) and "checkout" in one.text]


def outside(door: Seat, name: str) -> list[str]:
    """The notices about it."""
    return [one for one in door.folded(name).notices if "changed" in one]


def escaping(command: str) -> dict[str, str]:
    """A maker that runs the command in its first iteration, and is good in its second."""
    turns = [
        turn("out", ("bash", {"command": command}), write("a.txt", "a"), iteration=1), turn("d"),
        turn("good", ("bash", {"command": "true"}), iteration=2), turn("d"),
    ]  # fmt: skip
    return loop("out", turns, gates=OPEN)


@pytest.mark.usefixtures("without_walls")
@pytest.mark.parametrize("where", ["README.md", "new.txt", "src/deep/new.txt", ".git/hooks/post-commit", ".git/config"])
@pytest.mark.pain(20)
def test_a_maker_that_writes_to_the_operators_checkout_is_told_and_not_done(front, where):
    door: Seat = front({})
    path = door.repo / where
    files = escaping(f"mkdir -p {path.parent} && echo out >> {path}")
    commit_files(door.repo, {"README.md": "# A project\n", "src/one.py": "1\n", **files})
    run = door.done("out")
    assert run.iteration == 2
    first, second = run.iterations
    # A folder that is not tracked stands for what is in it.
    shown = "src/deep" if "deep" in where else where
    named = first.outside[0]
    assert (named, first.passed, second.passed, second.outside) == (shown, False, True, ())
    assert first.outcomes == {"fine": "passed"}
    [told] = outside(door, "out")
    assert f"changed while iteration 1 ran: {shown}" in told
    assert "is named in its call" in told
    assert "without a sandbox it can't be told by whom" in told
    told_maker = [one for sent in door.prompts("out", 2) for one in sent.values() if "a call of yours names it" in one]
    assert any(shown in one and "blocker" in one for one in told_maker), told_maker
    assert any("did not change" in one for one in notes(door, "out"))


@pytest.mark.usefixtures("without_walls")
@pytest.mark.parametrize("how", ["edit", "edit again", "new file", "commit", "delete", "with its time put back"])
def test_what_the_operator_does_meanwhile_is_told_and_blamed_on_nobody(front, how):
    turns = [turn("work", ("bash", {"command": "touch a.txt; until test -f go.txt; do sleep 0.02; done"})), turn("d")]
    door: Seat = front({"README.md": "# A project\n", **loop("calm", turns, gates=OPEN)})
    readme = door.repo / "README.md"
    if how == "edit again":
        readme.write_text("dirty before\n")
    door.ok("start", "calm")
    door.wait("calm", lambda one: one.run.worktree != "" and (door.worktree("calm") / "a.txt").exists())
    match how:
        case "edit" | "edit again":
            readme.write_text("mine\n")
        case "new file":
            (door.repo / "mine.txt").write_text("mine\n")
        case "commit":
            commit_files(door.repo, {"mine.txt": "mine\n"})
        case "delete":
            readme.unlink()
        case _:
            before = readme.stat()
            readme.write_text("# A projecT\n")

            os.utime(readme, ns=(before.st_atime_ns, before.st_mtime_ns))
    (door.worktree("calm") / "go.txt").write_text("go")
    assert door.until_ended("calm")["reason"] == "done"
    run = door.folded("calm")
    [told] = outside(door, "calm")
    changed = {"new file": "mine.txt", "commit": "HEAD (main"}.get(how, "README.md")
    assert f"your checkout changed while iteration 1 ran: {changed}" in told
    assert "call" not in told
    assert (run.iterations[0].outside, run.findings) == ((), ())


@pytest.mark.usefixtures("without_walls")
def test_what_git_ignores_or_only_reads_is_no_change(front):
    command = "touch a.txt; git -C REPO status >/dev/null; cat REPO/README.md; mkdir -p REPO/build; echo x > REPO/build/x"
    door: Seat = front({"README.md": "# A project\n", ".gitignore": "build/\n"})
    commit_files(
        door.repo, loop("calm", [turn("w", ("bash", {"command": command.replace("REPO", str(door.repo))})), turn("d")], gates=OPEN)
    )
    run = door.done("calm")
    assert (run.notices and outside(door, "calm"), run.iterations[0].outside) == ([], ())
    assert ["did not change" in one for one in notes(door, "calm")] == [True]


@pytest.mark.usefixtures("without_walls")
def test_what_somebody_writes_into_a_worktree_between_iterations_is_told(front):
    asks = ("bash", {"command": "true"})
    turns = [turn("w", asks, iteration=1), turn("d"), turn("w", asks, iteration=2), turn("d")]
    door: Seat = front(loop("held", turns, checks=[{"name": "b", "run": "test -f b.txt"}], gates={"ask": ["bash"]}))
    door.ok("start", "held")
    door.until("held", "asking")
    door.ok("hold", "held")
    door.allow("held")
    door.until("held", "paused")
    (door.worktree("held") / "b.txt").write_text("a sibling's\n")
    door.ok("resume", "held")
    door.until("held", "asking")
    door.allow("held")
    door.until_ended("held")
    [told] = [one for one in door.folded("held").notices if "its worktree changed" in one]
    assert told.endswith("b.txt")
    assert "before iteration 2, while nobody of this run was at work" in told


@walled
def test_in_a_sandbox_a_change_is_the_operators_and_no_news(front):
    turns = [turn("work", ("bash", {"command": "touch a.txt; until test -f go.txt; do sleep 0.02; done"})), turn("d")]
    door: Seat = front({"README.md": "# A project\n", **loop("calm", turns)})
    door.ok("start", "calm")
    door.wait("calm", lambda one: one.run.worktree != "" and (door.worktree("calm") / "a.txt").exists())
    (door.repo / "README.md").write_text("mine\n")
    (door.worktree("calm") / "go.txt").write_text("go")
    assert door.until_ended("calm")["reason"] == "done"
    assert outside(door, "calm") == []
    assert ["README.md; a sandbox kept this run out of it" in one for one in notes(door, "calm")] == [True]
