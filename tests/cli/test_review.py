"""`diff`, `merge` and `discard`: what a run made, seen; on the operator's branch only if the checks pass there; or let go."""

import pytest

from tests.cli.loops import fixer, loop, turn, waiting, write
from tests.kit.front import opened
from tests.kit.repos import commit_files, git, status

GATED = ".github/workflows/ci.yml"


def many():
    """Loops whose branches are merged, or refused, in these tests."""
    shared = "one\ntwo\nthree\n"
    crowd = [{"name": "few", "run": "test $(ls numbers | wc -l) -le 2"}]
    return {
        "README.md": "# A project\n",
        "shared.txt": shared,
        "numbers/1.txt": "1\n",
        **fixer(),
        **loop(
            "editor", [turn("w", write("shared.txt", shared.replace("two", "zwei"))), turn("d")],
            checks=[{"run": "grep -q zwei shared.txt"}],
        ),
        **loop("adder", [turn("w", write("numbers/2.txt", "2\n")), turn("d")], checks=crowd),
        **loop("idler", [turn("d")], checks=crowd),
        **loop(
            "failing", [turn("w", write("try.txt", "x")), turn("d")],
            checks=[{"name": "never", "run": "test -f never"}], end={"max_iterations": 1},
        ),
        **loop(
            "gated", [turn("w", write(GATED, "on: push\n"), write("conftest.py", "")), turn("d")],
            checks=[{"run": f"test -f {GATED}"}], gates={"allow": [f"write_file({GATED})", "write_file(conftest.py)"]},
        ),
    }  # fmt: skip


@pytest.fixture
def door(played):
    """The played deck, with its checkout put back to where it was afterwards."""
    repo = played.repo
    start = git(repo, "rev-parse", "main").strip()
    yield played
    git(repo, "checkout", "-q", "-f", "main")
    git(repo, "reset", "-q", "--hard", start)
    git(repo, "clean", "-qfdx")


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("review"), many()) as door:
        assert door.run("start", "--all", "--wait").code == 10
        yield door


def head(door, ref="HEAD"):
    return git(door.repo, "rev-parse", ref).strip()


def test_the_diff_is_what_the_run_changed(door, inside):
    said = inside(door, "diff", "editor")
    assert said.code == 0
    assert "-two\n+zwei" in said.out
    shown = inside(door, "diff", "editor", "--json").json
    assert [(one["path"], one["kind"], one["added"], one["removed"]) for one in shown["files"]] == [("shared.txt", "M", 1, 1)]
    assert shown["patch"] == git(door.repo, "diff", shown["base"], shown["commit"])
    stat = inside(door, "diff", "editor", "--stat", "--json").json
    assert "patch" not in stat
    assert stat["files"] == shown["files"]
    assert "shared.txt  +1 -1" in inside(door, "diff", "editor", "--stat").out


def test_paths_that_want_a_look_are_marked(door, inside):
    marks = {one["path"]: one["mark"] for one in inside(door, "diff", "gated", "--json").json["files"]}
    assert "configures" in marks[GATED]
    assert "of its own accord" in marks["conftest.py"]
    assert f"! A {GATED}" in inside(door, "diff", "gated").out


def test_a_merge_is_one_commit_on_the_branch_one_is_on(door, inside):
    before, tip = head(door), head(door, door.entry("fixer")["branch"])
    git(door.repo, "checkout", "-q", "-b", "release")
    commit_files(door.repo, {"other.txt": "x"}, "meanwhile")
    meanwhile = head(door)
    said = inside(door, "merge", "fixer", "--json").json
    assert (said["into"], said["commit"]) == ("release", head(door))
    assert said["checks"][0]["outcome"] == "passed"
    assert git(door.repo, "rev-list", "--parents", "-1", "HEAD").split() == [head(door), meanwhile, tip]
    assert head(door, "main") == before
    assert (door.repo / "answer.txt").read_text(encoding="utf-8") == "fixed\n"
    assert git(door.repo, "status", "--porcelain") == ""
    message = git(door.repo, "log", "-1", "--format=%B")
    assert "Loopdeck-Run: " + door.entry("fixer")["run"] in message
    assert "The goal of fixer." in message
    again = inside(door, "merge", "fixer")
    assert again.code != 0
    assert "merged into release already" in again.err


def seen(door):
    """All that a merge could have changed; which worktrees wait in the pool is nobody's business."""
    places = [line for line in git(door.repo, "worktree", "list").splitlines() if "/.pool/" not in line]
    return status(door.repo), git(door.repo, "for-each-ref"), places


def refused(door, inside, loop, *words):
    """The merge is refused with these words, and nothing at all is changed."""
    before = seen(door)
    said = inside(door, "merge", loop)
    assert said.code not in (0, 70), said
    for word in words:
        assert word in said.err, (word, said.err)
    assert seen(door) == before
    return said


def test_a_dirty_checkout_is_refused_by_naming_it(door, inside):
    (door.repo / "shared.txt").write_text("mine\n", encoding="utf-8")
    refused(door, inside, "fixer", "uncommitted", "shared.txt")


def test_a_conflict_is_refused_by_naming_it(door, inside):
    commit_files(door.repo, {"shared.txt": "one\ndue\nthree\n"}, "mine")
    refused(door, inside, "editor", "conflicts", "shared.txt")


