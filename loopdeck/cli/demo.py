"""`loopdeck demo`: the sample project's loops, run to their ends in a scratch folder with the scripted agent.

Invariant: everything but the model is real, nothing outside the scratch folder is written to, the operator's own decks never see it.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

from loopdeck.cli import out
from loopdeck.cli.demorun import PACE_S, Announced, Demo, Played, hold, opened, play, scratch, started
from loopdeck.core.usage import dollars

_BY_HAND = "never-enough"
"""The loop that is held in the room, for its state to be edited."""


def run(options: argparse.Namespace) -> int:
    """Announce, run, and say how it went: 0 only if every loop ended for the reason that was announced."""
    if not (options.headless or options.json) and sys.stdin.isatty() and sys.stdout.isatty():
        return _watch(options.dir)
    demo = opened(scratch(options.dir), os.environ)
    if options.json:
        played = play(demo, lambda _: None)
        out.document(document(played))
        return 0 if played.as_announced else 1
    _announce(demo)
    played = play(demo, out.say)
    _say(played)
    return 0 if played.as_announced else 1


def _watch(folder: str) -> int:
    """The room on the demo's deck, slowed down to be watched; a hint line leads through what there is to do."""
    from loopdeck.cli.room import stay
    from loopdeck.tui.lead import DEMO

    demo = opened(scratch(folder), os.environ, pace_s=PACE_S)
    runs = started(demo)
    hold(demo, _BY_HAND, runs[_BY_HAND])
    code = stay((demo.deck,), lead=DEMO)
    _say_where(demo)
    return code


def _announce(demo: Demo) -> None:
    out.say(f"A sample project, copied to {demo.deck.root}")
    out.say("Its loops, each with what it shows and why it will end:\n")
    out.table(("loop", "ends", "what it shows"), [[one.name, one.reason, one.says] for one in demo.announced])
    out.say(f"\nApprovals are given by one rule, and by no other: {', '.join(demo.approve)}\n")


def _say(played: Played) -> None:
    rows = [_row(played, one) for one in played.demo.announced]
    out.say()
    out.table(("", "loop", "ended", "announced", "iterations", "spent"), rows)
    wrong = [one.name for one in played.demo.announced if not played.fits(one)]
    total = sum(view.run.cost or 0 for view in played.views.values())
    out.say("\nEach worked on a branch of its own, loop/LOOP/RUN.")
    out.say(
        f"{len(rows) - len(wrong)} of {len(rows)} ended as announced, in {played.seconds:.1f} s, for {_money(total)} of play money."
    )
    if wrong:
        out.say(f"Not as announced: {', '.join(wrong)}.")
    out.say(
        "`git status` of the copied checkout says what it said before: clean."
        if played.clean
        else "The copied checkout is NOT clean, see `git status` in it: a run must not write there."
    )
    _say_where(played.demo)


def _row(played: Played, one: Announced) -> list[str]:
    view = played.views[one.name]
    cost = "unknown" if view.run.cost is None else _money(view.run.cost)
    ended = view.reason or view.status
    return ["✓" if played.fits(one) else "✗", one.name, ended, one.reason, str(view.run.iteration), cost]


def _money(pico: int) -> str:
    return f"${dollars(pico):.4f}"


def _say_where(demo: Demo) -> None:
    out.say("\nLook around:")
    out.say(f"  cd {shlex.quote(str(demo.deck.root))} && export LOOPDECK_HOME={shlex.quote(str(demo.base))}")
    for command, what in (
        ("loopdeck status", "all loops"),
        ("loopdeck show fix-tests", "one run: iterations, findings, verdicts"),
        ("loopdeck trace fix-tests", "everything it did"),
        ("loopdeck state fix-tests", "what it remembers"),
        ("loopdeck diff fix-tests", "what it made"),
        ("loopdeck merge fix-tests", "on your branch, if the checks pass there"),
        ("git log --oneline --graph --all", "the branches"),
    ):
        out.say(f"  {command:<34}{what}")
    out.say(f"Journals, traces, states and worktrees are in {demo.deck.home.path}")


def document(played: Played) -> dict[str, object]:
    """What `loopdeck demo --json` prints."""
    demo = played.demo
    loops = [
        {
            "loop": one.name, "run": view.run.id, "reason": view.reason, "announced": one.reason, "as_announced": played.fits(one),
            "iterations": view.run.iteration, "cost_usd": None if view.run.cost is None else dollars(view.run.cost),
            "branch": view.run.branch or None, "worktree": view.run.worktree or None, "dir": view.dir,
        }
        for one in demo.announced
        for view in (played.views[one.name],)
    ]  # fmt: skip
    return {
        "deck": str(demo.deck.root), "home": str(demo.deck.home.path), "loopdeck_home": str(demo.base), "rule": list(demo.approve),
        "approved": played.approved, "loops": loops, "clean": played.clean, "seconds": round(played.seconds, 3),
        "as_announced": played.as_announced,
    }  # fmt: skip


def headless(folder: Path) -> Played:
    """Run the whole demo in `folder`, which must be empty or not there yet, without a word."""
    return play(opened(scratch(str(folder)), os.environ), lambda _: None)
