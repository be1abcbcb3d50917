"""`loopdeck hook`: a session that somebody started elsewhere tells of its calls, asks the deck, and can be braked.

It runs at each call of such a session, so it imports little and starts nothing. Invariant: whatever goes wrong in here, a session that
waits for leave gets an answer that lets nothing through unseen; outside of a deck it says nothing and keeps nothing.
"""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from loopdeck.core import hooks
from loopdeck.core.hooks import Agent, Happening, Verdict
from loopdeck.errors import LoopdeckError, UsageError
from loopdeck.git.repository import find
from loopdeck.store.deckfiles import FOLDER
from loopdeck.store.layout import DeckHome, deck_home, sessions_of

_BLOCKS = 2
"""With this exit code an agent takes the call for refused."""
_MOST = 16 << 20
_MOST_SUMMARY = 300
_MOST_LOOKED_AT = 20_000


def run(options: argparse.Namespace) -> int:
    """Answer one event; or put the hook into an agent's settings; or brake a session and let it go."""
    if options.install:
        from loopdeck.cli import hookinstall

        return hookinstall.install(options.install, yes=options.yes)
    if options.brake or options.release:
        from loopdeck.cli import hookbrake

        return hookbrake.run(options)
    if options.agent not in get_args(Agent):
        raise UsageError("it is not said whose hook this is", remedy="`loopdeck hook --install claude` or `codex` puts it in place.")
    agent: Agent = options.agent
    found = hooks.read(sys.stdin.buffer.read(_MOST))
    if found is None:
        sys.stderr.write("loopdeck: the event can't be read\n")
        return _BLOCKS
    if "LOOPDECK_LOOP" not in os.environ:
        # Of a run's own agent the runner knows all that is to be known.
        told = hooks.encoded(_answer(agent, found))
        if told:
            sys.stdout.write(told + "\n")
    return 0


def _answer(agent: Agent, found: Happening) -> "dict[str, object]":
    try:
        verdict, why = _attended(agent, found)
    except Exception as error:
        # Whatever it is: an agent takes a hook that fails for one that has nothing against the call.
        verdict, why = "unknown", f"the deck's hook failed: {error}"
    return dict(hooks.answer(agent, found, verdict, why))


def _attended(agent: Agent, found: Happening) -> tuple[Verdict, str]:
    """Write the event down, and give the deck's word on it."""
    place = Path(found.cwd or Path.cwd())
    try:
        repo = find(place)
    except UsageError:
        return "none", ""
    if not (repo.root / FOLDER).is_dir():
        return "none", ""
    home = DeckHome(deck_home(repo.name, repo.common_dir, os.environ))
    from loopdeck.core.redact import Redactor, secrets_of
    from loopdeck.store import sessions

    folder, session = sessions_of(home), hooks.session_name(found)
    line = sessions.Line(_now(), found.hook_event_name, agent, str(place))
    verdict: Verdict = "none"
    why = ""
    if hooks.asks_leave(found):
        from loopdeck.hooked import judged

        word = judged(repo.root, found)
        braked = sessions.braked(folder, session) if session else ""
        verdict, why = ("deny", f"the operator has braked this session: {braked}") if braked else (word.verdict, word.why)
        summary = " ".join(Redactor(secrets_of(os.environ)).text(word.summary[:_MOST_LOOKED_AT]).split())[:_MOST_SUMMARY]
        line = sessions.Line(line.at, line.event, agent, line.cwd, word.tool, summary, verdict, why)
    if session:
        home.make()
        if found.hook_event_name == "SessionStart":
            sessions.prune(folder)
        sessions.append(folder, session, line)
    elif verdict == "none":
        raise LoopdeckError("the session's id is none that a file could have")
    return verdict, why


def _now() -> str:
    """UTC, RFC 3339. The same as elsewhere, without all that is imported there."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
