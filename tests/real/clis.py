"""The agents' own programs, installed by npm into a folder that outlives the tests, outside of any repository.

`LOOPDECK_TEST_CLIS` names that folder; without it, one in the user's cache. A version is installed once. `python -m tests.real.clis`
installs all of them beforehand.
"""

import fcntl
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

VERSIONS = {
    "claude": ("@anthropic-ai/claude-code", "2.1.329"),
    "codex": ("@openai/codex", "0.169.0"),
    "gemini": ("@google/gemini-cli", "0.61.0"),
    "opencode": ("opencode-ai", "1.18.33"),
    "qwen": ("@qwen-code/qwen-code", "0.24.4"),
    "pi-acp": ("pi-acp", "0.0.34"),
}
"""By the name of the program: its package, and the version that was last looked at. `LOOPDECK_TEST_CLAUDE=2.2.0` tries another."""
_BESIDES = {"qwen": ("node@22",), "pi-acp": ("@earendil-works/pi-coding-agent@0.87.1", "node@22")}
"""What a program needs besides: one that wants a newer Node than the machine's brings its own, first on its PATH."""
_INSTALL_S = 600


def bin_of(name: str) -> Path:
    """The folder with the program `name`, for the PATH; skips the test, with a reason, where it can't be had."""
    folder, why = _installed(name)
    if folder is None:
        pytest.skip(why)
    return folder


@cache
def _installed(name: str) -> tuple[Path | None, str]:
    package, version = VERSIONS[name]
    version = os.environ.get(f"LOOPDECK_TEST_{name.upper()}", version)
    place = _cache() / f"{name}-{version}"
    programs = place / "node_modules/.bin"
    npm = shutil.which("npm")
    if npm is None:
        return None, f"{name} can't be installed: there is no npm"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _runs(programs / name):
            command = [
                npm,
                "install",
                "--prefix",
                str(place),
                "--no-audit",
                "--no-fund",
                "--no-save",
                f"{package}@{version}",
                *_BESIDES.get(name, ()),
            ]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
            except subprocess.TimeoutExpired:
                return None, f"{name} can't be installed: npm did not come to an end"
            if done.returncode or not _runs(programs / name):
                return None, f"{name} can't be installed: {(done.stderr or done.stdout).strip()[-300:]}"
    return programs, ""


def _cache() -> Path:
    given = os.environ.get("LOOPDECK_TEST_CLIS")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loopdeck-tests"


def _runs(program: Path) -> bool:
    try:
        env = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
        asked = [str(program), "--version"]
        done = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False, env=env)
        return done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


if __name__ == "__main__":
    for each in VERSIONS:
        found, problem = _installed(each)
        print(each, found or problem)  # noqa: T201 - what whoever started it reads
