"""A worktree that is not where or what it was: what can be saved is, nothing is deleted, and what is lost is told."""

import shutil

import pytest

from loopdeck.errors import WorktreeLost
from loopdeck.git import admin
from loopdeck.git.mending import mend
from loopdeck.git.refs import tip
from loopdeck.git.tree import commit_all
from tests.kit.repos import git

BRANCH = "loop/fix/1"


@pytest.fixture
def work(worktree, base):
    """The worktree with one commit of a run, and a file that is not committed."""
    (worktree.path / "done.txt").write_text("done\n")
    made = commit_all(worktree, "one", base=base)
    (worktree.path / "open.txt").write_text("open\n")
    return worktree, made.commit


def test_what_is_well_is_left_alone(work, repo):
    worktree, commit = work
    mended = mend(repo, worktree.path, BRANCH, commit)
    assert (mended.notices, mended.anew) == ((), False)
    assert (worktree.path / "open.txt").exists()


def test_deleted_it_is_made_anew_from_its_commit_and_can_be_committed_to(work, repo, base, root):
    worktree, commit = work
    made_at = admin.made_at(worktree)
    shutil.rmtree(worktree.path)
    with pytest.raises(WorktreeLost, match="deleted or moved"):
        worktree.git()
    mended = mend(repo, worktree.path, BRANCH, commit)
    assert mended.anew
    assert admin.made_at(mended.worktree) > made_at > 0, "whatever number its folder was given"
    assert commit[:12] in mended.notices[0]
    assert (worktree.path / "done.txt").read_text() == "done\n"
    assert not (worktree.path / "open.txt").exists()
    (worktree.path / "more.txt").write_text("more\n")
    after = commit_all(mended.worktree, "two", base=base, tip=commit)
    assert tip(repo, BRANCH) == after.commit
    assert git(root, "worktree", "list", "--porcelain").count("loopdeck: ") == 1


@pytest.mark.parametrize("by_git", [True, False], ids=["by git", "by hand"])
def test_moved_it_comes_back_with_all_that_is_in_it(work, repo, root, by_git):
    worktree, commit = work
    elsewhere = worktree.path.with_name("elsewhere")
    if by_git:
        git(root, "worktree", "move", "-f", "-f", str(worktree.path), str(elsewhere))
    else:
        worktree.path.rename(elsewhere)
    made_at = admin.made_at(worktree)
    mended = mend(repo, worktree.path, BRANCH, commit)
    assert f"moved to {elsewhere}" in mended.notices[0]
    assert admin.made_at(mended.worktree) == made_at
    assert not mended.anew
    assert (worktree.path / "open.txt").read_text() == "open\n"
    assert not elsewhere.exists()
    admin.verify(mended.worktree)


@pytest.mark.parametrize("what", ["a file", "a folder", "a link", "a copy"])
def test_what_stands_in_its_place_is_kept_aside(work, repo, tmp_path, what):
    worktree, commit = work
    path = worktree.path
    path.rename(tmp_path / "far")
    match what:
        case "a file":
            path.write_text("mine\n")
        case "a folder":
            path.mkdir()
            (path / "mine.txt").write_text("mine\n")
        case "a link":
            path.symlink_to(tmp_path / "far")
        case _:
            shutil.copytree(tmp_path / "far", path)
    with pytest.raises(WorktreeLost):
        worktree.git()
    mended = mend(repo, path, BRANCH, commit)
    assert mended.anew
    (aside,) = [one for one in path.parent.iterdir() if ".aside-" in one.name]
    assert str(aside) in mended.notices[0]
    if what == "a copy":
        assert (aside / "open.txt").exists()
    assert (tmp_path / "far/open.txt").exists()
    assert (path / "done.txt").exists()


def test_a_branch_that_is_gone_too_is_made_at_the_commit(work, repo, root):
    worktree, commit = work
    git(root, "worktree", "remove", "-f", "-f", str(worktree.path))
    git(root, "branch", "-D", BRANCH)
    mended = mend(repo, worktree.path, BRANCH, commit)
    assert tip(repo, BRANCH) == commit
    assert (mended.worktree.path / "done.txt").exists()


def test_pruned_after_being_unlocked(work, repo, root):
    worktree, commit = work
    git(root, "worktree", "unlock", str(worktree.path))
    shutil.rmtree(worktree.path)
    git(root, "worktree", "prune", "--expire=now")
    git(root, "gc", "-q", "--prune=now")
    mended = mend(repo, worktree.path, BRANCH, commit)
    assert (mended.worktree.path / "done.txt").exists()


def test_what_cant_be_had_is_said_and_nothing_is_left(work, repo, root, tmp_path):
    worktree, commit = work
    git(root, "worktree", "remove", "-f", "-f", str(worktree.path))
    git(root, "worktree", "add", "-q", str(tmp_path / "mine"), BRANCH)
    with pytest.raises(WorktreeLost, match="can't be made anew"):
        mend(repo, worktree.path, BRANCH, commit)
    assert not worktree.path.exists()
    assert (tmp_path / "mine/done.txt").exists()


def test_an_operators_prune_and_gc_take_nothing_of_a_run(work, repo, root, base):
    worktree, commit = work
    git(root, "worktree", "prune", "--expire=now")
    git(root, "gc", "-q", "--prune=now")
    after = commit_all(worktree, "two", base=base, tip=commit)
    git(root, "worktree", "prune", "--expire=now")
    git(root, "gc", "-q", "--prune=now")
    assert tip(repo, BRANCH) == after.commit
    assert git(root, "fsck", "--connectivity-only") == ""
    assert "open.txt" in git(root, "ls-tree", "--name-only", BRANCH)
