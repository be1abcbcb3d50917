"""`loopdeck mcp`: an MCP server over stdin and stdout, for agents in a run's worktree and in the operator's own checkout."""

import argparse
import sys
from pathlib import Path

from loopdeck.errors import UsageError
from loopdeck.offered.server import Server, Tool


def run(options: argparse.Namespace) -> int:
    """Serve until the client has gone."""
    tools, instructions = _folder(options.folder) if options.folder else _offer(options.loop)
    Server(tools, instructions, sys.stdin.buffer, sys.stdout.buffer).serve()
    return 0


def _folder(written: str) -> tuple[tuple[Tool, ...], str]:
    """A folder of texts to answer from. Raises UsageError if there is none."""
    from loopdeck.offered.folder import INSTRUCTIONS, InFolder

    return InFolder(Path(written), Path.cwd()).tools(), INSTRUCTIONS.format(folder=written)


def _offer(loop: str) -> tuple[tuple[Tool, ...], str]:
    """The tools there are here, and what they are for. Raises UsageError if it can't be told of which loop."""
    from loopdeck.offered import worktree

    found = worktree.find(Path.cwd())
    if found is not None:
        return worktree.InWorktree(found).tools(), worktree.INSTRUCTIONS
    from loopdeck.cli import here
    from loopdeck.offered import checkout

    deck = here.deck()
    loops = tuple(dict.fromkeys((*deck.loops(), *deck.home.loops())))
    if loop and loop not in loops:
        raise UsageError(f"there is no loop '{loop}'", remedy=f"Loops here: {', '.join(loops) or 'none yet'}.")
    if not loop and len(loops) != 1:
        raise UsageError("it can't be told of which loop", remedy=f"Name it with `--loop`, one of: {', '.join(loops) or 'none yet'}.")
    chosen = loop or loops[0]
    return checkout.InCheckout(deck, chosen).tools(), checkout.INSTRUCTIONS.format(loop=chosen)
