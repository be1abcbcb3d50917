"""The room on snapshots made by hand: a still reader, rows with sensible values, an app under Pilot.

Invariant: what the room shows is exactly what the test has shown it; commands it sends are real files in a real deck's home.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from textual import _wait
from textual.pilot import Pilot

from loopdeck.core import commands as cmd
from loopdeck.core.happening import Settings
from loopdeck.core.run import Approval
from loopdeck.core.usage import Usage
from loopdeck.deck.decks import Deck
from loopdeck.deck.snapshot import DeckFacts, LoopRow, Snapshot
from loopdeck.store.lease import Lease
from loopdeck.tui.app import Room
from loopdeck.tui.lead import Lead
from tests.kit.repos import make_repo

DOLLAR = 10**12
_PATIENCE_S = 40.0
# After each key Pilot looks twice, for this long, whether the app still works. At its own fiftieth of a second that is most of what
# such tests take. What comes later than that is waited for by `until`.
_wait.SLEEP_GRANULARITY = 0.004
_wait.SLEEP_IDLE = _wait.SLEEP_GRANULARITY / 20


class Still:
    """A reader that shows what it is told to, when it is told to."""

    def __init__(self, decks: tuple[Deck, ...], rows: tuple[LoopRow, ...]) -> None:
        self.decks = decks
        self.rows = rows
        self.number = 0
        self.looked = 0
        self.watched: str | None = None
        self.post: Callable[[Snapshot], None] = lambda _: None
        self.facts: dict[str, Any] = {}

    def make(self, post: Callable[[Snapshot], None]) -> "Still":
        """What the room calls to get its reader."""
        self.post = post
        return self

    def show(self, *rows: LoopRow) -> None:
        """From now on these."""
        self.rows = rows
        self.start()

    def start(self) -> None:
        """Post the rows as they are."""
        self.number += 1
        facts = tuple(DeckFacts(deck.name, str(deck.root), str(deck.home.path), **self.facts) for deck in self.decks)
        self.post(Snapshot(self.number, time.time(), facts, self.rows))

    def stop(self) -> None:
        """Nothing runs."""

    def taken(self) -> None:
        """Nothing waits."""

    def poke(self) -> None:
        """Counted."""
        self.looked += 1

    def watch(self, key: str | None) -> None:
        """Remembered."""
        self.watched = key


def loop_row(loop: str, status: str = "running", **facts: Any) -> LoopRow:
    """A row with what a run in that status would have; `facts` win."""
    run = "" if status == "idle" else "20261121-0715-a3f9"
    attention = {"asking": "asking", "hung": "broken", "running": "working", "paused": "waiting", "waiting": "waiting"}.get(
        status, "quiet"
    )
    given: dict[str, Any] = {
        "key": f"0/{loop}/{run}", "deck": 0, "loop": loop, "run": run, "status": status, "attention": attention,
        "iteration": 2 if run else 0,
        "settings": Settings(4, max_cost=2 * DOLLAR), "usage": Usage(1000, 100), "cost": DOLLAR // 2, "last_at": time.time(),
        "live": status not in ("ended", "idle"), "phase": "maker" if status == "running" else None,
        "reason": "done" if status == "ended" else None, "branch": "loop/x" if run else "", "agent": "scripted",
    }  # fmt: skip
    return LoopRow(**{**given, **facts})


def approval(summary: str = "git push origin main", **facts: Any) -> Approval:
    """A call that waits."""
    given: dict[str, Any] = {
        "id": "20261121-0715-a3f9-1", "call": "c1", "tool": "bash", "summary": summary,
        "arguments": msgspec.json.encode({"command": summary}).decode(), "cwd": "/work", "rule": "default", "tier": "high",
        "digest": "d1", "since": "2026-11-21T07:15:00Z", "reason": "no rule allows it",
    }  # fmt: skip
    return Approval(**{**given, **facts})


def a_deck(folder: Path) -> Deck:
    """The deck of a new repository."""
    repo = make_repo(folder / "repo", {"a.txt": "a\n"})
    deck = Deck.open(repo, {"LOOPDECK_HOME": str(folder / "home")})
    deck.home.make()
    return deck


@asynccontextmanager
async def in_room(
    deck: Deck, *rows: LoopRow, size: tuple[int, int] = (120, 32), lead: Lead | None = None
) -> AsyncIterator[tuple[Room, Pilot[None], Still]]:
    """The room on `deck`, showing `rows`."""
    still = Still((deck,), rows)
    app = Room((deck,), still.make, by="tester@here", lead=lead)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.snapshot.number > 0)
        yield app, pilot, still


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Let the app work until `holds`."""
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        await pilot.pause(0.01)


def shows(app: Room, words: str) -> Callable[[], bool]:
    """True, when called, if these words are on the screen then."""
    return lambda: words in screen_text(app)


def screen_text(app: Room) -> str:
    """What is on the screen, as lines of text without styles."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip)[:width] for strip in strips[:height])


def sent(deck: Deck, row: LoopRow) -> list[cmd.Command]:
    """The commands in the inbox of the row's run, oldest first."""
    inbox = deck.home.run_dir(row.loop, row.run).inbox
    files = sorted(inbox.iterdir()) if inbox.is_dir() else []
    return [msgspec.json.decode(file.read_bytes(), type=cmd.Command) for file in files if not file.name.startswith(".")]


def made_run(deck: Deck, row: LoopRow) -> Lease:
    """The folders of the row's run, so that commands can be sent to it, and its lease, held as by a runner that does nothing."""
    paths = deck.home.run_dir(row.loop, row.run)
    paths.inbox.mkdir(parents=True, mode=0o700)
    lease = Lease.take(paths.lease)
    assert lease is not None
    return lease
