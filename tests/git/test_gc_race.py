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


def race(repo, root, base, tmp_path, worktrees: int, commits: int) -> tuple[int, int]:
    """Commit in many worktrees while `gc --prune=now` runs without end: how often that was refused, and how often gc ran."""
    over = threading.Event()
    collected = 0

    def collect() -> None:
        nonlocal collected
        while not over.is_set():
            subprocess.run([executable(), "gc", "-q", "--prune=now"], cwd=root, capture_output=True, check=False)
            collected += 1

    def work(number: int) -> int:
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
    assert git(root, "fsck", "--connectivity-only") == ""
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


def test_a_few_commits_beside_it(repo, root, base, tmp_path):
    refused, collected = race(repo, root, base, tmp_path, 2, 3)
    assert (refused, collected > 0) == (0, True)
