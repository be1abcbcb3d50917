"""A run's branch pushed, and a pull request opened for it with `gh`: shown first, done only when a person says so.

Invariant: until `opened` is called nothing has left the machine, and what leaves it is what was shown: the branch at that commit, the
title and the text.
"""

import os
import re
import shutil
import subprocess

from msgspec import Struct

from loopdeck.core.text import clean, clean_line
from loopdeck.deck.decks import Deck
from loopdeck.deck.unread import Unread
from loopdeck.deck.view import RunView
from loopdeck.errors import LoopdeckError, UsageError
from loopdeck.git import refs, remote, status
from loopdeck.git.remote import Remote
from loopdeck.store.frozen import thaw
from loopdeck.store.layout import RunPaths

LIMIT_S = 120.0
_MOST_TITLE = 72
_MOST_BODY = 60_000
"""Characters; the service takes 65,536."""
_URL = re.compile(r"https?://\S+")


class Proposal(Struct, frozen=True):
    """What would be pushed and opened: `branch` at `commit` to `remote`, as a request to merge into `into` (empty: its own choice)."""

    branch: str
    commit: str
    remote: Remote
    into: str
    title: str
    body: str
    files: int
    added: int
    removed: int


def has_gh() -> bool:
    """True if there is a `gh` to open one with."""
    return shutil.which("gh") is not None


def propose(deck: Deck, one: RunView, paths: RunPaths, *, into: str = "", title: str = "") -> Proposal:
    """What a pull request of the run would be. Asks nobody outside of this machine.

    Raises UsageError where there is no `gh`, no remote, or nothing to propose.
    """
    run = one.run
    if not has_gh():
        remedy = f"Install it (https://cli.github.com), or push by hand: `git push origin {run.branch}`."
        raise UsageError("there is no `gh` on PATH to open a pull request with", remedy=remedy)
    if one.live or one.status != "ended":
        remedy = f"Wait for its end, or end it: `loopdeck kill {run.id}`."
        raise UsageError(f"the run is still going on: {one.status}", where=run.id, remedy=remedy)
    cargo = Unread(deck).cargo(paths)
    tip = refs.tip(deck.repo, run.branch) if run.branch else None
    if cargo is None or tip is None:
        what = "the run has changed nothing" if tip or cargo is None else "its branch is gone"
        raise UsageError(what, where=run.id, remedy=f"`loopdeck show {run.id}` says how it stands.")
    here = status.read(deck.repo.operators(), (":(top)",)).branch
    goal = thaw(paths.dir).spec.goal
    words = str(clean_line(" ".join(title.split()) or f"{run.loop}: {' '.join(goal.split())}", 1000))
    words = words if len(words) <= _MOST_TITLE else words[: _MOST_TITLE - 1] + "…"
    return Proposal(
        run.branch, tip, remote.remote_of(deck.repo, here), into or here, words, _body(paths, goal),
        len(cargo.files), sum(each.added for each in cargo.files), sum(each.removed for each in cargo.files),
    )  # fmt: skip


def opened(deck: Deck, wanted: Proposal) -> str:
    """Push, and open the pull request; gives its address. Raises WorkspaceError, LoopdeckError with what `gh` said.

    Whether `gh` can do it at all is asked first, so that no branch is pushed in vain.
    """
    _gh(deck, "repo", "view", "--json", "nameWithOwner")
    known = bool(wanted.into) and remote.has_branch(deck.repo, wanted.remote, wanted.into)
    remote.push(deck.repo, wanted.remote, wanted.branch, wanted.commit)
    into = ("--base", wanted.into) if known else ()
    made = ("--head", wanted.branch, *into, "--title", wanted.title, "--body-file", "-")
    said = _gh(deck, "pr", "create", *made, given=wanted.body)
    found = _URL.findall(said)
    return str(clean_line(found[-1] if found else said.strip(), 300))


def _body(paths: RunPaths, goal: str) -> str:
    """The run's report, without what would not be seen in it."""
    try:
        text = paths.report.read_text("utf-8", "replace")
    except OSError:
        text = goal
    shown = str(clean(text))
    return shown if len(shown) <= _MOST_BODY else shown[:_MOST_BODY] + "\n\n(cut)\n"


def _gh(deck: Deck, *words: str, given: str = "") -> str:
    command = shutil.which("gh")
    if command is None:
        raise UsageError("there is no `gh` on PATH any more")
    env = {**os.environ, "GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            [command, *words], cwd=deck.root, env=env, input=given.encode("utf-8", "replace"),
            capture_output=True, check=False, timeout=LIMIT_S, start_new_session=True,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LoopdeckError(f"gh {words[0]} did not come to an end: {error}", where=str(deck.root)) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
        raise LoopdeckError(f"gh {' '.join(words[:2])}: {clean(said)}", where=str(deck.root), remedy="`gh auth status` may say more.")
    return done.stdout.decode("utf-8", "replace")
