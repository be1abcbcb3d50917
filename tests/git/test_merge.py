"""Merging a run's branch into the operator's, and discarding it."""

import pytest

from loopdeck.errors import WorkspaceError
from loopdeck.git import diff, trash
from loopdeck.git.merge import discard, merge, merge_in_scratch, preview
from loopdeck.git.refs import keep_ref, tip
from loopdeck.git.repository import find
from loopdeck.git.tree import commit_all
from loopdeck.git.worktrees import create, remove
from tests.kit.repos import commit_files, git, make_repo, status, write_files

BRANCH = "loop/fix/1"


def _work(worktree, base, files, message="work"):
    write_files(worktree.path, files)
    return commit_all(worktree, message, base=base).commit


def _everything(root):
    """All refs but loopdeck's own, and the state of the checkout."""
    return git(root, "for-each-ref"), status(root), (root / ".git" / "index").read_bytes()


@pytest.fixture
def done(worktree, base):
    """A run that has changed a file and made one, in two commits."""
    _work(worktree, base, {"src/calc.py": "def add(a, b):\n    return b + a\n"}, "one")
    return _work(worktree, base, {"src/new.py": "1\n"}, "two")


def test_a_preview_changes_nothing_and_tells_all(root, repo, worktree, base, done):
    main = commit_files(root, {"README.md": "# Shop 2\n"}, "meanwhile")
    before = _everything(root)
    planned = preview(repo, BRANCH, "Merge it")
    assert (planned.branch, planned.tip, planned.into, planned.head) == (BRANCH, done, "main", main)
    assert (planned.files, planned.added, planned.removed) == (("src/calc.py", "src/new.py"), 2, 1)
    assert (planned.conflicts, planned.merged) == ((), False)
    assert _everything(root) == before
    assert git(root, "log", "-1", "--format=%P|%s|%an", planned.commit).strip() == f"{main} {done}|Merge it|Olga Operator"


def test_what_is_merged_is_what_was_previewed(root, repo, worktree, done):
    commit_files(root, {"README.md": "# Shop 2\n"}, "meanwhile")
    write_files(root, {"untracked": "mine", "x.log": "mine"})
    planned = preview(repo, BRANCH, "Merge it")
    assert merge(repo, planned) == planned.commit
    assert git(root, "rev-parse", "HEAD", "main").split() == [planned.commit] * 2
    assert git(root, "status", "--porcelain") == "?? untracked\n"
    assert (root / "src" / "new.py").read_text() == "1\n"
    assert (root / "README.md").read_text() == "# Shop 2\n"
    assert git(root, "log", "--first-parent", "--format=%s").splitlines() == ["Merge it", "meanwhile", "start"]
    again = preview(repo, BRANCH, "Merge it")
    assert again.merged
    with pytest.raises(WorkspaceError, match="merged into main already"):
        merge(repo, again)


def test_one_merge_commit_even_where_nothing_happened_meanwhile(root, repo, done, base):
    planned = preview(repo, BRANCH, "Merge it")
    merge(repo, planned)
    assert git(root, "log", "-1", "--format=%P").split() == [base, done]


