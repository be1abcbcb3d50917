"""`loopdeck read`: the reading queue, and marking what has been read."""

import argparse
from collections.abc import Sequence

from loopdeck.cli import here, out
from loopdeck.core.plural import some
from loopdeck.deck.decks import Deck
from loopdeck.deck.unread import Cargo, Debt, Shipped, Unread, cap
from loopdeck.errors import UsageError


def run(options: argparse.Namespace) -> int:
    """Without a run the queue; else mark its files, or with `--list` only show them."""
    deck = here.deck()
    unread = Unread(deck)
    if not options.run:
        _queue(deck, unread.look(), options.json)
        return 0
    paths = deck.resolve(options.run)
    cargo = unread.cargo(paths)
    if cargo is None:
        raise UsageError("the run has changed nothing, so there is nothing to read", where=paths.run)
    before = unread.unread_of(cargo)
    marked = () if options.list else unread.mark(cargo, options.paths)
    left = unread.unread_of(cargo)
    if options.json:
        _document(deck, cargo, marked, left, Unread(deck).look())
    elif options.list:
        _list(cargo, left)
    else:
        new = [one for one in marked if one in before]
        out.say(f"{cargo.loop} {cargo.run}: marked {_much(new)} as read; {_much(left)} of it unread")
        out.say(_sum(deck, Unread(deck).look()))
    return 0


def _queue(deck: Deck, debt: Debt, as_json: bool) -> None:
    if as_json:
        runs = [
            {"loop": one.loop, "run": one.run, "merged": one.merged, "lines": one.lines, "files": [_file(each) for each in one.files]}
            for one in debt.owed
        ]
        out.document({"unread_lines": debt.lines, "max_unread_lines": cap(deck), "runs": runs})
        return
    if debt.owed:
        rows = [
            [one.run, one.loop, "merged" if one.merged else "waits", f"{len(one.files)}", f"{one.lines:,}", _names(one.files)]
            for one in debt.owed
        ]
        out.table(("run", "loop", "", "files", "lines", "unread"), rows)
        out.say()
    out.say(_sum(deck, debt))


def _list(cargo: Cargo, left: Sequence[Shipped]) -> None:
    rows = [["unread" if one in left else "read", _size(one), one.path] for one in cargo.files]
    out.table(("", "lines", "file"), rows)
    out.say(f"\n{_much(left)} of it unread")


def _document(deck: Deck, cargo: Cargo, marked: Sequence[Shipped], left: Sequence[Shipped], debt: Debt) -> None:
    out.document(
        {
            "run": cargo.run, "loop": cargo.loop, "base": cargo.base, "commit": cargo.tip,
            "files": [{**_file(one), "read": one not in left} for one in cargo.files],
            "marked": [one.path for one in marked], "unread_lines": debt.lines, "max_unread_lines": cap(deck),
        }
    )  # fmt: skip


def _file(one: Shipped) -> dict[str, object]:
    return {"path": one.path, "added": one.added, "removed": one.removed, "binary": one.binary}


def _sum(deck: Deck, debt: Debt) -> str:
    most = cap(deck)
    held = "; merging waits until fewer are" if debt.lines > most else ""
    return f"{some(debt.lines, 'line of this deck is', 'lines of this deck are')} unread, of at most {most:,}{held}"


def _size(one: Shipped) -> str:
    return "binary" if one.binary else f"+{one.added} -{one.removed}"


def _much(files: Sequence[Shipped]) -> str:
    count, lines = len(files), sum(one.lines for one in files)
    return f"{some(count, 'file')} with {some(lines, 'line')}"


def _names(files: Sequence[Shipped]) -> str:
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return ", ".join(one.path for one in files[:3]) + more
