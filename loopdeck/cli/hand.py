"""The operator's hand: `pause`, `resume`, `hold`, `kill`, `nudge`, `set`, `verdict`."""

import argparse
import time

from loopdeck.cli import here, out
from loopdeck.core import commands as cmd
from loopdeck.core.hand import changed
from loopdeck.deck.decks import Deck
from loopdeck.deck.launch import launch
from loopdeck.deck.view import RunView, document, waiting_for
from loopdeck.errors import LoopdeckError, UsageError
from loopdeck.store.layout import RunPaths

PATIENCE_S = 20.0
"""How long a verb waits for the runner to take up its command."""
_LOOK_S = 0.03
_TAKEN = 3
"""The exit code of a runner that found another at work."""


def run(options: argparse.Namespace) -> int:
    """Send one command and wait until the run has taken it up."""
    deck = here.deck()
    paths = deck.resolve(options.run)
    one = deck.view(paths)
    if one.status == "ended" and one.reason != "lost":
        raise UsageError(f"the run has ended: {one.reason}", where=one.run.id, remedy="Start another with `loopdeck start`.")
    command = _command(options, one, here.operator())
    if isinstance(command, cmd.Resume) and not one.live and not _stands_still(one):
        _say(_awake(deck, paths, one.run.life), options.json)
        return 0
    name = deck.send(paths, command)
    if not one.live:
        if not isinstance(command, cmd.Resume | cmd.Kill):
            out.warn(f"its runner is gone; `loopdeck resume {one.run.id}` goes on, and takes this up first")
            return 0
        _awake(deck, paths, one.run.life)
    return _taken(deck, paths, name, command, one, options.json)


def _stands_still(one: RunView) -> bool:
    """True if a word is needed for it to go on, besides somebody who runs it."""
    run = one.run
    return run.status == "paused" or bool(run.pause_wanted or run.hold) or run.asking == "state"


def _awake(deck: Deck, paths: RunPaths, life: int) -> RunView:
    """Start a runner on a run that has lost the one of `life`, and wait until it has it. Raises LoopdeckError with its last words.

    To hold the lease is not enough: a runner that can't read the run gives it back.
    """
    runner = launch(paths)

    def there(seen: RunView) -> bool:
        return seen.run.status == "ended" or (seen.live and seen.run.life > life)

    now = deck.wait_until(paths, lambda seen: there(seen) or runner.poll() not in (None, _TAKEN), PATIENCE_S)
    if now is None or not there(now):
        raise LoopdeckError(f"its runner did not start{_last_words(paths)}", where=paths.run, remedy=f"See {paths.runner_log}.")
    return now


def _last_words(paths: RunPaths) -> str:
    try:
        said = paths.runner_log.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return ": " + " ".join(line.strip() for line in said[-2:]) if said else ""


def _command(options: argparse.Namespace, one: RunView, by: str) -> cmd.Command:
    at = here.now()
    match options.verb:
        case "pause":
            return cmd.Pause(by=by, at=at)
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
