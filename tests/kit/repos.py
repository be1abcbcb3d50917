"""Real git repositories for tests, made fast and without regard to the machine's own git configuration.

Invariant: nothing here reads or writes a git configuration outside the repository it is given, so that a developer's hooks, signing
keys or default branch never change a test.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

_CONFIG = "[user]\n\tname = Olga Operator\n\temail = olga@example.org\n"


def environment() -> dict[str, str]:
    """The environment git is run in: ours without any GIT_ variable, with no configuration but the repository's."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return env | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def git(path: Path, *args: str, stdin: str = "") -> str:
    """Run git in `path` as the operator would, and give its output; the test fails with git's own words if git does."""
    done = subprocess.run(["git", "-C", str(path), *args], input=stdin.encode(), capture_output=True, env=environment(), check=False)
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode(errors="surrogateescape")


def write_files(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write `files` (path relative to `root` → content) with the folders they need."""
    for name, content in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)


def commit_files(root: Path, files: Mapping[str, str | bytes], message: str = "more") -> str:
    """Write `files`, commit everything in the checkout at `root`, and give the commit's id."""
    write_files(root, files)
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD").strip()


def make_repo(path: Path, files: Mapping[str, str | bytes], *, branch: str = "main") -> Path:
    """A repository at `path` on `branch` with one commit of `files` (none at all if `files` is empty), by Olga Operator."""
    path.mkdir(parents=True, exist_ok=True)
    git(path, "init", "-q", "--template=", "-b", branch)
    with (path / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write(_CONFIG)
    if files:
        commit_files(path, files, "start")
    return path


def all_files(path: Path) -> dict[str, bytes]:
    """All files, links and folders below `path`, but for `.git`."""
    found = {}
    for entry in sorted(path.rglob("*")):
        if entry.is_symlink():
            found[str(entry.relative_to(path))] = b"-> " + os.fsencode(entry.readlink())
        elif entry.is_file() and entry != path / ".git":
            found[str(entry.relative_to(path))] = entry.read_bytes()
        elif entry.is_dir():
            found[str(entry.relative_to(path)) + "/"] = b""
    return found


def modes_bind() -> bool:
    """True if the modes of files hold for us; they don't for an ordinary root."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0)
        try:
            Path(file.name).read_bytes()
        except PermissionError:
            return True
    return False


def status(path: Path) -> str:
    """What `git status` says of the checkout at `path`, with ignored files, branches and worktrees of all kinds."""
    return git(path, "status", "--porcelain=v2", "--branch", "--ignored", "--untracked-files=all", "-z")
