"""Commits of a maker's work: what is in them, what never is, and what the maker did with git itself."""

import os
import subprocess

import pytest

from loopdeck.errors import WorkspaceError
from loopdeck.git import admin, diff, tree
from loopdeck.git.checkout import settle
from loopdeck.git.tree import commit_all, digest, trailers
from loopdeck.git.worktrees import create
from tests.kit.repos import git, make_repo, status, write_files


def _content(root, commit, path):
    return git(root, "show", f"{commit}:{path}")


def _paths(root, commit):
    return git(root, "ls-tree", "-r", "--name-only", "-z", commit).split("\0")[:-1]


def test_everything_that_changed_is_in_the_commit(root, worktree, base):
    write_files(worktree.path, {"src/calc.py": "def add(a, b):\n    return b + a\n", "src/new.py": "1\n2\n3\n", "bin.dat": b"\0\1"})
    (worktree.path / "tests" / "data" / "one.json").unlink()
    (worktree.path / "README.md").rename(worktree.path / "READ ME.md")
    done = commit_all(worktree, "Fix it\n\n" + trailers("fix", "1", 2), base=base)
    assert not done.empty
    assert set(done.files) == {"src/calc.py", "src/new.py", "bin.dat", "tests/data/one.json", "README.md", "READ ME.md"}
    assert (done.added, done.removed) == (5, 3)
    assert [change.binary for change in done.changes if change.path == "bin.dat"] == [True]
    assert git(root, "rev-parse", "loop/fix/1").strip() == done.commit
    assert git(root, "rev-list", "--count", f"{base}..{done.commit}").strip() == "1"
    assert git(root, "log", "-1", "--format=%an <%ae>|%cn|%B", done.commit).strip() == (
        "Olga Operator <olga@example.org>|Olga Operator|Fix it\n\nLoopdeck-Loop: fix\nLoopdeck-Run: 1\nLoopdeck-Iteration: 2"
    )
    assert git(root, "log", "-1", "--format=%(trailers:key=Loopdeck-Run,valueonly)", done.commit).strip() == "1"
    assert git(worktree.path, "status", "--porcelain") == ""


def test_nothing_changed_makes_no_commit(root, worktree, base):
    again = [commit_all(worktree, "none", base=base) for _ in range(2)]
    assert [(done.commit, done.empty, done.files) for done in again] == [(base, True, ())] * 2
    (worktree.path / "src" / "calc.py").touch()
    write_files(worktree.path, {"x.log": "ignored", "build/out": "ignored"})
    assert commit_all(worktree, "none", base=base).empty
    assert git(root, "rev-parse", "loop/fix/1").strip() == base


def test_one_after_the_other(root, worktree, base):
    tip = base
    for number in range(3):
        write_files(worktree.path, {"src/calc.py": f"{number}\n"})
        done = commit_all(worktree, f"no {number}", base=base, tip=tip)
        assert (done.files, done.problems) == (("src/calc.py",), ())
        assert done.since_base == diff.changed(worktree.repo, base, done.commit)
        tip = done.commit
    write_files(worktree.path, {"README.md": "x\n"})
    done = commit_all(worktree, "other", base=base, tip=tip)
    assert done.files == ("README.md",)
    assert [change.path for change in done.since_base or ()] == ["README.md", "src/calc.py"]
    tip = done.commit
    assert git(root, "log", "--format=%s", f"{base}..{tip}").split("\n")[:-1] == ["other", "no 2", "no 1", "no 0"]


def test_modes_links_and_kinds(root, worktree, base):
    top = worktree.path
    (top / "src" / "calc.py").chmod(0o755)
    (top / "link").symlink_to("/etc/passwd")
    (top / "README.md").unlink()
    (top / "README.md").symlink_to("src/calc.py")
    (top / "tests" / "data" / "one.json").unlink()
    write_files(top, {"tests/data/one.json/inside": "a folder now"})
    (top / "src" / "deep" / "er" / "low.py").unlink()
    (top / "src" / "deep" / "er").rmdir()
    (top / "src" / "deep").rmdir()
    (top / "src" / "deep").symlink_to(top / "tests")
    (top / "with space" / "ünï.txt").unlink()
    (top / "with space").rmdir()
    (top / "with space").write_text("a file now")
    done = commit_all(worktree, "kinds", base=base)
    listed = {line.split("\t")[1]: line[:6] for line in git(root, "ls-tree", "-r", "-z", done.commit).split("\0")[:-1]}
    assert listed == {
        ".gitignore": "100644",
        ".loopdeck/deck.toml": "100644",
        "README.md": "120000",
        "link": "120000",
        "src/calc.py": "100755",
        "src/deep": "120000",
        "tests/data/one.json/inside": "100644",
        "tests/test_calc.py": "100644",
        "with space": "100644",
    }
    assert _content(root, done.commit, "link") == "/etc/passwd"
    assert git(worktree.path, "status", "--porcelain") == ""


