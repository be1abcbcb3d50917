"""What this machine could confine a command with. Facts for `loopdeck doctor`: that something is there does not say it is used."""

import shutil
import subprocess
import sys
from pathlib import Path

from loopdeck.sandbox import family

_SYSTEM = "/usr/bin/bwrap"
_MOST_SECONDS = 5.0
_TRIAL = ("--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")


def probe() -> tuple[str, ...]:
    """One sentence for each way to hold a command; runs what it speaks of, so it takes some 50 ms."""
    return (_bubblewrap(), _leftovers())


def _bubblewrap() -> str:
    # The one of the system is the only one that some distributions let make namespaces.
    path = _SYSTEM if Path(_SYSTEM).exists() else shutil.which("bwrap")
    if path is None:
        why = "is not made for this system" if sys.platform == "darwin" else "is not installed"
        return f"bubblewrap {why}: commands can't be confined with it"
    version = _output(path, "--version").removeprefix("bubblewrap").strip() or "of unknown version"
    refused = _output(path, *_TRIAL, "/bin/sh", "-c", "echo held")
    if refused == "held":
        return f"bubblewrap {version} at {path} can make a sandbox here"
    return f"bubblewrap {version} at {path} can't make a sandbox here: {refused[:200] or 'no reason given'}"


def _leftovers() -> str:
    if family.HAS_PROC:
        return "processes that a command leaves behind are found by their marks, wherever they go"
    return "processes that a command leaves behind are found by descent and environment, as well as that can be done here"


def _output(*argv: str) -> str:
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_MOST_SECONDS, env={}, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout.decode("utf-8", "replace").strip()
