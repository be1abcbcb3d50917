"""Commits of runs beside an operator who collects garbage with no mercy."""

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from loopdeck.errors import WorkspaceError
from loopdeck.git.program import executable
from loopdeck.git.tree import commit_all
from loopdeck.git.worktrees import create
from tests.kit.repos import git, write_files

GC = ("gc", "-q", "--prune=now")
PRUNE = ("prune", "--expire=now")


def race(repo, root, base, tmp_path, worktrees: int, commits: int, command: tuple[str, ...] = GC) -> tuple[int, int]:
    """Commit in many worktrees while `command` runs without end: how often a commit was refused, and how often that ran."""
    over, one_at_a_time = threading.Event(), threading.Lock()
    collected = 0

    def collect() -> None:
        nonlocal collected
        while not over.is_set():
            subprocess.run([executable(), *command], cwd=root, capture_output=True, check=False)
            collected += 1

    def work(number: int) -> int:
        # As runs do: git itself trips over two that are made at once.
        with one_at_a_time:
            worktree = create(repo, tmp_path / f"trees/w{number}", f"loop/race/{number}", base)
        tip, refused = base, 0
        for each in range(commits):
            write_files(worktree.path, {f"f{each}-{file}.txt": f"{number} {each} {file}\n" * 20 for file in range(5)})
            try:
                tip = commit_all(worktree, f"{each}", base=base, tip=tip).commit
            except WorkspaceError:
                refused += 1
        return refused

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            refused = sum(pool.map(work, range(worktrees)))
    finally:
        over.set()
        collector.join()
    assert git(root, "fsck", "--connectivity-only", "--no-dangling") == ""
    for number in range(worktrees):
        listed = git(root, "ls-tree", "--name-only", f"loop/race/{number}").split()
        assert sum(name.endswith(".txt") for name in listed) >= 5 * commits - 5, (number, listed)
    return refused, collected


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_no_commit_is_lost_beside_a_merciless_gc(repo, root, base, tmp_path):
    refused, collected = race(repo, root, base, tmp_path, 16, 20)
    # The figures are what a chaos suite is for.
    print(f"\n320 commits in 16 worktrees beside {collected} gc --prune=now: {refused} refused, 0 lost")  # noqa: T201 - the figures are the output
    assert refused == 0


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_no_commit_is_lost_beside_a_merciless_prune(repo, root, base, tmp_path):
    refused, collected = race(repo, root, base, tmp_path, 16, 20, PRUNE)
    print(f"\n320 commits in 16 worktrees beside {collected} prune --expire=now: {refused} refused, 0 lost")  # noqa: T201 - as above
    assert refused == 0


@pytest.mark.parametrize("command", [GC, PRUNE], ids=lambda words: words[0])
@pytest.mark.pain(19)
def test_a_few_commits_beside_it(repo, root, base, tmp_path, command):
    refused, collected = race(repo, root, base, tmp_path, 2, 3, command)
    assert (refused, collected > 0) == (0, True)
