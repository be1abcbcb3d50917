"""Commits of a maker's work: what is in them, what never is, and what the maker did with git itself."""

import os
import subprocess
import time

import pytest

from loopdeck.errors import WorkspaceError
from loopdeck.git import admin, diff, locks, tree
from loopdeck.git.checkout import settle
from loopdeck.git.repository import find
from loopdeck.git.tree import commit_all, digest, trailers
from loopdeck.git.worktrees import create
from tests.kit.repos import commit_files, git, make_repo, modes_bind, status, write_files


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


class TestNested:
    """Repositories that a maker makes inside its worktree are neither committed nor run."""

    def test_they_are_left_out_and_told(self, root, worktree, base):
        make_repo(worktree.path / "vendor" / "lib", {"a": "a"})
        make_repo(worktree.path / "empty one", {})
        write_files(worktree.path, {"src/calc.py": "x\n"})
        done = commit_all(worktree, "m", base=base)
        assert done.files == ("src/calc.py",)
        assert len(done.problems) == 2
        assert "empty one is a git repository of its own" in done.problems[0]
        assert "remove vendor/lib/.git" in done.problems[1]

    def test_staged_as_submodules_they_are_unstaged(self, root, worktree, base):
        inner = make_repo(worktree.path / "lib", {"a": "a"})
        git(worktree.path, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
        git(worktree.path, "-c", "advice.addEmbeddedRepo=false", "add", "lib")
        write_files(worktree.path, {"src/calc.py": "x\n"})
        done = commit_all(worktree, "m", base=base)
        assert done.files == (".gitmodules", "src/calc.py")
        assert sorted(problem.split(" ")[0] for problem in done.problems) == ["lib", "sub"]
        assert "160000" not in git(root, "ls-tree", "-r", done.commit)

    def test_committed_as_submodules_by_the_maker(self, root, worktree, base):
        make_repo(worktree.path / "lib", {"a": "a"})
        git(worktree.path, "-c", "advice.addEmbeddedRepo=false", "add", "lib")
        git(worktree.path, "commit", "-qm", "mine")
        done = commit_all(worktree, "m", base=base, tip=base)
        assert done.empty
        assert git(root, "rev-parse", "loop/fix/1").strip() == base

    def test_a_submodule_of_the_operators_stays_what_it_was(self, root, tmp_path):
        inner = make_repo(tmp_path / "inner", {"a": "a"})
        git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
        start = commit_files(root, {}, "with sub")
        worktree = create(find(root), tmp_path / "w", "loop/a/1", start)
        assert list((worktree.path / "sub").iterdir()) == []
        git(worktree.path, "update-index", "--cacheinfo", f"160000,{start},sub")
        write_files(worktree.path, {"README.md": "x", "sub/lost": "x"})
        done = commit_all(worktree, "m", base=start)
        assert done.files == ("README.md",)
        assert git(root, "ls-tree", done.commit, "sub") == git(root, "ls-tree", start, "sub")

    def test_a_tracked_folder_made_a_repository(self, root, worktree, base):
        git(worktree.path / "src", "init", "-q")
        write_files(worktree.path, {"src/calc.py": "x\n", "src/new.py": "x\n"})
        done = commit_all(worktree, "m", base=base)
        assert done.files == ("src/calc.py", "src/new.py")

    @pytest.mark.parametrize("staged", [False, True])
    @pytest.mark.parametrize("kind", ["nested", "bare", "pointer"])
    def test_a_hostile_one_runs_nothing(self, root, worktree, base, tmp_path, kind, staged):
        marker = tmp_path / "marker"
        evil = worktree.path / "evil"
        make_repo(evil if kind != "pointer" else tmp_path / "evil", {"a": "a"})
        git_dir = (evil if kind != "pointer" else tmp_path / "evil") / ".git"
        trap = tmp_path / "trap"
        trap.write_text(f"#!/bin/sh\ntouch '{marker}'\ncat\n")
        trap.chmod(0o755)
        with (git_dir / "config").open("a") as config:
            config.write(f"[core]\n\tfsmonitor = {trap}\n\thooksPath = {trap}\n\tpager = {trap}\n")
            config.write(f'[filter "x"]\n\tclean = {trap}\n\tsmudge = {trap}\n[diff "x"]\n\ttextconv = {trap}\n\tcommand = {trap}\n')
        write_files(worktree.path, {".gitattributes": "* filter=x diff=x\n", "evil/.gitattributes": "* filter=x diff=x\n"})
        if kind == "bare":
            for entry in list(git_dir.iterdir()):
                entry.rename(evil / entry.name)
            git_dir.rmdir()
        if kind == "pointer":
            write_files(worktree.path, {"evil/.git": f"gitdir: {git_dir}\n", "evil/a": "a"})
        if staged and kind != "bare":
            git(worktree.path, "update-index", "--add", "--cacheinfo", f"160000,{base},evil")
        for number in range(2):
            write_files(worktree.path, {"evil/a": f"{number}", "src/calc.py": f"{number}\n"})
            done = commit_all(worktree, "m", base=base, protect=["tests/**"])
            assert "src/calc.py" in done.files
            assert not any(change.gitlink for change in done.changes)
            digest(worktree)
        assert not marker.exists()
        if kind == "nested":
            git(evil, "status")
            assert marker.exists(), "the trap works"


class TestMeddling:
    """What a maker does to git's own files."""

    @pytest.mark.parametrize("how", ["gone", "folder", "other", "link", "repository"])
    def test_the_pointer(self, root, worktree, base, tmp_path, how):
        dot = worktree.path / ".git"
        text = dot.read_text()
        dot.unlink()
        match how:
            case "folder":
                dot.mkdir()
            case "other":
                dot.write_text(f"gitdir: {make_repo(tmp_path / 'evil', {'a': 'a'}) / '.git'}\n")
            case "link":
                (tmp_path / "same").write_text(text)
                dot.symlink_to(tmp_path / "same")
            case "repository":
                make_repo(worktree.path, {"a": "a"})
            case _:
                pass
        for use in (lambda: commit_all(worktree, "m", base=base), lambda: digest(worktree)):
            with pytest.raises(WorkspaceError, match="tampered") as caught:
                use()
            assert caught.value.where == str(worktree.path)
            assert caught.value.remedy

    @pytest.mark.parametrize("how", ["deleted", "moved", "linked"])
    def test_the_whole_worktree(self, worktree, base, tmp_path, how):
        worktree.path.rename(tmp_path / "moved")
        if how == "deleted":
            subprocess.run(["rm", "-r", str(tmp_path / "moved")], check=True)
        if how == "linked":
            worktree.path.symlink_to(tmp_path / "moved")
        with pytest.raises(WorkspaceError, match="tampered" if how == "linked" else "gone") as caught:
            commit_all(worktree, "m", base=base)
        assert caught.value.where == str(worktree.path)
        assert caught.value.remedy

    def test_a_configuration_of_its_own(self, root, worktree, base):
        (worktree.git_dir / "config.worktree").write_text("[core]\n\tfsmonitor = false\n")
        with pytest.raises(WorkspaceError, match="tampered"):
            commit_all(worktree, "m", base=base)

    def test_its_own_commits_become_part_of_ours(self, root, worktree, base):
        write_files(worktree.path, {"src/calc.py": "1\n"})
        git(worktree.path, "commit", "-qam", "mine 1")
        write_files(worktree.path, {"src/new.py": "2\n"})
        git(worktree.path, "add", "-A")
        git(worktree.path, "commit", "-qm", "mine 2")
        own = git(worktree.path, "rev-parse", "HEAD").strip()
        write_files(worktree.path, {"more": "3\n"})
        done = commit_all(worktree, "ours", base=base, tip=base)
        assert done.files == ("more", "src/calc.py", "src/new.py")
        assert "committed by itself" in done.problems[0]
        assert git(root, "log", "--format=%s", f"{base}..loop/fix/1").split() == ["ours"]
        assert git(root, "for-each-ref", "--format=%(objectname)", "refs/loopdeck/folded").strip() == own

    def test_its_own_commits_alone(self, root, worktree, base):
        write_files(worktree.path, {"src/calc.py": "1\n"})
        git(worktree.path, "commit", "-qam", "mine")
        done = commit_all(worktree, "ours", base=base, tip=base)
        assert (done.empty, done.files) == (False, ("src/calc.py",))

    @pytest.mark.parametrize("where", ["branch", "detached", "operators"])
    def test_another_branch(self, root, worktree, base, where):
        commands = {"branch": ("-b", "mine"), "detached": ("--detach",), "operators": ("--ignore-other-worktrees", "main")}
        git(worktree.path, "checkout", "-q", *commands[where])
        write_files(worktree.path, {"src/calc.py": "1\n"})
        git(worktree.path, "commit", "-qam", "astray") if where == "branch" else None
        done = commit_all(worktree, "ours", base=base, tip=base)
        assert done.files == ("src/calc.py",)
        assert "had left the run's branch" in done.problems[0]
        assert git(root, "rev-parse", "main").strip() == base
        assert git(worktree.path, "status", "--porcelain", "--branch") == "## loop/fix/1\n"

    def test_the_branch_deleted(self, root, worktree, base):
        write_files(worktree.path, {"src/calc.py": "1\n"})
        git(root, "update-ref", "-d", "refs/heads/loop/fix/1")
        with pytest.raises(WorkspaceError, match="branch is gone"):
            commit_all(worktree, "ours", base=base)
        done = commit_all(worktree, "ours", base=base, tip=base)
        assert done.files == ("src/calc.py",)
        assert git(root, "rev-parse", "loop/fix/1").strip() == done.commit

    def test_a_merge_in_conflict(self, root, worktree, base):
        other = commit_files(root, {"src/calc.py": "theirs\n"}, "theirs")
        write_files(worktree.path, {"src/calc.py": "mine\n"})
        first = commit_all(worktree, "ours", base=base)
        with pytest.raises(AssertionError):
            git(worktree.path, "merge", other)
        assert "UU" in git(worktree.path, "status", "--porcelain")
        done = commit_all(worktree, "ours", base=base, tip=first.commit)
        assert "<<<<<<<" in _content(root, done.commit, "src/calc.py")
        assert git(root, "log", "-1", "--format=%P", done.commit).strip() == first.commit

    def test_removed_from_the_index_or_added_in_name_only(self, root, worktree, base):
        git(worktree.path, "rm", "-q", "--cached", "README.md")
        write_files(worktree.path, {"soon": "x"})
        git(worktree.path, "add", "-N", "soon")
        assert commit_all(worktree, "m", base=base).files == ("soon",)
        git(worktree.path, "rm", "-q", "README.md")
        assert commit_all(worktree, "m", base=base).files == ("README.md",)

    def test_staged_and_then_taken_back(self, worktree, base):
        write_files(worktree.path, {"src/calc.py": "staged\n"})
        git(worktree.path, "add", "-A")
        write_files(worktree.path, {"src/calc.py": "def add(a, b):\n    return a + b\n"})
        assert commit_all(worktree, "m", base=base).empty

    def test_hooks_never_run(self, root, worktree, base, tmp_path):
        marker = tmp_path / "marker"
        hooks = root / ".git" / "hooks"
        hooks.mkdir()
        for name in ("pre-commit", "commit-msg", "post-commit", "post-index-change", "reference-transaction"):
            (hooks / name).write_text(f"#!/bin/sh\ntouch '{marker}'\n")
            (hooks / name).chmod(0o755)
        write_files(worktree.path, {"src/calc.py": "1\n"})
        assert not commit_all(worktree, "m", base=base, protect=["tests/**"]).empty
        assert not marker.exists()

    @pytest.mark.skipif(not modes_bind(), reason="root may do everything")
    def test_a_file_that_may_not_be_read(self, root, worktree, base):
        write_files(worktree.path, {"src/secret.py": "x\n"})
        (worktree.path / "src" / "secret.py").chmod(0o000)
        assert commit_all(worktree, "m", base=base).files == ("src/secret.py",)

    def test_the_index_lock_of_its_own_dead_git(self, worktree, base, monkeypatch):
        monkeypatch.setattr(locks, "GRACE_S", 0.1)
        lock = worktree.git_dir / "index.lock"
        lock.touch()
        os.utime(lock, (time.time() - 9, time.time() - 9))
        write_files(worktree.path, {"src/calc.py": "1\n"})
        assert commit_all(worktree, "m", base=base).files == ("src/calc.py",)


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
