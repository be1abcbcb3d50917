"""What the room looks like: scenes on golden runs and rows made by hand, with a clock that stands still.

`python -m tests.tui.scenes` writes the pictures that a test compares; look at the difference before you commit it.
"""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loopdeck.core.happening import Settings
from loopdeck.deck.decks import Deck
from loopdeck.deck.reader import Reader
from loopdeck.deck.snapshot import LoopRow, Snapshot, Watcher
from loopdeck.store.sessions import Session
from loopdeck.tui.app import Room
from tests.journals import copied
from tests.kit.room import DOLLAR, Still, a_deck, approval, loop_row, screen_text, until

PICTURES = Path(__file__).with_name("pictures")
NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC).timestamp()
BOTH = ((80, 24), (120, 40))
Make = Callable[[Deck], Callable[[Callable[[Snapshot], None]], Watcher]]


@dataclass(frozen=True)
class Scene:
    """A picture: the keys that lead to it, and words that are on the screen when it is complete."""

    name: str
    keys: tuple[str, ...] = ()
    ready: str = ""
    golden: bool = True
    sizes: tuple[tuple[int, int], ...] = BOTH
    sessions: tuple[Session, ...] = ()


TOLD = (
    Session("0f3a9c11-52", "codex", "/work/site", "2026-11-21T14:02:11.000Z", "2026-11-21T15:11:40.000Z", 7, doing="bash npm test"),
    Session(
        "b1d4e0a7-9e", "claude", "/work/project/docs", "2026-11-21T15:20:00.000Z", "2026-11-21T15:29:48.000Z", 31, 2, 1,
        braked="by operator@deck", doing="bash git push origin main",
    ),
)  # fmt: skip
"""Sessions that were not started here."""

SCENES = (
    Scene("deck", ready="a answers it", golden=False, sizes=(*BOTH, (200, 60))),
    Scene("help", ("question_mark",), "keys of the deck", golden=False, sizes=((120, 40),)),
    Scene("kill", ("K",), "stays on its branch", golden=False, sizes=((80, 24),)),
    Scene("set", ("down", "down", "down", "down", "plus", "down"), "max_cost_usd", golden=False, sizes=((80, 24),)),
    Scene("approvals", ("a",), "git push", golden=False),
    Scene("ended", ready="· assisted"),
    Scene("loop", ("enter",), "iteration"),
    Scene("why", ("w",), "Limits"),
    Scene("trace", ("t",), "prompt"),
    Scene("compare", ("enter", "C"), "fixed"),
    Scene("state", ("e",), "Done"),
    Scene("project", ("B",), "done"),
    Scene("new", ("N",), "new loop", golden=False),
    Scene("beside", (), "A shows", golden=False, sizes=((80, 24),), sessions=TOLD),
    Scene("attached", ("A",), "last call", golden=False, sessions=TOLD),
    Scene("money", ("m",), "money of all"),
)


def by_hand() -> tuple[LoopRow, ...]:
    """A deck with one loop in every condition."""
    at: dict[str, Any] = {"last_at": NOW - 4}
    return (
        loop_row("deploy", "asking", why="waits", approvals=(approval(), approval("rm -rf dist", id="x-2", tier="medium")), **at),
        loop_row("api-docs", "hung", why="silent for 41 s", **at),
        loop_row("lost-one", "ended", reason="lost", attention="broken", why="the runner is gone", **at),
        loop_row("fix-tests", "ended", attention="unread", unread=214, fate="merged", why="", scores=(0.3, 0.6, 1.0), **at),
        loop_row("deps", "waiting", why="rate_limit until 15:31:10", scores=(0.5, None), **at),
        loop_row("release", "paused", why="paused by hold", phase="deciding", **at),
        loop_row("lint", scores=(0.1, 0.5, 0.9), cost=int(1.9 * DOLLAR), rate=DOLLAR, layers=(1, 2), open_findings=1, **at),
        loop_row("refactor", phase="checks", scores=(0.2, 0.2, 0.2), settings=Settings(8, max_tokens=4000), **at),
        loop_row("later", "queued", why="waits for a place", iteration=0, **at),
        loop_row("circles", "ended", reason="no_progress", why="same_findings: 3 findings in 3 iterations", **at),
        loop_row("nightly", "idle"),
    )


class Stopped(Room):
    """The room with a clock that stands still."""

    def now(self) -> float:
        """Always the same moment."""
        return NOW


_SAME = 4
"""So many looks in a row must see the same: what lies under a question is painted after it."""


async def picture(scene: Scene, size: tuple[int, int], folder: Path) -> str:
    """The scene as text."""
    deck = a_deck(folder)
    if scene.golden:
        copied("v1", deck.home.path)
        app = Stopped((deck,), lambda post: Reader((deck,), post, clock=lambda: NOW), by="operator@deck")
    else:
        still = Still((deck,), by_hand())
        still.facts = {"sessions": scene.sessions}
        app = Stopped((deck,), still.make, by="operator@deck")
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.snapshot.rows and "q quit" in screen_text(app))
        await pilot.press(*scene.keys)
        await until(pilot, lambda: scene.ready in screen_text(app))
        text, same = "", 0
        while same < _SAME:
            await pilot.pause(0.1)
            text, before = screen_text(app), text
            same = same + 1 if text == before else 0
        return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def main() -> None:
    """Write all of them."""
    PICTURES.mkdir(exist_ok=True)
    for scene in SCENES:
        for size in scene.sizes:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                text = asyncio.run(picture(scene, size, Path(folder)))
            (PICTURES / f"{scene.name}-{size[0]}x{size[1]}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