def test_the_operators_hooks_do_not_run_and_their_config_stays(root, repo, done, tmp_path):
    hooks = root / ".git" / "hooks"
    hooks.mkdir()
    for name in ("post-merge", "pre-merge-commit", "post-checkout", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{tmp_path / 'marker'}'\nexit 1\n")
        (hooks / name).chmod(0o755)
    config = (root / ".git" / "config").read_bytes()
    merge(repo, preview(repo, BRANCH, "m"))
    assert not (tmp_path / "marker").exists()
    assert (root / ".git" / "config").read_bytes() == config


def test_the_operators_filters_do_run_on_their_own_checkout(root, repo, worktree, base):
    git(root, "config", "filter.shout.smudge", "tr a-z A-Z")
    git(root, "config", "filter.shout.clean", "tr A-Z a-z")
    _work(worktree, base, {".gitattributes": "*.txt filter=shout\n", "a.txt": "quiet\n"})
    merge(repo, preview(repo, BRANCH, "m"))
    assert (root / "a.txt").read_text() == "QUIET\n"


@pytest.mark.parametrize("kind", ["changed", "staged", "deleted"])
def test_a_dirty_checkout_is_refused_by_name(root, repo, done, kind):
    match kind:
        case "changed":
            write_files(root, {"README.md": "mine\n"})
        case "staged":
            write_files(root, {"README.md": "mine\n"})
            git(root, "add", "-A")
        case _:
            (root / "README.md").unlink()
    planned = preview(repo, BRANCH, "m")
    before = _everything(root)
    with pytest.raises(WorkspaceError, match=r"uncommitted changes: README\.md") as caught:
        merge(repo, planned)
    assert "stash" in caught.value.remedy
    assert _everything(root) == before


def test_files_in_the_way_are_named(root, repo, done):
    write_files(root, {"src/new.py": "mine\n"})
    planned = preview(repo, BRANCH, "m")
    before = _everything(root)
    with pytest.raises(WorkspaceError, match=r"in the way: src/new\.py"):
        merge(repo, planned)
    assert _everything(root) == before
    assert (root / "src" / "new.py").read_text() == "mine\n"


def test_a_conflict_is_refused_by_name(root, repo, worktree, base, done):
    main = commit_files(root, {"src/calc.py": "mine\n", "src/new.py": "mine\n"}, "meanwhile")
    before = _everything(root)
    planned = preview(repo, BRANCH, "m")
    assert planned.conflicts == ("src/calc.py", "src/new.py")
    assert planned.commit == ""
    with pytest.raises(WorkspaceError, match=r"conflicts with main in src/calc\.py, src/new\.py") as caught:
        merge(repo, planned)
    assert f"git merge {BRANCH}" in caught.value.remedy
    assert _everything(root) == before
    assert git(root, "rev-parse", "HEAD").strip() == main


def test_a_detached_head_is_refused(root, repo, done):
    planned = preview(repo, BRANCH, "m")
    git(root, "checkout", "-q", "--detach")
    for use in (lambda: preview(repo, BRANCH, "m"), lambda: merge(repo, planned)):
        with pytest.raises(WorkspaceError, match="detached") as caught:
            use()
        assert "git switch" in caught.value.remedy


@pytest.mark.parametrize("who", ["operator", "branch", "switched"])
def test_a_branch_that_moved_since_the_preview_is_refused(root, repo, worktree, base, done, who):
    planned = preview(repo, BRANCH, "m")
    match who:
        case "operator":
            commit_files(root, {"README.md": "x"})
        case "branch":
            _work(worktree, base, {"more": "x"})
        case _:
            git(root, "checkout", "-q", "-b", "other")
    before = _everything(root)
    with pytest.raises(WorkspaceError, match="has moved"):
        merge(repo, planned)
    assert _everything(root) == before


def test_no_such_branch_and_no_common_history(root, repo):
    with pytest.raises(WorkspaceError, match="no branch loop/none"):
        preview(repo, "loop/none", "m")
    git(root, "checkout", "-q", "--orphan", "other")
    commit_files(root, {"b": "b"})
    git(root, "checkout", "-q", "main")
    with pytest.raises(WorkspaceError, match="unrelated"):
        preview(repo, "other", "m")


def test_from_a_linked_worktree_of_the_operators(root, done, tmp_path):
    git(root, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    main = git(root, "rev-parse", "main")
    side = find(tmp_path / "side")
    planned = preview(side, BRANCH, "m")
    assert planned.into == "side"
    merge(side, planned)
    assert (tmp_path / "side" / "src" / "new.py").exists()
    assert git(root, "rev-parse", "main") == main
    assert git(tmp_path / "side", "status", "--porcelain") == ""


def test_without_merge_tree_it_comes_out_the_same(root, repo, worktree, base, done):
    commit_files(root, {"README.md": "# Shop 2\n"}, "meanwhile")
    before = _everything(root)
    planned = preview(repo, BRANCH, "m")
    tree, conflicts = merge_in_scratch(repo, planned)
    assert git(root, "rev-parse", f"{planned.commit}^{{tree}}").strip() == tree
    assert conflicts == ()
    commit_files(root, {"src/calc.py": "mine\n", "src/new.py": "mine\n"}, "clash")
    clash = preview(repo, BRANCH, "m")
    assert merge_in_scratch(repo, clash)[1] == clash.conflicts
    git(root, "reset", "-q", "--hard", "HEAD~1")
    assert _everything(root)[:2] == before[:2]
    assert git(root, "worktree", "list").count("\n") == 2


class TestDiscard:
    """A discarded run is out of sight, but its commits can be had back."""

    def test_worktree_and_branch_go_and_the_commits_stay(self, root, repo, worktree, done):
        before = status(root)
        ref = discard(repo, BRANCH, worktree)
        assert ref == "refs/loopdeck/discarded/loop/fix/1"
        assert tip(repo, BRANCH) is None
        assert not worktree.path.exists()
        assert git(root, "worktree", "list").count("\n") == 1
        git(root, "gc", "-q", "--prune=now")
        assert git(root, "show", f"{ref}:src/new.py") == "1\n"
        assert status(root) == before
        trash.sweep(worktree.path.parent)
        assert discard(repo, BRANCH) == ""

    def test_without_a_worktree(self, root, repo, worktree, done):
        remove(worktree)
        assert git(root, "rev-parse", discard(repo, BRANCH)).strip() == done

    def test_a_branch_that_the_operator_is_on_stays(self, root, repo, worktree, done):
        remove(worktree)
        git(root, "checkout", "-q", BRANCH)
        with pytest.raises(WorkspaceError, match="checked out") as caught:
            discard(repo, BRANCH)
        assert caught.value.where == str(root)
        assert tip(repo, BRANCH) == done

    def test_another_branch_of_the_same_beginning_stays(self, root, repo, worktree, done):
        other = create(repo, worktree.path.with_name("other"), "loop/fix/12", done)
        discard(repo, BRANCH, worktree)
        assert tip(repo, "loop/fix/12") == done
        assert other.path.exists()


def test_a_kept_commit_survives_a_collection(root, repo, worktree, base):
    commit = _work(worktree, base, {"a": "a"})
    ref = keep_ref(repo, "runs/1/3", commit)
    assert ref == "refs/loopdeck/runs/1/3"
    discard(repo, BRANCH, worktree)
    git(root, "update-ref", "-d", "refs/loopdeck/discarded/loop/fix/1")
    git(root, "reflog", "expire", "--expire=now", "--all")
    git(root, "gc", "-q", "--prune=now")
    assert git(root, "show", f"{ref}:a") == "a"
    assert "loopdeck" not in git(root, "branch", "-a") + git(root, "tag")
    with pytest.raises(WorkspaceError):
        keep_ref(repo, "bad..name", commit)


def test_a_checkout_of_the_merge_can_be_had_before_it_is_made(root, repo, done, tmp_path):
    commit_files(root, {"README.md": "# Shop 2\n"}, "meanwhile")
    planned = preview(repo, BRANCH, "m")
    trial = create(repo, tmp_path / "trial", "", planned.commit)
    assert (trial.path / "README.md").read_text() == "# Shop 2\n"
    assert (trial.path / "src" / "new.py").exists()
    merge(repo, planned)
    assert diff.changed(repo, planned.commit, "main") == ()
    make_repo(tmp_path / "unrelated", {"a": "a"})


def test_a_repository_with_longer_ids(tmp_path):
    """SHA-256: nothing counts the digits of an id, and GitPython is not asked for one."""
    git(tmp_path, "init", "-q", "--object-format=sha256", "-b", "main", "long")
    root = tmp_path / "long"
    git(root, "config", "user.name", "Olga")
    git(root, "config", "user.email", "olga@example.org")
    start = commit_files(root, {"a": "a\n", "tests/t": "t\n"})
    assert len(start) == 64
    repo = find(root)
    worktree = create(repo, tmp_path / "w", BRANCH, start)
    write_files(worktree.path, {"a": "b\n", "tests/t": "x\n"})
    committed = commit_all(worktree, "m", protect=["tests/**"], base=start)
    assert (committed.files, committed.protected_changed) == (("a",), ("tests/t",))
    with pytest.raises(WorkspaceError, match="exists already"):
        create(repo, tmp_path / "again", BRANCH, start)
    planned = preview(repo, BRANCH, "Merge it")
    assert merge(repo, planned) == planned.commit
    assert (root / "a").read_text() == "b\n"
    discard(repo, BRANCH, worktree)
    assert status(root).endswith("# branch.head main\0")
