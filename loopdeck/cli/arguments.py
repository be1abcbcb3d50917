"""Every verb with its words, in one table; the help and the parser are made from it."""

import argparse
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from loopdeck import __version__

Add = Callable[[argparse.ArgumentParser], None]


class Verb(NamedTuple):
    """A verb: the module of `loopdeck.cli` that carries it out, one line of help, and its words."""

    module: str
    help: str
    add: Add


def _words(*adds: Add) -> Add:
    def add(parser: argparse.ArgumentParser) -> None:
        for each in adds:
            each(parser)

    return add


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run id, a unique prefix of one, or a loop's name (its newest run)")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")


def _why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--why", default="", metavar="TEXT", help="the reason, kept in the journal")


def _option(*names: str, **keywords: object) -> Add:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(*names, **keywords)  # type: ignore[arg-type]  # argparse checks them itself

    return add


def _template(parser: argparse.ArgumentParser) -> None:
    from loopdeck.shipped import templates

    words = f"what to begin with: {', '.join(templates())} (minimal if not given)"
    parser.add_argument("--template", default="minimal", metavar="T", help=words)


def _agent(parser: argparse.ArgumentParser) -> None:
    from loopdeck.shipped import AGENTS

    words = f"the maker: {', '.join(AGENTS)} (the template's, if not given); scripted asks no model, it plays an example to edit"
    words += "; acp and command want a command of yours, and are written into loop.toml by hand"
    parser.add_argument("--agent", default="", choices=AGENTS, metavar="A", help=words)


def _setting(parser: argparse.ArgumentParser) -> None:
    from loopdeck.core.hand import KEYS

    parser.add_argument("key", metavar="KEY", help=f"one of {', '.join(KEYS)}")
    parser.add_argument("value", metavar="VALUE", help="as in a loop file's [exit], for example 8, 2.50 or 30m")


_NAME = _option("name", metavar="NAME", help="a loop's name")
_ID = _option("id", metavar="ID", help="of the call, as `loopdeck approvals` lists it")
_INPUT = _option("--input", default="", metavar="TEXT", help="what started it, for the maker to read as data")

_START = _words(
    _option("loops", nargs="*", metavar="NAME", help="loops' names"),
    _option("--all", action="store_true", help="every loop of the deck"),
    _option("--wait", action="store_true", help="wait for the end; exits with the highest code of the reasons"),
    _INPUT,
    _json,
)

