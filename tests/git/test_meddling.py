"""What a maker does with git itself: repositories of its own, commits, branches, locks; nothing of it is run, or gets into ours."""

import subprocess

import pytest

from loopdeck.errors import WorkspaceError
from loopdeck.git import locks
from loopdeck.git.repository import find
from loopdeck.git.tree import commit_all, digest
from loopdeck.git.worktrees import create
from tests.kit.repos import commit_files, git, make_repo, modes_bind, write_files


def _content(root, commit, path):
    return git(root, "show", f"{commit}:{path}")


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

    def test_our_own_commit_that_nobody_noted_down_is_made_again_and_blamed_on_nobody(self, root, worktree, base):
        write_files(worktree.path, {"src/calc.py": "1\n"})
        first = commit_all(worktree, "fix: iteration 1\n\nRun: 1", base=base, tip=base)
        done = commit_all(worktree, "fix: iteration 1\n\nRun: 1", base=base, tip=base)
        assert (done.problems, done.files) == ((), first.files)
        assert git(root, "log", "--format=%s", f"{base}..loop/fix/1").splitlines() == ["fix: iteration 1"]
        assert git(root, "for-each-ref", "refs/loopdeck/folded") == ""

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

    def test_the_index_lock_of_its_own_dead_git(self, worktree, base):
        lock = worktree.git_dir / "index.lock"
        # As a call of the maker's is carried out: when it is over, nothing of it is alive.
        with locks.noted(worktree.git_dir) as call:
            lock.touch()
            locks.left_by(worktree.git_dir, call)
        write_files(worktree.path, {"src/calc.py": "1\n"})
        assert commit_all(worktree, "m", base=base).files == ("src/calc.py",)
