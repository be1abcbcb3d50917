"""Where a run starts, and what is said about it."""

import pytest

from loopdeck.errors import UsageError
from loopdeck.git.base import resolve_base
from loopdeck.git.repository import find
from tests.kit.repos import commit_files, git, make_repo, status, write_files


def test_a_clean_checkout_needs_no_words(root, repo):
    found = resolve_base(repo)
    assert found.commit == git(root, "rev-parse", "HEAD").strip()
    assert (found.branch, found.notices) == ("main", ())


@pytest.mark.parametrize("ref", ["old", "v1", "HEAD~1", "refs/heads/old"])
def test_another_base(root, repo, ref):
    first = git(root, "rev-parse", "HEAD").strip()
    git(root, "branch", "old")
    git(root, "tag", "-a", "v1", "-m", "v1")
    commit_files(root, {"b": "b"})
    assert resolve_base(repo, ref).commit == first


@pytest.mark.parametrize("ref", ["nope", "-x", "--all", "HEAD~9", "HEAD:README.md", "", "a b", "refs/heads/nope"])
def test_an_unknown_base_is_named(repo, ref):
    with pytest.raises(UsageError) as caught:
        resolve_base(repo, ref)
    assert repr(ref) in caught.value.what
    assert "workspace.base" in caught.value.remedy


@pytest.mark.parametrize("ref", ["HEAD", "main"])
def test_an_empty_repository_wants_a_commit_first(tmp_path, ref):
    root = make_repo(tmp_path / "empty", {})
    write_files(root, {"a": "a"})
    with pytest.raises(UsageError, match="no commit yet") as caught:
        resolve_base(find(root), ref)
    assert "git commit" in caught.value.remedy


def test_a_detached_head_is_noticed(root, repo):
    git(root, "checkout", "-q", "--detach")
    found = resolve_base(repo)
    assert found.branch == ""
    assert "detached" in found.notices[0]
    assert found.commit[:12] in found.notices[0]


def test_uncommitted_files_are_counted_and_the_index_is_left_alone(root, repo):
    write_files(
        root, {"README.md": "x", "new 1": "x", "more/new 2": "x", "more/new 3": "x", "x.log": "x", ".loopdeck/loops/a/loop.toml": "x"}
    )
    git(root, "add", "new 1")
    (root / "src" / "calc.py").touch()
    (root / "src" / "deep" / "er" / "low.py").unlink()
    before = (root / ".git" / "index").read_bytes()
    (notice,) = resolve_base(repo).notices
    assert "does not see 5 uncommitted files" in notice
    assert notice.endswith("README.md, new 1, src/deep/er/low.py and 2 more")
    assert (root / ".git" / "index").read_bytes() == before
    git(root, "reset", "-q", "--hard")
    (root / "more" / "new 2").unlink()
    (notice,) = resolve_base(repo).notices
    assert "1 uncommitted file of" in notice


def test_from_a_folder_below_the_whole_checkout_counts(root):
    write_files(root, {"README.md": "x"})
    assert "README.md" in resolve_base(find(root / "src")).notices[0]


def test_submodules_are_noticed(root, repo, tmp_path):
    inner = make_repo(tmp_path / "inner", {"a": "a"})
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "libs/sub")
    git(root, "commit", "-qm", "sub")
    before = status(root)
    assert "submodules stay empty in the run's worktree: libs/sub" in resolve_base(repo).notices
    assert status(root) == before


def test_filters_are_noticed(root, repo):
    commit_files(root, {".gitattributes": "*.bin filter=lfs diff=lfs\n# *.x filter=no\n", "src/.gitattributes": "*.c\tfilter=indent\n"})
    assert "(indent, lfs)" in resolve_base(repo).notices[0]