VERBS: dict[str, Verb] = {
    "demo": Verb("demo", "copy a sample project to a scratch folder and run its loops with the scripted agent", _words(
        _option("--headless", action="store_true", help="run them to the end and print the table"),
        _option("--dir", default="", metavar="PATH", help="where to copy it (a new temporary folder if not given)"), _json)),
    "init": Verb("setup", "make a deck in this repository", _words(_json)),
    "new": Verb("setup", "make a loop", _words(_NAME, _template, _agent, _json)),
    "check": Verb("lint", "lint loop files", _words(
        _option("name", nargs="?", default="", metavar="NAME", help="a loop's name (all loops if not given)"), _json)),
    "doctor": Verb("doctor", "say what this machine offers: agents, keys, sandbox, git", _words(_json)),
    "start": Verb("start", "start runs, each a detached process", _START),
    "once": Verb("start", "a single supervised run: start it and follow it to its end", _words(_NAME, _INPUT, _json)),
    "status": Verb("status", "every loop and run", _words(
        _json, _option("--watch", action="store_true", help="print again whenever it changes"))),
    "show": Verb("show", "one run", _words(_run, _json)),
    "trace": Verb("trace", "a run's trace", _words(
        _run, _json, _option("--follow", action="store_true", help="go on until the run has ended"),
        _option("--kind", default="", metavar="K", help="only entries of this kind, such as tool_called or check_ran"),
        _option("--iteration", type=int, default=0, metavar="N", help="only those of this iteration"))),
    "approvals": Verb("approvals", "what waits for you", _words(_json)),
    "approve": Verb("approvals", "allow a call", _words(
        _ID, _option("--edit", default="", metavar="JSON", help="run it with these arguments instead"),
        _option("--answer", default="", metavar="TEXT", help="what to answer, where an agent has asked a question"),
        _option("--always", default="", metavar="RULE", help="and allow what this rule says for the rest of the run"),
        _option("--for", default="", dest="lasting", metavar="TIME", help="that rule holds so long at most, such as 2h"), _json)),
    "deny": Verb("approvals", "refuse a call; the reason reaches the maker", _words(
        _ID, _option("--why", required=True, metavar="TEXT", help="the reason, for the maker"), _json)),
    "pause": Verb("hand", "stop at the next step", _words(
        _run, _option("--now", action="store_true", help="at once: commands under way stand still where they are"), _json)),
    "resume": Verb("hand", "go on; also restarts a dead runner at its last step", _words(_run, _json)),
    "hold": Verb("hand", "stop before the next iteration", _words(_run, _json)),
    "kill": Verb("hand", "end it", _words(
        _run, _why, _option("--now", action="store_true", help="without any grace for what it runs"), _json)),
    "nudge": Verb("hand", "a word for the next iteration", _words(
        _run, _option("text", metavar="TEXT", help="what the maker is told"), _json)),
    "set": Verb("hand", "change a limit, the model or the strictness of a live run", _words(_run, _setting, _json)),
    "retry": Verb("retry", "again from an earlier iteration: a new run that goes on from there", _words(
        _run, _option("--from", dest="iteration", type=int, required=True, metavar="N", help="the iteration to go on from"),
        _option("--wait", action="store_true", help="wait for the end, as `start` does"), _json)),
    "verdict": Verb("hand", "the human check", _words(
        _run, _option("check", metavar="CHECK", help="its name"), _option("grade", choices=("pass", "fail")), _why, _json)),
    "state": Verb("state", "read, edit, see who changed what", _words(
        _option("loop", metavar="LOOP", help="a loop's name"), _option("--edit", action="store_true", help="open it in $EDITOR"),
        _option("--history", action="store_true", help="who changed what, when"),
        _option("--board", action="store_true", help="its items as open, in progress and done"), _json)),
    "diff": Verb("review", "what a run produced", _words(
        _run, _option("--stat", action="store_true", help="only which files, and how much"), _json)),
    "read": Verb("read", "mark what a run changed as read; without a run, list what nobody has read", _words(
        _option("run", nargs="?", default="", metavar="RUN", help="a run id, a unique prefix of one, or a loop's name"),
        _option("paths", nargs="*", metavar="PATH", help="only these files, or what is below these folders"),
        _option("--list", action="store_true", help="mark nothing, only list the run's files"), _json)),
    "merge": Verb("review", "one merge commit on the branch you have checked out, after the checks ran on it", _words(_run, _json)),
    "discard": Verb("review", "drop a run's worktree and branch", _words(_run, _json)),
    "pr": Verb("pr", "push a run's branch and open a pull request with `gh`, once you have seen what leaves the machine", _words(
        _run, _option("--into", default="", metavar="BRANCH", help="the branch to merge into (the one you have checked out)"),
        _option("--title", default="", metavar="TEXT", help="its title (the loop's goal)"),
        _option("--yes", action="store_true", help="don't ask"), _json)),
    "clean": Verb("clean", "show what can be tidied up and what it would free, or tidy it up", _words(
        _option("--yes", action="store_true", help="do it"), _json)),
    "serve": Verb("serve", "the supervisor in the foreground: adopts runs, resumes those whose runner died", _words()),
    "verify": Verb("verify", "is a run's record untouched: journal, trace, blobs, loop", _words(_run, _json)),
    "gameday": Verb("gameday", "attack every promise on this machine with agents that misbehave, and say what came of it", _words(
        _option("--dir", default="", metavar="PATH", help="where to do it (a new temporary folder if not given)"), _json)),
    "mcp": Verb("mcp", "serve a loop's state, findings, budget and operator to an agent, as an MCP server over stdio", _words(
        _option("--loop", default="", metavar="LOOP", help="of which loop, outside of a run's worktree"),
        _option("--folder", default="", metavar="PATH", help="serve this folder's texts instead: passages about a question, citable"))),
    "hook": Verb("hook", "for a Claude Code or Codex session started elsewhere: tell of its calls, ask the deck, be braked", _words(
        _option("agent", nargs="?", default="", metavar="AGENT", help="whose event is read from stdin: claude or codex"),
        _option("--install", choices=("claude", "codex"), default="", metavar="AGENT", help="add it to this project's settings"),
        _option("--yes", action="store_true", help="add it without a question"),
        _option("--brake", default="", metavar="SESSION", help="let no further call of a session through"),
        _option("--release", default="", metavar="SESSION", help="let its calls through again"), _why)),
    "where": Verb("where", "the deck's paths", _words(_json)),
}  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints may quote anything that was typed, or came out of a file name by way of a shell."""

    def error(self, message: str) -> NoReturn:
        from loopdeck.core.text import clean

        super().error(clean(message))


def parser(first: str = "") -> argparse.ArgumentParser:
    """The parser of the whole command line; if its `first` word is a verb, that verb's alone, for to make all takes milliseconds."""
    top = _Parser(
        prog="loopdeck",
        description="A terminal control room for agent loops. Without a verb it opens the room: loopdeck [PATH …]",
        epilog="Exit codes: 0 done, 2 usage, 10 max_iterations, 11 budget, 12 no_progress, 13 human, 14 error, 15 lost.",
    )
    top.add_argument("--version", action="version", version=f"loopdeck {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", prog=top.prog, required=True)
    for name, verb in VERBS.items() if first not in VERBS else [(first, VERBS[first])]:
        verb.add(verbs.add_parser(name, help=verb.help, description=verb.help[:1].upper() + verb.help[1:] + "."))
    return top
