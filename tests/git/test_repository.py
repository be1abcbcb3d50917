"""Finding the repository and the operator's checkout from anywhere."""

import shutil
import time
from pathlib import Path

import pytest

from loopdeck.errors import UsageError
from loopdeck.git.repository import find
from loopdeck.git.worktrees import create
from tests.kit.repos import git, make_repo


def test_from_the_root_and_from_below(root):
    for place in (root, root / "src" / "deep"):
        found = find(place)
        assert (found.root, found.git_dir, found.common_dir, found.name) == (root, root / ".git", root / ".git", "shop")


def test_through_a_link_it_is_the_same_repository(root, tmp_path):
    (tmp_path / "link").symlink_to(root / "src")
    assert find(tmp_path / "link") == find(root)


def test_inside_the_git_folder_it_is_the_same_repository(root):
    assert find(root / ".git" / "objects") == find(root)


def test_a_linked_worktree_of_the_operator_is_their_checkout(root, tmp_path):
    git(root, "worktree", "add", "-q", str(tmp_path / "second"))
    found = find(tmp_path / "second" / "src")
    assert found.root == tmp_path / "second"
    assert found.git_dir == root / ".git" / "worktrees" / "second"
    assert (found.common_dir, found.name) == (root / ".git", "shop")


def test_inside_a_runs_worktree_it_is_the_checkout_the_run_was_started_from(root, worktree):
    assert find(worktree.path / "src") == find(root)


def test_inside_a_runs_worktree_made_from_a_linked_one(root, base, tmp_path):
    git(root, "worktree", "add", "-q", str(tmp_path / "second"))
    second = find(tmp_path / "second")
    run = create(second, tmp_path / "run", "loop/x", base)
    assert find(run.path) == second
    git(root, "worktree", "remove", str(tmp_path / "second"))
    assert find(run.path) == find(root)


def test_a_nested_repository_is_its_own(worktree):
    nested = make_repo(worktree.path / "vendor", {"a": "a"})
    assert find(nested).root == nested


def test_a_submodule_is_its_own(root, tmp_path):
    inner = make_repo(tmp_path / "inner", {"a": "a"})
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    found = find(root / "sub")
    assert found.root == root / "sub"
    assert found.git_dir == found.common_dir == root / ".git" / "modules" / "sub"


def test_a_separate_git_folder(tmp_path):
    root = make_repo(tmp_path / "work", {"a": "a"})
    (root / ".git").rename(tmp_path / "elsewhere.git")
    (root / ".git").write_text("gitdir: ../elsewhere.git\n")
    found = find(root)
    assert (found.root, found.common_dir, found.name) == (root, tmp_path / "elsewhere.git", "elsewhere")


@pytest.mark.parametrize("layout", ["shop.git", "shop/.bare", "shop/.git"])
def test_a_bare_repository_has_no_checkout(root, tmp_path, layout):
    bare = tmp_path / "bares" / layout
    git(root, "clone", "-q", "--bare", str(root), str(bare))
    if bare.name == ".bare":
        (bare.parent / ".git").write_text("gitdir: ./.bare\n")
    for place in (bare, bare.parent if layout != "shop.git" else bare / "refs"):
        with pytest.raises(UsageError, match="bare") as caught:
            find(place)
        assert "git worktree add" in caught.value.remedy
    git(bare, "worktree", "add", "-q", str(tmp_path / "work"), "main")
    found = find(tmp_path / "work")
    assert (found.root, found.common_dir, found.name) == (tmp_path / "work", bare, "shop")


def test_no_repository_and_no_folder(tmp_path):
    with pytest.raises(UsageError, match="not inside a git repository") as caught:
        find(tmp_path)
    assert "git init" in caught.value.remedy
    with pytest.raises(UsageError, match="no such folder"):
        find(tmp_path / "nowhere")


def test_a_git_file_that_leads_nowhere(tmp_path):
    (tmp_path / ".git").write_text(f"gitdir: {tmp_path / 'gone'}\n")
    with pytest.raises(UsageError, match="is gone") as caught:
        find(tmp_path)
    assert "repair" in caught.value.remedy


def test_when_the_operators_checkout_is_gone(root, worktree, tmp_path):
    shutil.copytree(root / ".git", tmp_path / "kept.git")
    note = worktree.git_dir / "loopdeck-root"
    note.write_text(str(tmp_path / "gone"))
    assert find(worktree.path) == find(root), "the main worktree stands in"
    (root / ".git").rename(root / "git")
    (worktree.path / ".git").write_text(f"gitdir: {root / 'git' / 'worktrees' / 'fix-1'}\n")
    with pytest.raises(UsageError, match="is gone"):
        find(worktree.path)


def test_strange_characters_in_the_path(tmp_path):
    root = make_repo(tmp_path / "a b\nü'\"", {"a": "a"})
    found = find(root)
    assert (found.root, found.name) == (root, root.name)
    run = create(found, tmp_path / "run\nof ü", "loop/ü/1", git(root, "rev-parse", "HEAD").strip())
    assert find(run.path) == found


def test_finding_takes_well_below_a_process(root):
    started = time.perf_counter()
    for _ in range(100):
        find(root / "src")
    assert (time.perf_counter() - started) / 100 < 0.005


def test_not_a_repository_above_a_broken_one(tmp_path):
    outer = make_repo(tmp_path / "outer", {"a": "a"})
    (outer / "inner" / ".git").mkdir(parents=True)
    assert find(Path(outer / "inner")).root == outer, "as git itself sees it"
