"""A deck as the operator's side sees it: its loops, its runs, what each is doing; and commands sent to them.

Reads files, writes commands, owns nothing. Two of them see the same thing. Light to import: what it takes to understand a journal is
loaded when there is one to understand.
"""

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopdeck.core.entry import BEREFT, Entry, bereft, idle
from loopdeck.deck.tending import supervisor
from loopdeck.errors import UsageError
from loopdeck.git.repository import Repository, find
from loopdeck.store import card
from loopdeck.store.deckfiles import list_loops
from loopdeck.store.layout import DeckHome, RunPaths, deck_home, sessions_of

if TYPE_CHECKING:
    from loopdeck.core.commands import Command
    from loopdeck.deck.reading import Condition
    from loopdeck.deck.view import RunView

LOOK_S = 0.03
"""How often a waiting verb looks again."""


class Deck:
    """All loops of one repository."""

    def __init__(self, repo: Repository, home: DeckHome) -> None:
        self.repo = repo
        self.home = home

    @classmethod
    def open(cls, path: Path, environ: Mapping[str, str]) -> "Deck":
        """The deck of the repository around `path`, whether it has any loops yet or not. Raises UsageError outside of one."""
        repo = find(path)
        return cls(repo, DeckHome(deck_home(repo.name, repo.common_dir, environ)))

    @property
    def root(self) -> Path:
        """The operator's checkout."""
        return self.repo.root

    @property
    def name(self) -> str:
        """What the repository is called."""
        return self.repo.name

    def loops(self) -> tuple[str, ...]:
        """Names of all loops there are files of, in order."""
        return list_loops(self.root)

    def view(self, paths: RunPaths) -> "RunView":
        """One run as it is now."""
        from loopdeck.deck import reading

        return reading.look(paths)

    def views(self) -> "list[RunView]":
        """Of each loop its newest run and every other that has not ended, sorted by loop and run."""
        seen = []
        for loop in self.home.loops():
            runs = self.home.runs_of(loop)
            looked = [self.view(paths) for paths in runs[-1:]]
            looked += [one for one in (self.view(paths) for paths in runs[:-1]) if one.status != "ended" or one.reason == "lost"]
            seen += sorted(looked, key=lambda one: one.run.id)
        return seen

    def document(self) -> dict[str, Any]:
        """What `loopdeck status --json` prints."""
        entries = [one for loop in self.home.loops() for one in self._entries(loop)]
        running = {one["loop"] for one in entries}
        entries += [bereft(one.loop, one.run, str(self.home.worktree(one.loop, one.run))) for one in self.home.bereft()]
        entries += [idle(loop) for loop in self.loops() if loop not in running]
        entries.sort(key=lambda one: (one["loop"], one["run"] or ""))
        tending = supervisor(self.home)
        attended = {"pid": tending.pid if tending.alive else None, "alive": tending.alive}
        told = {"deck": str(self.root), "home": str(self.home.path), "supervisor": attended, "loops": entries}
        return told | {"sessions": self._sessions()}

    def _sessions(self) -> list[dict[str, Any]]:
        """Sessions of agents that were started elsewhere and told of themselves in the last day, and have not ended."""
        folder = sessions_of(self.home)
        if not folder.is_dir():
            return []
        from loopdeck.store.sessions import sessions

        return [
            {name: getattr(one, name) for name in one.__struct_fields__ if name != "ended"} for one in sessions(folder) if not one.ended
        ]

    def _entries(self, loop: str) -> Iterator[Entry]:
        """As `views` for one loop, in the words of a status; a run that has ended is told by its card."""
        runs = self.home.runs_of(loop)
        for paths in runs:
            # There is a card only of a run that has ended, and of those the newest alone is told.
            if paths == runs[-1] or not paths.card.exists():
                told = card.load(paths) or self._entry(paths)
                if paths == runs[-1] or told["status"] != "ended" or told["reason"] == "lost":
                    yield told | {"dir": str(paths.dir)}

    def _entry(self, paths: RunPaths) -> Entry:
        from loopdeck.deck.view import document

        return document(self.view(paths))

    def resolve(self, reference: str) -> RunPaths:
        """The run that `reference` means: its id, a unique prefix of one, or a loop's name (its newest run). Raises UsageError."""
        everywhere = self.home.all_runs()
        for paths in everywhere:
            if paths.run == reference:
                return paths
        if reference in self.home.loops() and (runs := self.home.runs_of(reference)):
            return runs[-1]
        if reference in self.loops():
            raise UsageError(f"the loop '{reference}' has no run yet", remedy=f"Start one with `loopdeck start {reference}`.")
        found = [paths for paths in everywhere if reference and paths.run.startswith(reference)]
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(f"{paths.run} ({paths.loop})" for paths in found[:5])
            raise UsageError(f"'{reference}' is the beginning of {len(found)} runs", remedy=f"Say more of it: {some}.")
        if gone := [one for one in self.home.bereft() if reference and one.run.startswith(reference)]:
            what = f"nothing can be done for the run {gone[0].run}: {BEREFT}"
            raise UsageError(what, where=str(self.home.worktree(gone[0].loop, gone[0].run)))
        raise UsageError(f"there is no run or loop '{reference}'", remedy="`loopdeck status` shows what there is.")

    def send(self, paths: RunPaths, command: "Command", name: str = "") -> str:
        """Put a command into the run's inbox; returns the id it has there, empty if `name` was taken already."""
        import msgspec

        from loopdeck.deck.whereabouts import whereabouts
        from loopdeck.store import inbox

        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        chosen = name or f"{stamp}-{type(command).__name__.lower()}-{os.urandom(3).hex()}"
        told = command if command.where else msgspec.structs.replace(command, where=whereabouts())
        return chosen if inbox.put(paths.inbox, chosen, msgspec.json.encode(told)) else ""

    def wait_until(self, paths: RunPaths, holds: "Condition", patience_s: float | None = None) -> "RunView | None":
        """Look until `holds` is true of the run; None if it is not so within `patience_s` (None: for ever)."""
        deadline = None if patience_s is None else time.monotonic() + patience_s
        while True:
            seen = self.view(paths)
            if holds(seen):
                return seen
            if deadline is not None and time.monotonic() > deadline:
                return None
            time.sleep(LOOK_S)
