"""The clean checkout: what checks see, whatever has happened before."""

import os
import subprocess
import sys

import pytest

from loopdeck.errors import WorkspaceError
from loopdeck.git import admin, diff
from loopdeck.git.checkout import CleanCheckout, settle
from loopdeck.git.pool import Pool
from loopdeck.git.provision import provision
from loopdeck.git.tree import commit_all
from tests.kit.repos import commit_files, git, make_repo, modes_bind, status, write_files


@pytest.fixture
def checkout(repo, base, tmp_path):
    """A clean checkout at the base."""
    return CleanCheckout.create(repo, tmp_path / "worktrees" / "fix-1.checks", base)


def _names(path):
    return {
        str(entry.relative_to(path)) for entry in path.rglob("*") if entry.name != ".git" and (entry.is_symlink() or not entry.is_dir())
    }


def test_it_is_the_commit_and_nothing_else(root, checkout, worktree, base):
    write_files(worktree.path, {"src/calc.py": "1\n", "new/file": "x", "x.log": "a claim that all is well"})
    (worktree.path / "README.md").unlink()
    done = commit_all(worktree, "m", base=base)
    assert checkout.reset_to(done.commit, base=base) == ()
    assert _names(checkout.path) == set(git(root, "ls-tree", "-r", "-z", "--name-only", done.commit).split("\0")[:-1])
    assert git(checkout.path, "rev-parse", "HEAD").strip() == done.commit
    assert git(checkout.path, "status", "--porcelain", "--ignored") == ""
    checkout.reset_to(base)
    assert (checkout.path / "README.md").exists()
    assert not (checkout.path / "new").exists()


@pytest.mark.req("S0-23")
def test_what_only_the_makers_worktree_has_proves_nothing(worktree, checkout, base):
    """A maker that says done, with a file that its own run of the check would be content with but that it never had committed."""
    write_files(worktree.path, {"build/passed": "yes", "tests/test_calc.py": "pass\n"})
    done = commit_all(worktree, "all done!", protect=["tests/**"], base=base)
    checkout.reset_to(done.commit, protect=["tests/**"], base=base)
    assert done.empty
    assert not (checkout.path / "build").exists()
    assert (checkout.path / "tests" / "test_calc.py").read_text() == "from calc import add\n"


def test_everything_a_check_left_behind_is_gone(root, checkout, base):
    original = status(checkout.path)
    write_files(
        checkout.path,
        {
            "x.log": "i",
            "build/out": "i",
            "cover/a": "u",
            "src/calc.py": "changed",
            ".gitignore": "*",
            "src/__pycache__/calc.cpython-311.pyc": "x",
        },
    )
    make_repo(checkout.path / "nested", {"a": "a"})
    (checkout.path / "tests" / "data" / "one.json").unlink()
    (checkout.path / "empty").mkdir()
    (checkout.path / "README.md").chmod(0o755)
    checkout.reset_to(base)
    assert status(checkout.path) == original
    assert not (checkout.path / "empty").exists()
    assert (checkout.path / "README.md").stat().st_mode & 0o111 == 0


def test_two_iterations_in_one_second_with_files_of_the_same_size(worktree, checkout, base):
    """The trap of compiled Python: its freshness is judged by whole seconds and size."""
    seen = []
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for answer in ("1", "2", "3"):
        write_files(worktree.path, {"src/answer.py": f"ANSWER = {answer}\n"})
        done = commit_all(worktree, "m", base=base)
        checkout.reset_to(done.commit, base=base)
        os.utime(checkout.path / "src" / "answer.py", (1_700_000_000, 1_700_000_000))
        command = [sys.executable, "-c", "import answer; print(answer.ANSWER)"]
        ran = subprocess.run(command, cwd=checkout.path / "src", env=env, capture_output=True, text=True, check=True)
        assert (checkout.path / "src" / "__pycache__").exists()
        seen.append(ran.stdout.strip())
    assert seen == ["1", "2", "3"]


def test_a_check_that_alters_a_file_and_hides_it(checkout, base):
    calc = checkout.path / "src" / "calc.py"
    original = calc.read_text()
    for flag in ("--assume-unchanged", "--skip-worktree"):
        git(checkout.path, "update-index", flag, "src/calc.py")
        times = calc.stat()
        calc.write_text(original.replace("+", "-"))
        os.utime(calc, ns=(times.st_atime_ns, times.st_mtime_ns))
        checkout.reset_to(base)
        assert calc.read_text() == original
        assert git(checkout.path, "ls-files", "-v", "src/calc.py").startswith("H ")


def test_a_check_that_switches_or_moves_branches(root, checkout, base):
    git(checkout.path, "checkout", "-q", "-b", "astray")
    write_files(checkout.path, {"README.md": "x"})
    git(checkout.path, "commit", "-qam", "astray")
    tip = git(root, "rev-parse", "astray")
    checkout.reset_to(base)
    assert git(root, "rev-parse", "astray") == tip
    assert git(checkout.path, "rev-parse", "--abbrev-ref", "HEAD").strip() == "HEAD"
    assert git(checkout.path, "rev-parse", "HEAD").strip() == base


