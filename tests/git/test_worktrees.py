"""Worktrees: made, refused, reused, taken away; and the operator's checkout none the wiser."""

import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loopdeck.errors import WorkspaceError
from loopdeck.git import settings, trash, tree
from loopdeck.git.admin import open_worktree, ours
from loopdeck.git.pool import Pool
from loopdeck.git.repository import find
from loopdeck.git.worktrees import clear, create, remove, retire
from tests.kit.repos import all_files, git, status, write_files


def _branches(root: Path) -> set[str]:
    return set(git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads").split())


def _registered(root: Path) -> list[str]:
    folder = root / ".git" / "worktrees"
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def test_a_worktree_has_the_files_the_branch_and_a_lock(root, worktree, base):
    assert (worktree.path / "src" / "calc.py").read_text().startswith("def add")
    assert git(worktree.path, "status", "--porcelain=v2", "--branch").splitlines() == [
        f"# branch.oid {base}",
        "# branch.head loop/fix/1",
    ]
    listed = git(root, "worktree", "list", "--porcelain")
    assert "branch refs/heads/loop/fix/1\nlocked loopdeck: fix-1" in listed
    git(root, "worktree", "prune", "--expire=now")
    assert open_worktree(worktree.repo, worktree.path) == worktree


def test_the_operators_checkout_and_configuration_stay_as_they_were(root, repo, base, tmp_path, pool):
    write_files(root, {"README.md": "mine\n", "untracked": "mine"})
    git(root, "config", "branch.autoSetupMerge", "always")
    git(root, "config", "extensions.worktreeConfig", "true")
    (root / ".git" / "config.worktree").write_text("[core]\n\tsparseCheckout = false\n")
    seen, config, index = status(root), (root / ".git" / "config").read_bytes(), (root / ".git" / "index").read_bytes()
    one = create(repo, tmp_path / "worktrees" / "one", "loop/a/1", base, pool=pool)
    two = create(repo, tmp_path / "worktrees" / "two", "loop/a/2", base, sparse=["src"])
    write_files(one.path, {"README.md": "theirs\n", "new": "theirs"})
    tree.commit_all(one, "work", base=base)
    retire(one, pool)
    remove(two)
    assert (root / ".git" / "config").read_bytes() == config
    assert (root / ".git" / "index").read_bytes() == index
    assert status(root) == seen
    assert not list((root / ".git").glob("worktrees/*/config.worktree"))


@pytest.mark.req("S2-055")
def test_two_loops_edit_the_same_file_and_neither_changes_the_other(root, repo, base, tmp_path):
    before = status(root), all_files(root / "src")
    made = [create(repo, tmp_path / f"w{n}", f"loop/l{n}/1", base) for n in (1, 2)]
    for n, one in enumerate(made):
        write_files(one.path, {"src/calc.py": f"{n}\n", f"new-{n}": "x"})
    assert [(one.path / "src" / "calc.py").read_text() for one in made] == ["0\n", "1\n"]
    commits = [tree.commit_all(one, "work", base=base) for one in made]
    assert [commit.files for commit in commits] == [("new-0", "src/calc.py"), ("new-1", "src/calc.py")]
    assert git(root, "show", "loop/l1/1:src/calc.py") == "0\n"
    assert git(root, "show", "loop/l2/1:src/calc.py") == "1\n"
    assert (status(root), all_files(root / "src")) == before
    for one in made:
        remove(one)
    trash.sweep(tmp_path)
    assert _registered(root) == []
    assert git(root, "worktree", "list").count("\n") == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".trash", "shop"]
    assert list((tmp_path / ".trash").iterdir()) == []


@pytest.mark.parametrize("there", ["file", "folder", "link"])
def test_a_path_that_exists_is_refused_and_no_branch_left(root, repo, base, tmp_path, there):
    path = tmp_path / "taken"
    {"file": path.touch, "folder": path.mkdir, "link": lambda: path.symlink_to(tmp_path / "nowhere")}[there]()
    with pytest.raises(WorkspaceError, match="already there") as caught:
        create(repo, path, "loop/a/1", base)
    assert caught.value.where == str(path)
    assert _branches(root) == {"main"}
    assert _registered(root) == []


