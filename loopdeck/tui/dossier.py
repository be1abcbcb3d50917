"""All there is to know of a call that waits, as lines to be read from top to bottom: what asks, what holds it, and the call itself.

Looks at files, so it is for a worker. Invariant: the call is the last thing in the lines, whole; whoever is at their end has read it.
"""

from collections.abc import Iterable

from msgspec import Struct

from loopdeck import deciding
from loopdeck.core import gate
from loopdeck.core.columns import Cell, cell
from loopdeck.core.commands import Decide
from loopdeck.core.run import Approval
from loopdeck.core.text import Shown, pieces
from loopdeck.core.usage import dollars
from loopdeck.deck.approving import Waiting
from loopdeck.deck.decks import Deck
from loopdeck.errors import LoopdeckError
from loopdeck.proposal import Line, difference, proposal, shown
from loopdeck.store.layout import RunPaths

TIERS = {"low": ("·", "dim"), "medium": ("~", "plain"), "high": ("!", "warn"), "dangerous": ("!!", "bad")}
"""Glyph and style of each tier; its word stands beside them."""
_MEANS = {
    "low": "it reads, or changes only what is easily undone",
    "medium": "it changes files, or runs something ordinary",
    "high": "it can't be told what all it does, or it writes where tools run code from",
    "dangerous": "it deletes, publishes, changes rights, or runs what nobody has read",
}
_BARE = "unsandboxed: approvals are advisory. Nothing keeps it from your files and keys, the network, or writing outside the worktree"
_UNTOLD = "nothing says that one holds it, so take it for unsandboxed: your files and keys, the network, all that you may write to"
_HELD = "it sees its worktree and the system's programs, and neither your home nor your keys, and writes nothing outside"
_SHUT = "no network"
_NETWORK = "the whole network is open to it: what it can read in there it can send anywhere"
_LISTED = "it reaches these hosts and no other, and what it can read in there it can send to them"
_OF_TOOL = "none is needed: this tool writes nowhere but in the run's worktree, and follows no link out of it"
_LABEL = 9
_FACT = 600


class Limits(Struct, frozen=True):
    """What a run's sandbox lets through (`hosts`), and what it can't hold (`lacks`, in sentences)."""

    hosts: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class Dossier(Struct, frozen=True, eq=False):
    """The `lines`, not yet wrapped; `answered` is the answer that lies in the run's inbox already."""

    lines: tuple[Line, ...]
    answered: Decide | None = None


def dossier(deck: Deck, paths: RunPaths, one: Waiting) -> Dossier:
    """Look everything up. What can't be read is said, never raised."""
    call = one.approval
    answered = None
    notices: tuple[str, ...] = ()
    limits = Limits()
    try:
        answered = deciding.decision(paths, call.id)
        run = deck.view(paths).run
        notices, limits = tuple(run.notices), Limits(run.hosts, run.lacks)
    except LoopdeckError as error:
        notices = (f"the run's journal can't be read: {error.what}",)
    return Dossier((*_facts(one, notices, limits), *_call(call)), answered)


def edit_lines(call: Approval, arguments: str) -> tuple[Line, ...]:
    """What a person's edit changes in the call, and the call as it would run: `arguments`, JSON text. Looks at files."""
    before, after = proposal(call.tool, call.arguments, call.cwd), proposal(call.tool, arguments, call.cwd)
    old, new = _text(before.lines), _text(after.lines)
    tier = gate.tier(call.tool, arguments)
    glyph, style = TIERS[tier]
    return (
        _fact("risk", f"{glyph} {tier}, as edited", style),
        _head("what you changed"),
        *(difference(old, new) or shown("nothing", "dim")),
        _head(f"what will run: {call.tool}, {after.what}"),
        *after.lines,
        *(_fact("note", note, "warn") for note in after.notes),
    )


def equal_lines(equals: Iterable[Waiting]) -> tuple[Line, ...]:
    """The calls that one answer goes to."""
    return tuple(
        (
            cell(f"{number:>3}  "), cell(one.row.loop, "strong", 70), cell(f"  {one.row.run}  "), cell(one.approval.tier, "dim"),
            cell(f"  since {one.approval.since[11:19]}  "), cell(one.approval.cwd, "dim", 400),
        )
        for number, one in enumerate(equals, 1)
    )  # fmt: skip


def _facts(one: Waiting, notices: tuple[str, ...], limits: "Limits") -> Iterable[Line]:
    call, row = one.approval, one.row
    glyph, style = TIERS[call.tier]
    spent = "" if row.cost is None else f", ${dollars(row.cost):.2f} spent"
    yield (cell(_padded("loop"), "dim"), cell(row.loop, "strong", 80), cell(f"  {row.run}, iteration {row.iteration}{spent}", "dim"))
    yield _fact("rule", f"{call.rule or 'default'}: {call.reason}" if call.reason else call.rule)
    yield _fact("risk", f"{glyph} {call.tier}: {_MEANS[call.tier]}", style)
    for text, its in barriers(call, notices, limits):
        yield _fact("sandbox", text, its)
    yield _fact("in", call.cwd)
    yield _fact("since", f"{call.since}; expires {call.expires or 'never'}")
    if not row.live:
        yield _fact("runner", "gone: an answer is kept, and counts once the run is resumed (`o`, then `r`)", "warn")


def barriers(call: Approval, notices: tuple[str, ...], limits: Limits) -> tuple[tuple[str, str], ...]:
    """What would hold the call back and what not, in sentences with their styles; `notices` and `limits` are its run's.

    Never more than is known.
    """
    if call.tool in gate.WRITING or call.tool in gate.READING or call.tool == "update_state":
        return ((_OF_TOOL, "plain"),)
    lacking = tuple((f"not held: {one}", "warn") for one in limits.lacks)
    match call.walls:
        case "closed":
            return ((_HELD, "plain"), (_SHUT, "plain"), *lacking)
        case "listed":
            return ((_HELD, "plain"), (f"{_LISTED}: {', '.join(limits.hosts) or 'which, its journal does not say'}", "warn"), *lacking)
        case "open":
            return ((_HELD, "plain"), (_NETWORK, "warn"), *lacking)
        case "none":
            told = tuple((one, "bad") for one in notices if one.lower().startswith("unsandboxed"))
            return told or ((_BARE, "bad"),)
        case _:
            return ((_UNTOLD, "warn"),)


def _call(call: Approval) -> tuple[Line, ...]:
    what = proposal(call.tool, call.arguments, call.cwd)
    return (
        *(_fact("note", note, "warn") for note in what.notes),
        _head(f"{call.tool}: {what.what}"),
        *what.lines,
    )


def _fact(label: str, text: str, style: str = "plain") -> Line:
    cut = text if len(text) <= _FACT else f"{text[:_FACT]}… <+{len(text) - _FACT} characters>"
    return (cell(_padded(label), "dim"), *(Cell(piece, "mark" if hidden else style) for piece, hidden in pieces(cut)))


def _head(text: str) -> Line:
    return (cell(f"── {text} ──", "head", _FACT),)


def _padded(label: str) -> str:
    return label.ljust(_LABEL)


def _text(lines: tuple[Line, ...]) -> Shown:
    return Shown("\n".join("".join(one.text for one in line) for line in lines))
