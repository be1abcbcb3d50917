"""Goals 24 and 25: worktrees at 10,000 files, had from the pool against made by git, let go against removed by git."""

import itertools
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loopdeck.git import trash
from loopdeck.git.admin import Worktree
from loopdeck.git.base import resolve_base
from loopdeck.git.pool import Pool
from loopdeck.git.repository import find
from loopdeck.git.worktrees import create, remove, retire
from tests.bench.report import goal, rounds
from tests.kit.repos import git, make_repo, write_files

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
FILES = 10_000
TIMES = 5
MEMORY = Path("/dev/shm")


@pytest.fixture(params=["disk", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder on the disk of the temporary files, or in memory."""
    if request.param == "disk":
        yield tmp_path
        return
    if not MEMORY.is_dir():
        pytest.skip("there is no memory disk here")
    folder = Path(tempfile.mkdtemp(dir=MEMORY))
    yield folder
    shutil.rmtree(folder)


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _in_memory(path: Path) -> bool:
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(path)], capture_output=True, text=True, check=True).stdout
    return kind.strip() in {"tmpfs", "ramfs"}


def _work_in(worktree: Worktree) -> None:
    """As after a run: some files changed, some made, some ignored."""
    changed: dict[str, str | bytes] = {f"src/p{n:03}/m{n:05}.py": "changed\n" for n in range(20)}
    write_files(worktree.path, changed | {f"new/{n}": "x" for n in range(20)} | {f"out/{n}.log": "x" for n in range(200)})


def test_a_worktree_for_a_new_loop_and_the_end_of_one(place):
    files: dict[str, str | bytes] = {f"src/p{n % 200:03}/m{n:05}.py": f"VALUE = {n}\n" * (n % 40 + 1) for n in range(FILES)}
    repo = find(make_repo(place / "repo", files | {".gitignore": "*.log\n"}))
    base = resolve_base(repo).commit
    pool = Pool(place / "worktrees" / ".pool")
    number = itertools.count()
    removals: dict[str, list[float]] = {"git": [], "pool": [], "away": []}

    def ours(kind: str, waiting: Pool | None) -> tuple[Worktree, float]:
        name = f"{kind}-{next(number)}"
        started = time.perf_counter()
        worktree = create(repo, place / "worktrees" / name, f"loop/{name}", base, pool=waiting)
        return worktree, time.perf_counter() - started

    def made_by_git() -> float:
        path = place / "worktrees" / f"git-{next(number)}"
        took = _timed(lambda: git(repo.root, "worktree", "add", "-q", "-b", path.name, str(path)))
        removals["git"].append(_timed(lambda: git(repo.root, "worktree", "remove", "--force", str(path))))
        return took

    def out_of_the_pool() -> float:
        worktree, took = ours("pool", pool)
        _work_in(worktree)
        removals["pool"].append(_timed(lambda: retire(worktree, pool)))
        return took

    def made_by_us() -> float:
        worktree, took = ours("new", None)
        removals["away"].append(_timed(lambda: remove(worktree)))
        trash.sweep(worktree.path.parent)
        return took

    out_of_the_pool()
    removals["pool"].clear()
    plain, pooled, new = rounds(TIMES, made_by_git, out_of_the_pool, made_by_us)
    by_git, into_pool, away = (sorted(times)[len(times) // 2] for times in removals.values())
    kind = "memory" if _in_memory(place) else "disk"
    made = f"git worktree add {plain * 1e3:.0f} ms, from the pool {pooled * 1e3:.0f} ms, new {new * 1e3:.0f} ms"
    gone = f"git worktree remove {by_git * 1e3:.0f} ms, into the pool {into_pool * 1e3:.1f} ms, away {away * 1e3:.1f} ms"
    # The figures are the very output of a bench.
    print(f"\n{FILES} files on {kind}: {made}; {gone}")  # noqa: T201
    goal(24, f"worktree from the pool / git worktree add, {kind}", pooled / plain, 1.1, 0.7 if kind == "memory" else 0.1)
    goal(25, f"worktree into the pool / git worktree remove, {kind}", into_pool / by_git, 0.3, 0.1)
    goal(25, f"worktree put aside / git worktree remove, {kind}", away / by_git, 0.3, 0.1)
