"""A repository, its parts and a git without the developer's own configuration, for every test of this folder."""

import os
from pathlib import Path

import pytest

from loopdeck.git.admin import Worktree
from loopdeck.git.base import resolve_base
from loopdeck.git.pool import Pool
from loopdeck.git.repository import Repository, find
from loopdeck.git.worktrees import create
from tests.kit.repos import make_repo

FILES: dict[str, str | bytes] = {
    "README.md": "# Shop\n",
    ".gitignore": "*.log\nbuild/\n__pycache__/\n",
    "src/calc.py": "def add(a, b):\n    return a + b\n",
    "src/deep/er/low.py": "LOW = 1\n",
    "tests/test_calc.py": "from calc import add\n",
    "tests/data/one.json": "{}\n",
    ".loopdeck/deck.toml": "[deck]\n",
    "with space/ünï.txt": "x\n",
}


@pytest.fixture(autouse=True)
def _own_configuration(monkeypatch):
    """The developer's configuration and environment have no say."""
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The operator's checkout."""
    return make_repo(tmp_path / "shop", FILES)


@pytest.fixture
def repo(root: Path) -> Repository:
    """The operator's repository."""
    return find(root)


@pytest.fixture
def base(repo: Repository) -> str:
    """The commit it is at."""
    return resolve_base(repo).commit


@pytest.fixture
def worktree(repo: Repository, base: str, tmp_path: Path) -> Worktree:
    """A run's worktree."""
    return create(repo, tmp_path / "worktrees" / "fix-1", "loop/fix/1", base)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """A pool beside the worktrees."""
    return Pool(tmp_path / "worktrees" / ".pool")
