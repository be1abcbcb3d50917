"""`loopdeck status`: every loop and run."""

import argparse
import time

from loopdeck.cli import here, out
from loopdeck.core.usage import dollars
from loopdeck.deck.decks import Deck
from loopdeck.deck.view import RunView, waiting_for

_EVERY_S = 0.5
GLYPHS = {
    "idle": "·", "queued": "…", "running": "▶", "asking": "?", "waiting": "~", "paused": "‖", "hung": "!", "stopping": "■",
    "ended": "✓",
}  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Print once, or with `--watch` again whenever something changes."""
    deck = here.deck()
    last = None
    while True:
        shown = deck.document()
        if shown != last:
            if options.json:
                out.document(shown)
            else:
                _print(deck)
        last = shown
        if not options.watch:
            return 0
        time.sleep(_EVERY_S)


def _print(deck: Deck) -> None:
    out.say(f"{deck.name}  {deck.root}")
    views = deck.views()
    idle = [[GLYPHS["idle"], loop, "idle", "", "", "", ""] for loop in deck.loops() if all(one.run.loop != loop for one in views)]
    rows = [row(one) for one in views] + idle
    if not rows:
        out.say("No loops yet. Make one with `loopdeck new NAME`.")
        return
    out.table(("", "loop", "status", "iteration", "score", "spent", "why"), rows)
    waiting = sum(len(one.run.pending_approvals) for one in views if one.status == "asking")
    if waiting:
        out.say(f"\n{waiting} waiting for you: `loopdeck approvals`.")


def row(one: RunView) -> list[str]:
    """One run as a row of words."""
    limits = one.run.settings
    score = "" if one.run.score is None else f"{one.run.score:.2f}"
    word = one.status if one.status != "ended" else f"{one.reason}"
    glyph = GLYPHS[one.status] if one.reason in (None, "done") else "✗"
    return [glyph, one.run.loop, word, f"{one.run.iteration}/{limits.max_iterations}", score, spent(one), waiting_for(one)]


def spent(one: RunView) -> str:
    """Cost against its cap, or tokens where no price is known."""
    limits = one.run.settings
    if one.run.cost is None or (limits.max_cost is None and limits.max_tokens is not None):
        cap = f"/{limits.max_tokens}" if limits.max_tokens is not None else ""
        return f"{one.run.spend.usage.tokens}{cap} tokens"
    cap = f"/${dollars(limits.max_cost):.2f}" if limits.max_cost is not None else ""
    return f"${dollars(one.run.cost):.4f}{cap}"
