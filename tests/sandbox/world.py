"""A person's machine in a folder: a home with secrets, a repository, a deck with a run, and things that listen. To be broken into."""

import contextlib
import ctypes
import hashlib
import os
import socket
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loopdeck.sandbox.toolchains import toolchains
from loopdeck.sandbox.walls import Walls
from tests.kit.repos import git, make_repo

SECRET_PLACES = (
    ".ssh/id_ed25519", ".aws/credentials", ".netrc", ".git-credentials", ".config/gh/hosts.yml", ".docker/config.json", ".kube/config",
    ".npmrc", ".pypirc", ".bash_history", ".gnupg/private.key", ".cargo/credentials.toml", ".config/gcloud/token.json", ".env",
    "Documents/diary.txt", ".mozilla/cookies.sqlite",
)  # fmt: skip
PROTECTED = ("tests/**", "pkg/deep/tests/**", "later/**")


@dataclass
class World:
    """Where everything is, and what has come in."""

    base: Path
    canary: str = field(default_factory=lambda: f"canary-{uuid.uuid4().hex}")
    heard: list[bytes] = field(default_factory=list)
    tcp: int = 0
    udp: int = 0
    victim: int = 0

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def repo(self) -> Path:
        return self.base / "repo"

    @property
    def deck(self) -> Path:
        return self.base / "state" / "deck"

    @property
    def tree(self) -> Path:
        return self.deck / "worktrees" / "loop-run"

    @property
    def run(self) -> Path:
        return self.deck / "runs" / "loop" / "run"

    @property
    def outside(self) -> Path:
        return self.base / "outside"

    @property
    def mark(self) -> str:
        """A word that is this world's, and no secret."""
        return hashlib.sha256(self.canary.encode()).hexdigest()[:12]

    @property
    def env(self) -> dict[str, str]:
        """What a command is given, and where an attacker may assume things to be."""
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", "OUT": str(self.outside), "REPO": str(self.repo),
            "DECK": str(self.deck), "RUN": str(self.run), "TREE": str(self.tree), "TCP": str(self.tcp), "UDP": str(self.udp),
            "ABSTRACT": self.mark, "VICTIM": str(self.victim), "SOCKET": str(self.deck / "births"), "MARK": self.mark,
            "SEGMENT": str(int(self.mark[:7], 16) + 1),
        }  # fmt: skip

    def walls(self) -> Walls:
        """As a runner builds them."""
        return Walls(
            self.tree, home=self.home, hidden=(self.base / "state",), tools=toolchains(self.env, self.home),
            shared=(self.repo / ".git",), protect=PROTECTED,
        )  # fmt: skip


_libc = ctypes.CDLL(None)
_CREATED = 0o1000


@contextmanager
def world(base: Path) -> Iterator[World]:
    """Make one; when it is left nothing of it runs any more."""
    made = World(base.resolve())
    _furnish(made)
    with contextlib.ExitStack() as stack:
        victim = subprocess.Popen(
            ["sleep", "600"], env={"PATH": os.environ["PATH"], "VICTIM_SECRET": made.canary}, start_new_session=True
        )
        stack.callback(victim.wait)
        stack.callback(victim.kill)
        made.victim = victim.pid
        segment = _libc.shmget(int(made.env["SEGMENT"]), 4096, _CREATED | 0o666)
        if segment >= 0:
            stack.callback(_libc.shmctl, segment, 0, None)
        made.tcp = _listen(stack, made, socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))[1]
        made.udp = _listen(stack, made, socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))[1]
        _listen(stack, made, socket.AF_UNIX, socket.SOCK_STREAM, f"\0loopdeck-{made.mark}")
        here = Path.cwd()
        try:
            # The path of a socket can't be long.
            os.chdir(made.deck)
            _listen(stack, made, socket.AF_UNIX, socket.SOCK_STREAM, "births")
        finally:
            os.chdir(here)
        yield made


def _furnish(made: World) -> None:
    for place in SECRET_PLACES:
        _write(made.home / place, f"token = {made.canary}\n")
    _write(made.home / ".bashrc", "# mine\n")
    _write(made.outside / "file", "mine\n")
    _write(made.outside / "secret", f"{made.canary}\n")
    repo = make_repo(
        made.repo,
        {
            "README.md": "# x\n",
            "tests/test_a.py": "assert True\n", "pkg/deep/tests/test_b.py": "assert True\n", "pkg/a.py": "a = 1\n",
            ".vscode/settings.json": "{}\n", ".github/dependabot.yml": "version: 2\n", "sub/.envrc": "export A=1\n",
        },
    )  # fmt: skip
    _write(repo / "local.txt", f"never committed: {made.canary}\n")
    (repo / "GEMINI.md").symlink_to("README.md")
    git(repo, "add", "GEMINI.md")
    git(repo, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "link")
    made.tree.parent.mkdir(parents=True)
    git(repo, "worktree", "add", "-q", "-b", "loop/x", str(made.tree))
    git(repo, "worktree", "add", "-q", "-b", "loop/y", str(made.tree.with_name("sibling")))
    _write(made.run / "journal.jsonl", '{"seq":1}\n')
    _write(made.run / "trace.jsonl", f"{made.canary}\n")
    _write(made.run / "lease", "{}")
    (made.run / "inbox").mkdir()
    _write(made.deck / "state" / "other" / "STATE.md", "# other\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _listen(stack: contextlib.ExitStack, made: World, family: int, kind: int, address: Any) -> tuple[str, int]:
    listener = stack.enter_context(socket.socket(family, kind))
    listener.bind(address)
    if kind == socket.SOCK_STREAM:
        listener.listen()
    listener.settimeout(0.05)
    over = threading.Event()

    def hear() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                if kind == socket.SOCK_STREAM:
                    connection, _ = listener.accept()
                    connection.close()
                    made.heard.append(b"connected")
                else:
                    made.heard.append(listener.recv(100))

    thread = threading.Thread(target=hear)
    thread.start()
    stack.callback(thread.join)
    stack.callback(over.set)
    name = listener.getsockname()
    return name if isinstance(name, tuple) else (str(name), 0)
