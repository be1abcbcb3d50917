"""The operator's hand: `pause`, `resume`, `hold`, `kill`, `nudge`, `set`, `verdict`."""

import argparse
import time

from loopdeck.cli import here, out
from loopdeck.core import commands as cmd
from loopdeck.core.hand import changed
from loopdeck.deck.decks import Deck
from loopdeck.deck.view import RunView, document, waiting_for
from loopdeck.deck.waking import PATIENCE_S, awake, stands_still
from loopdeck.errors import LoopdeckError, UsageError
from loopdeck.store.layout import RunPaths

_LOOK_S = 0.03


def run(options: argparse.Namespace) -> int:
    """Send one command and wait until the run has taken it up."""
    deck = here.deck()
    paths = deck.resolve(options.run)
    one = deck.view(paths)
    if one.status == "ended" and one.reason != "lost":
        raise UsageError(f"the run has ended: {one.reason}", where=one.run.id, remedy="Start another with `loopdeck start`.")
    command = _command(options, one, here.operator())
    if isinstance(command, cmd.Resume) and not one.live and not stands_still(one):
        _say(awake(deck, paths, one.run.life), options.json)
        return 0
    name = deck.send(paths, command)
    if not one.live:
        if not isinstance(command, cmd.Resume | cmd.Kill):
            out.warn(f"its runner is gone; `loopdeck resume {one.run.id}` goes on, and takes this up first")
            return 0
        awake(deck, paths, one.run.life)
    return _taken(deck, paths, name, command, one, options.json)


def _command(options: argparse.Namespace, one: RunView, by: str) -> cmd.Command:
    at = here.now()
    match options.verb:
        case "pause":
            return cmd.Pause(by=by, at=at, now=options.now)
        case "resume":
            return cmd.Resume(by=by, at=at)
        case "hold":
            return cmd.Hold(by=by, at=at)
        case "kill":
            return cmd.Kill(by=by, at=at, why=options.why, now=options.now)
        case "nudge":
            return cmd.Nudge(by=by, at=at, text=options.text)
        case "set":
            changed(one.run.settings, options.key, options.value)
            return cmd.Set(by=by, at=at, key=options.key, value=options.value)
        case _:
            if one.run.asking != "verdict" or one.run.asking_for != options.check:
                waits = f"It waits for '{one.run.asking_for}'." if one.run.asking == "verdict" else "It waits for none."
                raise UsageError(f"no verdict of '{options.check}' is awaited", where=one.run.id, remedy=waits)
            return cmd.Judge(by=by, at=at, check=options.check, passed=options.grade == "pass", why=options.why)


def _taken(deck: Deck, paths: RunPaths, name: str, command: cmd.Command, before: RunView, as_json: bool) -> int:
    """Wait until the command's effect can be seen, and say what it was."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        now = deck.view(paths)
        if name in now.run.commands and _settled(command, now):
            refused = now.run.refused.get(name, "")
            if refused:
                raise UsageError(refused, where=now.run.id)
            _say(now, as_json, _effect(command, before, now))
            return 0
        time.sleep(_LOOK_S)
    remedy = "It will as soon as it can; see `loopdeck status`."
    raise LoopdeckError("its runner has not taken it up yet", where=paths.run, remedy=remedy)


def _settled(command: cmd.Command, now: RunView) -> bool:
    return now.status == "ended" and not now.live if isinstance(command, cmd.Kill) else True


def _effect(command: cmd.Command, before: RunView, now: RunView) -> str:
    """What has come of a command that its run's status doesn't tell."""
    match command:
        case cmd.Nudge(text=text):
            return f"to be told at the next iteration: {' '.join(text.split())}"
        case cmd.Hold() if now.run.hold and now.status != "paused":
            return "will stop before the next iteration"
        case cmd.Set(key=key, value=value):
            old, new, _ = changed(before.run.settings, key, value)
            return f"{key}: {old} → {new}"
        case _:
            return ""


def _say(now: RunView, as_json: bool, effect: str = "") -> None:
    if as_json:
        out.document(document(now))
        return
    status = f"ended: {now.reason}" if now.reason else now.status
    out.say(", ".join(part for part in (f"{now.run.loop} {now.run.id}: {status}", waiting_for(now), effect) if part))
