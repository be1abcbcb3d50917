"""The pool: a worktree that is used again is as good as new."""

import os

import pytest

from loopdeck.git import admin, trash
from loopdeck.git.admin import ours
from loopdeck.git.pool import Pool
from loopdeck.git.worktrees import create, retire
from tests.kit.repos import all_files, commit_files, git, make_repo, modes_bind, write_files


def test_it_is_used_again_and_holds_nothing_of_its_former_life(root, repo, base, tmp_path, pool):
    later = commit_files(root, {"src/calc.py": "later\n", "link": "x", "added": "x"}, "later")
    first = create(repo, tmp_path / "worktrees" / "one", "loop/a/1", base, pool=pool)
    inode = first.path.stat().st_ino
    make_repo(first.path / "nested" / "deeper", {"a": "a"})
    write_files(
        first.path,
        {"x.log": "ignored", "build/out": "ignored", "untracked/a": "a", "src/calc.py": "mine\n", "src/__pycache__/calc.pyc": "x"},
    )
    (first.path / "README.md").chmod(0o755)
    trash.delete(first.path / "tests")
    (first.path / "tests").symlink_to(root / "tests")
    (first.path / "empty").mkdir()
    git(first.path, "add", "untracked")
    (first.git_dir / "MERGE_HEAD").write_text(base + "\n")
    (first.git_dir / "rebase-merge").mkdir()
    admin.keep(first, ["x.log", "build"])
    retire(first, pool)
    assert not first.path.exists()
    assert len(list(pool.folder.iterdir())) == 1

    again = create(repo, tmp_path / "worktrees" / "two", "loop/b/1", later, pool=pool)
    assert again.path.stat().st_ino == inode
    fresh = create(repo, tmp_path / "fresh", "loop/c/1", later)
    assert all_files(again.path) == all_files(fresh.path)
    assert (again.path / "README.md").stat().st_mode == (fresh.path / "README.md").stat().st_mode
    assert git(again.path, "status", "--porcelain=v2", "--branch", "--ignored") == f"# branch.oid {later}\n# branch.head loop/b/1\n"
    assert (root / "tests" / "test_calc.py").exists()
    assert {entry.name for entry in again.git_dir.iterdir()} - {"logs", "ORIG_HEAD", "refs"} == {
        entry.name for entry in fresh.git_dir.iterdir()
    } - {"logs", "ORIG_HEAD", "refs"}
    assert admin.kept(again) == ()
    assert list(pool.folder.glob("[!.]*")) == []
    git(root, "branch", "-D", "loop/a/1")


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_files_that_git_was_told_not_to_look_at(repo, base, tmp_path, pool, flag):
    first = create(repo, tmp_path / "worktrees" / "one", "loop/a/1", base, pool=pool)
    git(first.path, "update-index", flag, "src/calc.py")
    write_files(first.path, {"src/calc.py": "hidden\n"})
    retire(first, pool)
    again = create(repo, tmp_path / "worktrees" / "two", "loop/b/1", base, pool=pool)
    assert (again.path / "src" / "calc.py").read_text() != "hidden\n"


def test_the_same_size_in_the_same_second(repo, base, tmp_path, pool):
    first = create(repo, tmp_path / "worktrees" / "one", "loop/a/1", base, pool=pool)
    calc = first.path / "src" / "calc.py"
    original, times = calc.read_text(), calc.stat()
    calc.write_text(original.replace("+", "-"))
    os.utime(calc, ns=(times.st_atime_ns, times.st_mtime_ns))
    retire(first, pool)
    again = create(repo, tmp_path / "worktrees" / "two", "loop/b/1", base, pool=pool)
    assert (again.path / "src" / "calc.py").read_text() == original


def test_it_is_bounded(repo, base, tmp_path):
    pool = Pool(tmp_path / "worktrees" / ".pool", size=2)
    made = [create(repo, tmp_path / "worktrees" / f"w{n}", f"loop/a/{n}", base, pool=pool) for n in range(4)]
    for one in made:
        retire(one, pool)
    assert len(list(pool.folder.iterdir())) == 2
    assert len(list(ours(repo))) == 2
    trash.sweep(tmp_path / "worktrees")
    assert sorted(entry.name for entry in (tmp_path / "worktrees").iterdir()) == [".pool", ".trash"]


def test_branch_and_path_are_free_at_once(root, repo, base, tmp_path, pool):
    first = create(repo, tmp_path / "worktrees" / "one", "loop/a/1", base, pool=pool)
    retire(first, pool)
    git(root, "checkout", "-q", "loop/a/1")
    git(root, "checkout", "-q", "main")
    git(root, "branch", "-q", "-D", "loop/a/1")
    create(repo, tmp_path / "worktrees" / "one", "loop/a/1", base, pool=pool)


@pytest.mark.parametrize("how", ["no .git", "other .git", "linked .git", "no registration", "file"])
def test_a_pooled_one_that_was_meddled_with_is_not_used(root, repo, base, tmp_path, pool, how):
    first = create(repo, tmp_path / "worktrees" / "one", "loop/a/1", base, pool=pool)
    retire(first, pool)
    (place,) = pool.folder.iterdir()
    dot = place / ".git"
    text = dot.read_text()
    match how:
        case "no .git":
            dot.unlink()
        case "other .git":
            dot.write_text(f"gitdir: {root / '.git'}\n")
        case "linked .git":
            dot.unlink()
            (tmp_path / "pointer").write_text(text)
            dot.symlink_to(tmp_path / "pointer")
        case "no registration":
            trash.delete(first.git_dir)
        case _:
            trash.delete(place)
            place.touch()
    again = create(repo, tmp_path / "worktrees" / "two", "loop/b/1", base, pool=pool)
    assert git(again.path, "status", "--porcelain", "--ignored") == ""
    assert list(pool.folder.glob("[!.]*")) == []


def test_sparse_ones_are_neither_kept_nor_given(repo, base, tmp_path, pool):
    part = create(repo, tmp_path / "worktrees" / "one", "loop/a/1", base, pool=pool, sparse=["src"])
    retire(part, pool)
    whole = create(repo, tmp_path / "worktrees" / "two", "loop/a/2", base, pool=pool)
    assert (whole.path / "tests" / "test_calc.py").exists()
    retire(whole, pool)
    part = create(repo, tmp_path / "worktrees" / "three", "loop/a/3", base, pool=pool, sparse=["src"])
    assert not (part.path / "tests").exists()


def test_a_tampered_one_goes_away(repo, base, tmp_path, pool):
    first = create(repo, tmp_path / "worktrees" / "one", "loop/a/1", base, pool=pool)
    (first.path / ".git").unlink()
    retire(first, pool)
    assert not first.path.exists()
    assert not pool.folder.exists() or not list(pool.folder.glob("[!.]*"))
    assert list(ours(repo)) == []


@pytest.mark.skipif(not modes_bind(), reason="root may do everything")
def test_folders_without_permission_are_no_obstacle(repo, base, tmp_path, pool):
    first = create(repo, tmp_path / "worktrees" / "one", "loop/a/1", base, pool=pool)
    write_files(first.path, {"locked/in/here": "x"})
    (first.path / "locked" / "in").chmod(0o000)
    (first.path / "locked").chmod(0o500)
    retire(first, pool)
    again = create(repo, tmp_path / "worktrees" / "two", "loop/b/1", base, pool=pool)
    assert git(again.path, "status", "--porcelain", "--ignored") == ""
    trash.sweep(tmp_path / "worktrees")
    assert list((tmp_path / "worktrees" / ".trash").iterdir()) == []