def test_special_files_are_left_out(root, worktree, base):
    os.mkfifo(worktree.path / "pipe")
    write_files(worktree.path, {"new": "x"})
    assert commit_all(worktree, "m", base=base).files == ("new",)


def test_excluded_paths_never_go_in(root, worktree, base):
    write_files(worktree.path, {".loop/STATE.md": "s", ".loop.md": "x", ".env": "SECRET", "vendor/a/b": "x", "vendored": "x"})
    (worktree.path / "node_modules").symlink_to(root)
    done = commit_all(worktree, "m", base=base, exclude=[".loop", ".env", "vendor/", "node_modules"])
    assert done.files == (".loop.md", "vendored")
    assert commit_all(worktree, "m", base=base, exclude=[".loop", ".env", "vendor/", "node_modules"]).empty


@pytest.mark.parametrize("committed", [False, True])
def test_excluded_paths_never_go_in_though_the_maker_stages_them(root, worktree, base, committed):
    write_files(worktree.path, {".loop/STATE.md": "s", ".env": "SECRET", "mine": "x"})
    admin.keep(worktree, [".env"])
    git(worktree.path, "add", "--force", ".loop", ".env")
    if committed:
        git(worktree.path, "commit", "--quiet", "-m", "mine")
    assert commit_all(worktree, "m", base=base, exclude=[".loop"], tip=base).files == ("mine",)
    assert commit_all(worktree, "m", base=base, exclude=[".loop"]).empty
    assert (worktree.path / ".env").read_text() == "SECRET"


def test_what_setup_made_never_goes_in(root, worktree, base):
    write_files(
        worktree.path, {"package-lock.json": "{}", "src/gen/a": "x", "README.md": "changed by setup", "src/__pycache__/calc.pyc": "x"}
    )
    assert settle(worktree, ["linked"]) == ("README.md",)
    assert set(admin.kept(worktree)) == {"linked", "package-lock.json", "src/gen"}
    write_files(worktree.path, {"src/gen/b": "x", "mine": "x"})
    assert commit_all(worktree, "m", base=base).files == ("mine",)


