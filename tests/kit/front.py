"""The front door: `loopdeck` run as a process of its own, in a real repository, with a home that nobody else has.

Invariant: whatever a test starts through here has ended when its `opened` is left, and nothing outside the test's folder was
touched: no git configuration, key or deck of the person who runs the tests is seen.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from loopdeck.deck.decks import Deck
from loopdeck.deck.serving import SWITCH
from tests.kit.repos import environment, make_repo

_SEEN = ("PATH", "LOOPDECK_SANDBOX", "TMPDIR", "LANG", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT")


@dataclass(frozen=True)
class Said:
    """What a verb came to: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document it printed; fails if there is more, or none."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """One document a line, as `trace` and `--watch` print."""
        return [json.loads(line) for line in self.out.splitlines()]


class Front:
    """`loopdeck` in the repository at `repo`, with its deck's home below `base`."""

    def __init__(self, repo: Path, base: Path, env: Mapping[str, str] | None = None) -> None:
        self.repo = repo
        self.base = base
        self.env = {name: value for name, value in environment().items() if name in _SEEN or name.startswith("GIT_")}
        # Most tests kill and resume by hand, and would have to wait for a second process; those of the supervisor switch it on.
        self.env |= {"LC_ALL": "C.UTF-8", "HOME": str(base / "person"), "LOOPDECK_HOME": str(base / "home"), SWITCH: "off"}
        self.env |= env or {}
        (base / "person").mkdir(parents=True, exist_ok=True)

    def start(self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
        """Start a verb without waiting."""
        return subprocess.Popen(
            [sys.executable, "-m", "loopdeck", *args],
            cwd=cwd or self.repo, env={**self.env, **(env or {})},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 50) -> Said:
        """Run a verb to its end."""
        with self.start(*args, cwd=cwd, env=env) as process:
            try:
                out, err = process.communicate(b"", timeout)
            except BaseException:
                process.kill()
                raise
        return Said(process.returncode, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape"))

    def ok(self, *args: str, cwd: Path | None = None, timeout: float = 50) -> Said:
        """Run a verb that must exit 0."""
        said = self.run(*args, cwd=cwd, timeout=timeout)
        assert said.code == 0, f"loopdeck {' '.join(args)}: {said.code}\n{said.out}\n{said.err}"
        return said

    def entry(self, loop: str) -> dict[str, Any]:
        """The loop's newest entry as `status --json` gives it, read in this process: waiting asks for it again and again."""
        entries = [one for one in Deck.open(self.repo, self.env).document()["loops"] if one["loop"] == loop]
        assert entries, f"no loop {loop}"
        return dict(entries[-1])

    def at_work(self, loop: str) -> dict[str, Any]:
        """Wait until the maker of the loop's newest run is at work, and give the run's entry."""
        deadline = time.monotonic() + 30
        while (seen := self.until(loop, "running"))["phase"] != "maker":
            assert time.monotonic() < deadline, f"{loop} is in phase {seen['phase']}"
            time.sleep(0.02)
        return seen

    def until(self, loop: str, *statuses: str, patience_s: float = 30) -> dict[str, Any]:
        """Wait until the loop's newest run has one of `statuses`, and give its entry."""
        deadline = time.monotonic() + patience_s
        while (seen := self.entry(loop))["status"] not in statuses:
            assert time.monotonic() < deadline, f"{loop} is {seen['status']} ({seen['why']}), not {' or '.join(statuses)}"
            assert seen["status"] != "ended", f"{loop} ended: {seen['reason']} ({seen['why']})"
            time.sleep(0.05)
        return seen

    def until_ended(self, loop: str, patience_s: float = 30) -> dict[str, Any]:
        """Wait until the loop's newest run has ended, and give its entry."""
        deadline = time.monotonic() + patience_s
        while (seen := self.entry(loop))["status"] != "ended":
            assert time.monotonic() < deadline, f"{loop} is still {seen['status']} ({seen['why']})"
            time.sleep(0.05)
        return seen

    def runners(self) -> list[psutil.Process]:
        """The runners of this home that live, and all that they have started."""
        return [each for one in self._named("loopdeck.runner") for each in (one, *_below(one))]

    def supervisors(self) -> list[psutil.Process]:
        """The supervisors of this home in the background that live, and their warm processes."""
        return self._named("loopdeck.supervisor") + self._named("loopdeck.supervisor.forkserver")

    def _named(self, module: str) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                if module in words and any(word.startswith(f"{self.base}{os.sep}") for word in words):
                    found.append(process)
        return found

    def end(self) -> None:
        """End what is still running; those first that would start others."""
        for kind in (self.supervisors, self.runners):
            deadline = time.monotonic() + 10
            while left := [process for process in kind() if _lives(process)]:
                assert time.monotonic() < deadline, f"can't be ended: {left}"
                for process in left:
                    with suppress(psutil.Error):
                        process.kill()
                time.sleep(0.01)


def _below(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return list(process.children(recursive=True))
    return []


def _lives(process: psutil.Process) -> bool:
    # Who has been killed may wait a while as a zombie for init, which is nothing to wait for.
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


@contextmanager
def opened(base: Path, files: Mapping[str, str | bytes], env: Mapping[str, str] | None = None) -> Iterator[Front]:
    """A front door in a new repository `base`/repo with one commit of `files`; at the end nothing of it runs any more."""
    base = base.resolve()
    front = Front(make_repo(base / "repo", files), base, env)
    try:
        yield front
    finally:
        front.end()
