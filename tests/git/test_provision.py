"""Copies and links: there when they can be, left out with a word when not, never outside."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from loopdeck.git.provision import Provisioned, provision
from tests.kit.repos import status, write_files


@pytest.fixture
def tree(worktree):
    """The worktree's root."""
    return worktree.path


def provided(root: Path, tree: Path, word: str, entries: Sequence[str]) -> Provisioned:
    """These `entries`, copied or linked."""
    return provision(root, tree, copy=entries) if word == "copy" else provision(root, tree, link=entries)


def test_files_and_folders_are_copied(root, tree):
    write_files(root, {".env": "KEY=1", "data/a/b": "b", "data/c": "c"})
    (root / ".env").chmod(0o600)
    (root / "data" / "link").symlink_to("c")
    (root / "data" / "python").symlink_to("/usr/bin/python3")
    (root / "data" / "empty").mkdir()
    (root / "data" / "a" / "b").chmod(0o755)
    os.utime(root / "data" / "c", (1_000_000_000, 1_000_000_000))
    done = provision(root, tree, copy=[".env", "data/"])
    assert done.paths == (".env", "data")
    assert done.notices == ()
    assert (tree / ".env").read_text() == "KEY=1"
    assert (tree / ".env").stat().st_mode & 0o777 == 0o600
    assert os.access(tree / "data" / "a" / "b", os.X_OK)
    assert (tree / "data" / "c").stat().st_mtime == 1_000_000_000
    assert (tree / "data" / "link").readlink().name == "c"
    assert str((tree / "data" / "python").readlink()) == "/usr/bin/python3"
    assert (tree / "data" / "empty").is_dir()
    (tree / ".env").write_text("KEY=2")
    assert (root / ".env").read_text() == "KEY=1"


def test_links_are_shared_and_say_so(root, tree):
    write_files(root, {"node_modules/lib/index.js": "x", "packages/a/node_modules/b": "x"})
    before = status(root)
    done = provision(root, tree, link=["node_modules", "packages/a/node_modules"])
    assert done.paths == ("node_modules", "packages/a/node_modules")
    assert [notice.split(" is shared")[0] for notice in done.notices] == ["link: node_modules", "link: packages/a/node_modules"]
    assert all("without a sandbox the maker can write" in notice for notice in done.notices)
    assert (tree / "node_modules").readlink() == root / "node_modules"
    assert (tree / "packages" / "a" / "node_modules" / "b").read_text() == "x"
    assert status(root) == before


def test_globs(root, tree):
    write_files(root, {".env": "x", ".env.local": "x", "apps/a/.env": "x", "apps/b/.env": "x", "apps/b/other": "x"})
    done = provision(root, tree, copy=[".env*", "apps/*/.env", "*.nothing"])
    assert set(done.paths) == {".env", ".env.local", "apps/a/.env", "apps/b/.env"}
    assert done.notices == ("copy: *.nothing is not in your checkout, so the run has none",)
    assert not (tree / "apps" / "b" / "other").exists()


@pytest.mark.parametrize("word", ["copy", "link"])
def test_what_is_missing_is_noticed(root, tree, word):
    done = provided(root, tree, word, [".env", "node_modules"])
    assert done.paths == ()
    assert [notice.split(" is ")[0] for notice in done.notices] == [f"{word}: .env", f"{word}: node_modules"]


@pytest.mark.parametrize("word", ["copy", "link"])
@pytest.mark.parametrize(
    "entry", ["../secret", "out", "out/file", "/etc/hostname", ".", "src/../../secret", ".git", ".git/config", ".loopdeck"]
)
def test_nothing_from_elsewhere(root, tree, tmp_path, word, entry):
    (tmp_path / "secret").write_text("secret")
    (root / "out").symlink_to(tmp_path / "elsewhere")
    write_files(tmp_path, {"elsewhere/file": "secret"})
    before = (tree / ".git").read_bytes(), sorted(tree.iterdir())
    done = provided(root, tree, word, [entry])
    assert done.paths == ()
    assert len(done.notices) == 1
    assert ((tree / ".git").read_bytes(), sorted(tree.iterdir())) == before


def test_nothing_to_elsewhere(root, tree, tmp_path):
    """Below a link, or a file, in the worktree: a tracked link could lead anywhere."""
    write_files(root, {"conf/x": "mine", "note/x": "mine", "deep/a/b": "mine"})
    (tmp_path / "elsewhere").mkdir()
    (tree / "conf").symlink_to(tmp_path / "elsewhere")
    (tree / "note").write_text("a file")
    (tree / "deep").symlink_to("nowhere")
    for word in ("copy", "link"):
        done = provided(root, tree, word, ["conf/x", "note/x", "deep/a/b", "conf"])
        assert done.paths == ()
        assert len(done.notices) == 4
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not os.path.lexists(tree / "nowhere")


def test_tracked_files_are_never_replaced(root, tree):
    write_files(root, {"README.md": "mine", "src/calc.py": "mine", "src/local.py": "mine", "src/deep/er/local.py": "mine"})
    done = provision(root, tree, copy=["README.md", "src"], link=["tests"])
    assert done.paths == ("src/deep/er/local.py", "src/local.py")
    assert (tree / "README.md").read_text() == "# Shop\n"
    assert (tree / "src" / "calc.py").read_text().startswith("def add")
    assert (tree / "src" / "local.py").read_text() == "mine"
    assert [notice.split(" is ")[0] for notice in done.notices] == ["copy: README.md", "link: tests"]
    assert not (tree / "tests").is_symlink()


def test_pipes_are_skipped(root, tree):
    write_files(root, {"run/a": "x"})
    os.mkfifo(root / "run" / "pipe")
    done = provision(root, tree, copy=["run", "run/pipe"])
    assert done.paths == ("run",)
    assert not (tree / "run" / "pipe").exists()


def test_a_link_inside_the_checkout_is_copied_as_what_it_leads_to(root, tree):
    write_files(root, {"shared/env": "x"})
    (root / ".env").symlink_to("shared/env")
    done = provision(root, tree, copy=[".env"])
    assert done.paths == (".env",)
    assert not (tree / ".env").is_symlink()
    assert (tree / ".env").read_text() == "x"


def test_names_of_all_kinds(root, tree):
    names = ["a b", "ü", "new\nline", "[x]", "*"]
    write_files(root, dict.fromkeys(names, "x"))
    assert set(provision(root, tree, copy=names).paths) == set(names)