@pytest.mark.parametrize("known", [False, True])
def test_protected_paths_are_as_at_the_base(root, repo, checkout, base, known):
    protect = ["tests/**"]
    write_files(root, {"tests/new.py": "x", "src/calc.py": "1\n", "tests/test_calc.py": "pass\n", ".loopdeck/deck.toml": "x"})
    (root / "tests" / "data" / "one.json").unlink()
    moved = commit_files(root, {}, "all of them")
    changes = diff.changed(repo, base, moved) if known else None
    differing = checkout.reset_to(moved, protect=protect, base=base, changes=changes)
    assert set(differing) == {"tests/new.py", "tests/test_calc.py", "tests/data/one.json", ".loopdeck/deck.toml"}
    assert (checkout.path / "src" / "calc.py").read_text() == "1\n"
    assert (checkout.path / "tests" / "test_calc.py").read_text() == "from calc import add\n"
    assert (checkout.path / "tests" / "data" / "one.json").exists()
    assert (checkout.path / ".loopdeck" / "deck.toml").read_text() == "[deck]\n"
    assert not (checkout.path / "tests" / "new.py").exists()
    checkout.reset_to(moved)
    assert (checkout.path / "tests" / "new.py").exists()


class TestSetup:
    """What copying, linking and setup made stays; what came later goes."""

    def test_it_stays_over_resets(self, root, checkout, worktree, base):
        write_files(root, {".env": "KEY=1", "node_modules/lib/index.js": "x"})
        placed = provision(root, checkout.path, [".env"], ["node_modules"])
        write_files(
            checkout.path,
            {
                ".venv/bin/tool": "x",
                "src/shop.egg-info/PKG": "x",
                "README.md": "setup changed it",
                "src/__pycache__/calc.pyc": "stale",
                "src/old.pyc": "stale",
                "we [i]r*d!/#x ": "x",
                "trailing ": "x",
            },
        )
        assert checkout.settle(placed.paths) == ("README.md",)
        assert set(admin.kept(checkout.worktree)) == {
            ".env",
            "node_modules",
            ".venv",
            "src/shop.egg-info",
            "we [i]r*d!",
            "trailing ",
        }
        write_files(worktree.path, {"src/calc.py": "1\n"})
        done = commit_all(worktree, "m", base=base)
        for _ in range(2):
            write_files(checkout.path, {"out": "x", "src/out": "x", "we i": "x", "src/trailing": "x"})
            (checkout.worktree.git_dir / "index").write_bytes(b"broken by a check")
            checkout.reset_to(done.commit, base=base)
            kept = {".env", "node_modules", ".venv/bin/tool", "src/shop.egg-info/PKG", "we [i]r*d!/#x ", "trailing "}
            tracked = set(git(root, "ls-tree", "-r", "-z", "--name-only", done.commit).split("\0")[:-1])
            assert _names(checkout.path) == kept | tracked
            assert (checkout.path / "node_modules" / "lib" / "index.js").read_text() == "x"
        assert (root / "node_modules" / "lib" / "index.js").exists()

    def test_it_is_remembered_after_a_restart(self, repo, checkout, base):
        write_files(checkout.path, {".venv/bin/tool": "x"})
        checkout.settle()
        write_files(checkout.path, {"src/calc.py": "hidden", "left": "x"})
        git(checkout.path, "update-index", "--assume-unchanged", "src/calc.py")
        again = CleanCheckout.open(repo, checkout.path)
        again.reset_to(base)
        assert (again.path / ".venv" / "bin" / "tool").exists()
        assert not (again.path / "left").exists()
        assert (again.path / "src" / "calc.py").read_text().startswith("def add")

    def test_in_the_makers_worktree_nothing_of_it_is_work(self, worktree, base):
        write_files(worktree.path, {".venv/bin/tool": "x", "README.md": "setup changed it"})
        assert settle(worktree) == ("README.md",)
        assert commit_all(worktree, "m", base=base).empty

    def test_none_of_it_comes_out_of_the_pool(self, repo, checkout, base, tmp_path):
        pool = Pool(tmp_path / "worktrees" / ".pool")
        write_files(checkout.path, {".venv/bin/tool": "x"})
        checkout.settle()
        checkout.close(pool)
        assert not checkout.path.exists()
        again = CleanCheckout.create(repo, checkout.path, base, pool=pool)
        assert not (again.path / ".venv").exists()
        again.reset_to(base)
        assert git(again.path, "status", "--porcelain", "--ignored") == ""


def test_a_pool_and_sparse(repo, base, tmp_path):
    part = CleanCheckout.create(repo, tmp_path / "part", base, sparse=["src"])
    for _ in range(2):
        part.reset_to(base)
        assert (part.path / "src" / "calc.py").exists()
        assert not (part.path / "tests").exists()


def test_gone_or_tampered_with(repo, checkout, base, tmp_path):
    (checkout.path / ".git").unlink()
    with pytest.raises(WorkspaceError, match="tampered"):
        checkout.reset_to(base)
    checkout.path.rename(tmp_path / "moved")
    with pytest.raises(WorkspaceError, match="gone"):
        checkout.reset_to(base)
    with pytest.raises(WorkspaceError, match="registered"):
        CleanCheckout.open(repo, tmp_path / "moved")


@pytest.mark.skipif(not modes_bind(), reason="root may do everything")
def test_folders_that_a_check_locked(checkout, base):
    write_files(checkout.path, {"locked/in/here": "x", "kept/a": "x"})
    admin.keep(checkout.worktree, ["kept"])
    (checkout.path / "locked" / "in").chmod(0o000)
    checkout.reset_to(base)
    assert not (checkout.path / "locked").exists()
    assert (checkout.path / "kept" / "a").exists()