class TestProtected:
    """Protected paths are put back, in the commit as in the worktree."""

    def test_all_ways_to_change_them(self, root, worktree, base):
        top = worktree.path
        write_files(
            top, {"tests/test_calc.py": "pass\n", "tests/conftest.py": "x", "tests/deep/er/new.py": "x", "src/calc.py": "mine\n"}
        )
        (top / "tests" / "data" / "one.json").unlink()
        write_files(top, {".loopdeck/deck.toml": "[deck]\nmax_runs = 99\n", ".loopdeck/loops/evil/loop.toml": "x"})
        done = commit_all(worktree, "m", protect=["tests/**"], base=base)
        assert done.files == ("src/calc.py",)
        assert sorted(done.protected_changed) == [
            ".loopdeck/deck.toml",
            ".loopdeck/loops/evil/loop.toml",
            "tests/conftest.py",
            "tests/data/one.json",
            "tests/deep/er/new.py",
            "tests/test_calc.py",
        ]
        assert (top / "tests" / "test_calc.py").read_text() == "from calc import add\n"
        assert (top / "tests" / "data" / "one.json").read_text() == "{}\n"
        assert not (top / "tests" / "conftest.py").exists()
        assert git(top, "status", "--porcelain") == ""
        again = commit_all(worktree, "m", protect=["tests/**"], base=base)
        assert (again.empty, again.protected_changed) == (True, ())

    def test_only_them_is_no_commit(self, worktree, base):
        write_files(worktree.path, {"tests/test_calc.py": "pass\n"})
        done = commit_all(worktree, "m", protect=["tests/**"], base=base)
        assert (done.empty, done.commit, done.protected_changed) == (True, base, ("tests/test_calc.py",))

    @pytest.mark.parametrize("staged", [False, True])
    def test_the_folder_replaced_by_a_link_to_the_operators(self, root, worktree, base, staged):
        top = worktree.path
        subprocess.run(["rm", "-r", str(top / "tests")], check=True)
        (top / "tests").symlink_to(root / "src")
        if staged:
            git(top, "add", "-A")
        done = commit_all(worktree, "m", protect=["tests/**"], base=base)
        assert done.empty
        assert set(done.protected_changed) == {"tests", "tests/data/one.json", "tests/test_calc.py"}
        assert not (top / "tests").is_symlink()
        assert (top / "tests" / "data" / "one.json").read_text() == "{}\n"
        assert sorted(entry.name for entry in (root / "src").iterdir()) == ["calc.py", "deep"]

    def test_a_new_file_there_staged_and_then_the_folder_replaced_by_a_link(self, root, worktree, base):
        """What the index says is below the folder is by now below the link, in the operator's checkout."""
        top = worktree.path
        write_files(top, {"tests/notes.txt": "x"})
        write_files(root, {"private/notes.txt": "the operator's"})
        git(top, "add", "-A")
        subprocess.run(["rm", "-r", str(top / "tests")], check=True)
        (top / "tests").symlink_to(root / "private")
        assert commit_all(worktree, "m", protect=["tests/**"], base=base).empty
        assert (root / "private" / "notes.txt").read_text() == "the operator's"
        assert (top / "tests" / "test_calc.py").exists()

    def test_a_file_replaced_by_a_folder_and_the_other_way(self, worktree, base):
        top = worktree.path
        (top / "tests" / "test_calc.py").unlink()
        write_files(top, {"tests/test_calc.py/trick.py": "x"})
        (top / "tests" / "data" / "one.json").unlink()
        (top / "tests" / "data").rmdir()
        (top / "tests" / "data").write_text("a file now")
        done = commit_all(worktree, "m", protect=["tests/**"], base=base)
        assert done.empty
        assert (top / "tests" / "test_calc.py").is_file()
        assert (top / "tests" / "data" / "one.json").is_file()
        assert git(top, "status", "--porcelain") == ""

    def test_staged_and_committed_by_the_maker(self, root, worktree, base):
        write_files(worktree.path, {"tests/test_calc.py": "pass\n", "src/calc.py": "x\n"})
        git(worktree.path, "commit", "-qam", "mine")
        done = commit_all(worktree, "ours", protect=["tests/**"], base=base, tip=base)
        assert (done.files, done.protected_changed) == (("src/calc.py",), ("tests/test_calc.py",))
        assert _content(root, "loop/fix/1", "tests/test_calc.py") == "from calc import add\n"

    def test_single_files_and_patterns(self, worktree, base):
        write_files(worktree.path, {"README.md": "x", "src/deep/er/low.py": "x", "src/calc.py": "x", "with space/ünï.txt": "x"})
        done = commit_all(worktree, "m", protect=["README.md", "**/low.py", "with space/*"], base=base)
        assert set(done.protected_changed) == {"README.md", "src/deep/er/low.py", "with space/ünï.txt"}
        assert done.files == ("src/calc.py",)


def test_messages_of_all_kinds(root, worktree, base):
    for number, message in enumerate(("", "# not a comment", "a\0b", "ü\ud800", "x" * 100_000)):
        write_files(worktree.path, {"src/calc.py": f"{number}\n"})
        done = commit_all(worktree, message, base=base)
        assert not done.empty
    assert git(root, "rev-list", "--count", f"{base}..loop/fix/1").strip() == "5"


def test_a_detached_worktree_has_nowhere_to_commit_to(repo, base, tmp_path):
    with pytest.raises(WorkspaceError, match="no branch"):
        commit_all(create(repo, tmp_path / "w", "", base), "m", base=base)


class TestDigest:
    """The digest is the same only if the files are."""

    def test_it_tells_every_change(self, worktree, base):
        top = worktree.path
        seen = {digest(worktree)}

        def changed() -> bool:
            known = len(seen)
            seen.add(digest(worktree))
            return len(seen) > known

        assert not changed()
        write_files(top, {"x.log": "ignored", ".loop/STATE.md": "s"})
        assert digest(worktree, exclude=[".loop"]) in seen
        assert changed()
        write_files(top, {"src/calc.py": "1\n"})
        assert changed()
        write_files(top, {"src/calc.py": "2\n"})
        assert changed()
        (top / "src" / "calc.py").chmod(0o755)
        assert changed()
        (top / "src" / "calc.py").unlink()
        assert changed()
        (top / "src" / "calc.py").symlink_to("deep")
        assert changed()
        make_repo(top / "nested", {"a": "a"})
        assert changed()
        write_files(top, {"nested/a": "b"})
        assert changed()
        assert not changed()
        commit_all(worktree, "m", base=base)
        assert changed()

    def test_it_writes_nothing(self, root, worktree):
        write_files(worktree.path, {"src/calc.py": "1\n", "new": "x"})
        before = status(worktree.path), (worktree.git_dir / "index").read_bytes(), git(root, "count-objects")
        tree.digest(worktree)
        assert (status(worktree.path), (worktree.git_dir / "index").read_bytes(), git(root, "count-objects")) == before
