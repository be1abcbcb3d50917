"""The README's screenshots, taken of the demo while it runs: `python -m tests.tui.screenshots`."""

import asyncio
import os
import re
import tempfile
from pathlib import Path

from textual.pilot import Pilot

from loopdeck.cli import here
from loopdeck.cli.demorun import hold, opened, scratch, started
from loopdeck.deck.reader import Reader
from loopdeck.deck.serving import SWITCH
from loopdeck.tui.app import Room
from loopdeck.tui.screens.deck import DeckScreen
from tests.kit.room import screen_text, until
from tests.tui.scenes import PICTURES

_SIZE = (120, 30)
_FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)


def _save(app: Room, name: str) -> None:
    """Without the fonts that Textual would have a browser fetch."""
    svg = _FONTS.sub("", app.export_screenshot(title="loopdeck demo")).replace("Fira Code", "monospace")
    (PICTURES / f"{name}.svg").write_text(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE), encoding="utf-8")


async def _walk(app: Room, pilot: Pilot[None]) -> None:
    def row(loop: str) -> str:
        return next((f"{one.status} {one.iteration}" for one in app.snapshot.rows if one.loop == loop), "")

    await until(pilot, lambda: row("release-notes").startswith("asking") and row("docs-links")[-1:] in "23")
    await pilot.press("home")
    await until(pilot, lambda: "a answers it" in screen_text(app))
    _save(app, "deck")
    await pilot.press("a")
    await until(pilot, lambda: "stamp.py" in screen_text(app))
    await pilot.pause(0.7)
    _save(app, "approvals")
    await pilot.press("y", "escape")
    await until(pilot, lambda: isinstance(app.screen, DeckScreen) and row("fix-tests").startswith("ended"))
    await pilot.press("colon", *"fix-tests", "enter", "enter")
    await until(pilot, lambda: "contract" in screen_text(app) and "★" in screen_text(app))
    await pilot.pause(0.5)
    _save(app, "loop")
    await pilot.press("escape")
    await until(pilot, lambda: isinstance(app.screen, DeckScreen))
    await pilot.press("B")
    await until(pilot, lambda: "items done" in screen_text(app))
    _save(app, "project")


async def _take(folder: Path) -> None:
    os.environ[SWITCH] = "off"
    # Whose machine it is, is nobody's business.
    here.operator = lambda: "you@here"
    demo = opened(scratch(str(folder)), os.environ, pace_s=2.0)
    runs = started(demo)
    hold(demo, "never-enough", runs["never-enough"])
    app = Room((demo.deck,), lambda post: Reader((demo.deck,), post), by="you@here")
    async with app.run_test(size=_SIZE) as pilot:
        await until(pilot, lambda: app.snapshot.rows)
        await _walk(app, pilot)


def main() -> None:
    """Take them; what the demo started is left to its end."""
    asyncio.run(_take(Path(tempfile.mkdtemp(prefix="loopdeck-demo-"))))


if __name__ == "__main__":
    main()