def test_a_branch_that_exists_is_refused_and_stays(root, repo, base, tmp_path):
    git(root, "branch", "loop/a/1")
    with pytest.raises(WorkspaceError, match=r"loop/a/1 exists already") as caught:
        create(repo, tmp_path / "w", "loop/a/1", base)
    assert "git branch -D loop/a/1" in caught.value.remedy
    assert _branches(root) == {"main", "loop/a/1"}
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("other", ["loop", "loop/a/1/x"])
def test_a_branch_in_the_way_by_its_name_is_named(root, repo, base, tmp_path, other):
    git(root, "branch", other)
    with pytest.raises(WorkspaceError, match=f"beside the branch {other}") as caught:
        create(repo, tmp_path / "w", "loop/a/1", base)
    assert f"git branch -m {other}" in caught.value.remedy
    assert _registered(root) == []


def test_a_branch_name_that_git_does_not_take(repo, base, tmp_path):
    with pytest.raises(WorkspaceError, match="can't be made"):
        create(repo, tmp_path / "w", "loop/a..b", base)
    assert not (tmp_path / "w").exists()


def test_a_checkout_that_fails_leaves_nothing_behind(root, repo, base, tmp_path):
    blob = git(root, "rev-parse", "HEAD:src/calc.py").strip()
    (root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(WorkspaceError, match=r"git reset: ") as caught:
        create(repo, tmp_path / "w", "loop/a/1", base)
    assert caught.value.where
    assert not (tmp_path / "w").exists()
    assert (_branches(root), _registered(root)) == ({"main"}, [])


def test_a_base_that_is_no_commit_leaves_nothing_behind(root, repo, tmp_path):
    with pytest.raises(WorkspaceError):
        create(repo, tmp_path / "w", "loop/a/1", "1" * 40)
    assert (_branches(root), _registered(root)) == ({"main"}, [])


def test_detached(repo, base, tmp_path):
    made = create(repo, tmp_path / "w", "", base)
    assert git(made.path, "status", "--porcelain=v2", "--branch").splitlines()[1] == "# branch.head (detached)"
    assert open_worktree(repo, made.path).branch == ""


def test_sparse(root, repo, base, tmp_path):
    made = create(repo, tmp_path / "w", "loop/a/1", base, sparse=["src/deep", "/tests/**"])
    assert set(all_files(made.path)) >= {"README.md", "src/deep/er/low.py", "tests/test_calc.py", "tests/data/one.json"}
    assert not {"src/calc.py", "with space/", ".loopdeck/"} & set(all_files(made.path))
    assert git(made.path, "status", "--porcelain") == ""
    write_files(made.path, {"tests/test_calc.py": "changed\n"})
    done = tree.commit_all(made, "work", base=base)
    assert done.files == ("tests/test_calc.py",)
    assert git(root, "ls-tree", "-r", "--name-only", done.commit) == git(root, "ls-tree", "-r", "--name-only", "main")


def test_an_operator_with_a_sparse_checkout_gets_whole_worktrees(root, tmp_path):
    git(root, "config", "core.sparseCheckout", "true")
    git(root, "sparse-checkout", "set", "tests")
    assert not (root / "src").exists()
    made = create(find(root), tmp_path / "w", "loop/a/1", git(root, "rev-parse", "HEAD").strip())
    assert (made.path / "src" / "calc.py").exists()
    assert git(made.path, "status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["with space", "ünï-😀", "new\nline", "-dash", "quote'\"", "*star?"])
def test_names_of_all_kinds(root, repo, base, tmp_path, name, pool):
    for branch in ("loop/one/1", "loop/two/1"):
        made = create(repo, tmp_path / name, branch, base, pool=pool)
        write_files(
            made.path, {"a b": "x", "ü": "x", "new\nline": "x", "tab\t": "x", '"quoted"': "x", "-dash": "x", "*": "x", ":(top)x": "x"}
        )
        done = tree.commit_all(made, "work", base=base)
        assert sorted(done.files) == sorted(["a b", "ü", "new\nline", "tab\t", '"quoted"', "-dash", "*", ":(top)x"])
        assert open_worktree(repo, made.path) == made
        retire(made, pool)
    assert not (tmp_path / name).exists()


def test_a_worktree_that_is_not_there(repo, worktree, tmp_path):
    with pytest.raises(WorkspaceError, match="registered here"):
        open_worktree(repo, tmp_path / "never")
    trash.delete(worktree.path)
    lost = open_worktree(repo, worktree.path)
    with pytest.raises(WorkspaceError, match="gone") as caught:
        lost.git()
    assert caught.value.where == str(worktree.path)
    assert "loop/fix/1" in caught.value.remedy
    remove(lost)
    assert list(ours(repo)) == []


@pytest.mark.pain(3)
def test_what_the_operator_made_is_not_ours(root, repo, worktree, tmp_path):
    git(root, "worktree", "add", "-q", str(tmp_path / "second"))
    assert list(ours(repo)) == [worktree]


def test_sweeping_follows_no_link(tmp_path):
    write_files(tmp_path, {"precious/file": "x", "w/one/a": "a"})
    (tmp_path / "w" / "one" / "link").symlink_to(tmp_path / "precious")
    trash.put_aside(tmp_path / "w" / "one")
    assert not (tmp_path / "w" / "one").exists()
    (tmp_path / "w" / ".trash" / "linked").symlink_to(tmp_path / "precious")
    trash.sweep(tmp_path / "w")
    assert (tmp_path / "precious" / "file").read_text() == "x"
    assert list((tmp_path / "w" / ".trash").iterdir()) == []
    trash.sweep(tmp_path / "nowhere")
    trash.put_aside(tmp_path / "w" / "never")


class _FileLock:
    """A lock between processes, as a runner holds one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self.path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _create_one(root: str, folder: str, commit: str, number: int) -> str:
    """Create, commit in, retire and create again; the word on what went wrong, or nothing."""
    pool = Pool(Path(folder) / ".pool", _FileLock(Path(folder) / "lock"))
    repo = find(Path(root))
    try:
        first = create(repo, Path(folder) / f"a{number}", f"loop/a/{number}", commit, pool=pool)
        write_files(first.path, {"src/calc.py": f"{number}\n"})
        done = tree.commit_all(first, "work", base=commit)
        retire(first, pool)
        second = create(repo, Path(folder) / f"b{number}", f"loop/b/{number}", done.commit, pool=pool)
        read = (second.path / "src" / "calc.py").read_text()
        return "" if read == f"{number}\n" else f"wrong file: {read}"
    except Exception as error:
        return repr(error)


@pytest.mark.pain(19)
def test_forty_processes_create_commit_and_retire_at_once(root, base, tmp_path):
    folder = tmp_path / "worktrees"
    folder.mkdir()
    context = multiprocessing.get_context("forkserver")
    with context.Pool(10) as processes:
        said = processes.starmap(_create_one, [(str(root), str(folder), base, number) for number in range(40)], chunksize=1)
    assert said == [""] * 40
    assert len(_branches(root)) == 81
    assert git(root, "fsck", "--no-dangling") == ""
    for number in range(40):
        assert git(root, "show", f"loop/b/{number}:src/calc.py") == f"{number}\n"
    assert len(list((folder / ".pool").glob("[!.]*"))) <= 8


_CREATING = (
    "import sys, pathlib; from loopdeck.git.repository import find; from loopdeck.git.worktrees import create;"
    "create(find(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]), 'loop/a/1', sys.argv[3])"
)


@pytest.mark.parametrize(
    "moment", ["shop/.git/refs/heads/loop/a/1", "shop/.git/worktrees/w", "w", "shop/.git/worktrees/w/loopdeck-root", "w/src"]
)
def test_a_creation_killed_at_any_moment_can_be_made_again(root, repo, base, tmp_path, moment):
    path = tmp_path / "w"
    env = os.environ | {"PYTHONPATH": str(Path(settings.__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", _CREATING, str(root), str(path), base], env=env, start_new_session=True)
    while process.poll() is None and not os.path.lexists(tmp_path / moment):
        pass
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert os.path.lexists(tmp_path / moment)
    clear(repo, path, "loop/a/1", base)
    assert (_branches(root), git(root, "worktree", "list").count("\n"), path.exists()) == ({"main"}, 1, False)
    made = create(repo, path, "loop/a/1", base)
    assert git(made.path, "status", "--porcelain") == ""
    assert git(root, "fsck", "--no-dangling") == ""


def test_clearing_away_leaves_work_alone(root, repo, worktree, base):
    write_files(worktree.path, {"new": "x"})
    tree.commit_all(worktree, "work", base=base)
    clear(repo, worktree.path, worktree.branch, base)
    assert not worktree.path.exists()
    assert git(root, "show", "loop/fix/1:new") == "x"
