"""`loopdeck status`: every loop and run."""

import argparse
import time
from collections.abc import Sequence
from typing import Any

from loopdeck.cli import here, out
from loopdeck.core.entry import Entry
from loopdeck.core.plural import some

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
                _print(deck.name, shown)
        last = shown
        if not options.watch:
            return 0
        time.sleep(_EVERY_S)


def _print(name: str, shown: dict[str, Any]) -> None:
    out.say(f"{name}  {shown['deck']}")
    _print_loops(shown["loops"])
    for one in shown["sessions"]:
        braked = f", braked: {one['braked']}" if one["braked"] else ""
        told = f"{some(one['calls'], 'call')}, {one['refused']} refused{braked}; last {one['last']}: {one['doing']}"
        out.say(f"\nsession {one['session']} ({one['agent']}, not started here): {told}")


def _print_loops(entries: Sequence[Entry]) -> None:
    if not entries:
        out.say("No loops yet. Make one with `loopdeck new NAME`.")
        return
    out.table(("", "loop", "status", "iteration", "score", "spent", "why"), rows(entries))
    waiting = sum(len(one["approvals"]) for one in entries if one["status"] == "asking")
    if waiting:
        out.say(f"\n{waiting} waiting for you: `loopdeck approvals`.")


def rows(entries: Sequence[Entry]) -> list[list[str]]:
    """Entries as rows of words. Where a loop has several runs to tell of, each says which it is."""
    loops = [one["loop"] for one in entries]
    return [_row(one, f"{one['loop']} {one['run']}" if loops.count(one["loop"]) > 1 else one["loop"]) for one in entries]


def _row(one: Entry, name: str) -> list[str]:
    if one["run"] is None:
        return [GLYPHS["idle"], name, "idle", "", "", "", ""]
    word = one["reason"] if one["status"] == "ended" else one["status"]
    glyph = GLYPHS[one["status"]] if one["reason"] in (None, "done") else "✗"
    score = "" if one["score"] is None else f"{one['score']:.2f}"
    return [glyph, name, word, f"{one['iteration']}/{one['max_iterations']}", score, _spent(one), one["why"]]


def _spent(one: Entry) -> str:
    """Cost against its cap, or tokens where no price is known."""
    usage, limits = one["usage"], one["limits"]
    if usage["cost_usd"] is None or (limits["cost_usd"] is None and limits["tokens"] is not None):
        cap = f"/{limits['tokens']}" if limits["tokens"] is not None else ""
        return f"{sum(usage[kind] for kind in ('input', 'output', 'cache_read', 'cache_write'))}{cap} tokens"
    cap = f"/${limits['cost_usd']:.2f}" if limits["cost_usd"] is not None else ""
    return f"${usage['cost_usd']:.4f}{cap}"