def test_files_in_the_way_are_not_overwritten(door, inside):
    (door.repo / "answer.txt").write_text("mine\n", encoding="utf-8")
    said = inside(door, "merge", "fixer")
    assert said.code == 14
    assert "answer.txt" in said.err
    assert (door.repo / "answer.txt").read_text(encoding="utf-8") == "mine\n"


def test_a_detached_head_is_refused(door, inside):
    git(door.repo, "checkout", "-q", "--detach")
    refused(door, inside, "fixer", "detached", "git switch")


def test_what_changed_nothing_is_refused(door, inside):
    refused(door, inside, "idler", "changed nothing")


def test_checks_are_run_on_the_merge_and_not_on_the_branch(door, inside):
    # Each of the two is fine by itself; together there are too many.
    commit_files(door.repo, {"numbers/3.txt": "3\n"}, "mine")
    said = refused(door, inside, "adder", "'few' did not pass", "nothing was merged")
    assert "✗ few: failed" in said.out
    git(door.repo, "reset", "-q", "--hard", "HEAD~1")
    assert inside(door, "merge", "adder").code == 0


def test_a_run_that_is_not_done_is_merged_if_its_checks_pass_now(door, inside):
    refused(door, inside, "failing", "'never' did not pass")
    commit_files(door.repo, {"never": ""}, "mine")
    assert inside(door, "merge", "failing").code == 0
    assert (door.repo / "try.txt").exists()


def test_a_policy_change_on_the_branch_is_not_merged_unseen(door, inside):
    branch = door.entry("fixer")["branch"]
    before = head(door, branch)
    scratch = door.base / "scratch"
    git(door.repo, "worktree", "add", "-q", "--detach", str(scratch), branch)
    try:
        made = commit_files(scratch, {".loopdeck/deck.toml": "[gates]\nallow = ['bash']\n"}, "sly")
        git(door.repo, "update-ref", f"refs/heads/{branch}", made)
        refused(door, inside, "fixer", ".loopdeck/deck.toml", "loopdeck diff", f"git merge {branch}")
        assert "somebody has committed to it" in inside(door, "diff", "fixer").out
    finally:
        git(door.repo, "update-ref", f"refs/heads/{branch}", before)
        git(door.repo, "worktree", "remove", "--force", str(scratch))


def test_a_protected_file_is_checked_as_the_operator_has_it(front, inside):
    checks = [{"name": "strict", "run": "sh check.sh"}]
    door = front({
        "check.sh": "exit 0\n",
        **loop("sly", [turn("w", write("x.txt", "x")), turn("d")], checks=checks, workspace={"protect": ["check.sh"]}),
    })  # fmt: skip
    door.ok("start", "sly", "--wait")
    commit_files(door.repo, {"check.sh": "exit 1\n"}, "stricter now")
    refused(door, inside, "sly", "'strict' did not pass")


def test_setup_and_copies_are_there_when_the_merge_is_checked(front, inside):
    checks = [{"name": "built", "run": "test -f built && test -f local.env && ! test -e leftover"}]
    door = front({
        ".gitignore": "built\nlocal.env\nleftover\n",
        **loop(
            "needy", [turn("w", write("x.txt", "x")), turn("d")],
            checks=checks, workspace={"setup": "touch built", "copy": ["local.env"]},
        ),
    })  # fmt: skip
    (door.repo / "local.env").write_text("A=1\n", encoding="utf-8")
    (door.repo / "leftover").write_text("", encoding="utf-8")
    door.ok("start", "needy", "--wait")
    assert inside(door, "merge", "needy").code == 0
    assert not (door.repo / "built").exists()


def test_a_run_that_is_going_on_is_neither_merged_nor_discarded(front, inside):
    door = front(waiting())
    door.ok("start", "waiting")
    door.at_work("waiting")
    refused(door, inside, "waiting", "still going on", "loopdeck kill")
    said = inside(door, "discard", "waiting")
    assert (said.code, "still going on" in said.err) == (2, True)
    assert door.entry("waiting")["status"] == "running"


def test_a_discarded_run_can_still_be_looked_at(front, inside):
    door = front(fixer())
    door.ok("start", "fixer", "--wait")
    entry = door.entry("fixer")
    before, tip = inside(door, "diff", "fixer", "--json").json, head(door, entry["branch"])
    said = inside(door, "discard", "fixer", "--json").json
    assert head(door, said["ref"]) == tip
    assert git(door.repo, "branch", "--list", "loop/*") == ""
    assert len(seen(door)[2]) == 1
    assert inside(door, "diff", "fixer", "--json").json == before
    assert inside(door, "show", "fixer").code == 0
    assert inside(door, "trace", "fixer").code == 0
    again = inside(door, "discard", "fixer")
    assert (again.code, "left" in again.err) == (2, True)
    assert "no branch" in inside(door, "merge", "fixer").err


def test_the_branch_one_has_checked_out_is_not_discarded(front, inside):
    door = front(fixer())
    door.ok("start", "fixer", "--wait")
    entry = door.entry("fixer")
    git(door.repo, "checkout", "-q", "--ignore-other-worktrees", entry["branch"])
    said = inside(door, "discard", "fixer")
    assert (said.code, "checked out" in said.err) == (14, True)
    assert head(door, entry["branch"])
