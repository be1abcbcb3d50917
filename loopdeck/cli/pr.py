"""`loopdeck pr`: a run's branch pushed and proposed, once a person has seen what would leave the machine and said yes."""

import argparse
import sys

from loopdeck.cli import here, out
from loopdeck.core.plural import some
from loopdeck.deck.pullrequest import Proposal, opened, propose
from loopdeck.errors import UsageError

_SHOWN = 12


def run(options: argparse.Namespace) -> int:
    """Show it, ask, do it."""
    deck = here.deck()
    paths = deck.resolve(options.run)
    one = deck.view(paths)
    wanted = propose(deck, one, paths, into=options.into, title=options.title)
    if not options.yes and (options.json or not sys.stdin.isatty()):
        remedy = f"See what it would be with `loopdeck pr {paths.run}` on a terminal; with --yes nobody is asked."
        raise UsageError("a pull request leaves this machine, so a person must say yes", where=paths.run, remedy=remedy)
    if not options.json:
        _show(wanted)
    if not options.yes and not _agreed():
        out.say("nothing was pushed")
        return 1
    url = opened(deck, wanted)
    if options.json:
        out.document({"run": paths.run, "branch": wanted.branch, "commit": wanted.commit, "remote": wanted.remote.name, "url": url})
    else:
        out.say(url)
    return 0


def _show(wanted: Proposal) -> None:
    out.say(f"push    {wanted.branch} ({wanted.commit[:12]}: {some(wanted.files, 'file')} +{wanted.added} -{wanted.removed})")
    out.say(f"to      {wanted.remote.name} {wanted.remote.shown}")
    out.say(f"into    {wanted.into or 'its default branch'}")
    out.say(f"title   {wanted.title}")
    lines = wanted.body.splitlines()
    more = f"\n        … and {some(len(lines) - _SHOWN, 'line')} more, its whole report" if len(lines) > _SHOWN else ""
    out.say("text    " + "\n        ".join(lines[:_SHOWN]) + more)


def _agreed() -> bool:
    sys.stdout.write("Push it and open the pull request? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
