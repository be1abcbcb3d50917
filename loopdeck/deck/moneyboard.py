"""The ledger as tables: by loop, role, model or day, and the receipts of a loop, iteration by iteration. Pure.

Invariant: the figures of a column add up to the total below it as they are shown, to the last digit; what is not known says so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct, structs

from loopdeck.core.columns import Cell, Column, TableRow, cell
from loopdeck.core.ledger import NOTHING, Line, Statement, Total, added, gathered, receipts
from loopdeck.core.plural import some
from loopdeck.core.worth import Worth, reached_in, worth
from loopdeck.deck.board import age, count, money
from loopdeck.deck.money import Ledger
from loopdeck.deck.snapshot import LoopRow

View = Literal["loop", "role", "model", "day"]
VIEWS: tuple[View, ...] = ("loop", "role", "model", "day")
PLACES = 6
"""Decimals that amounts of money are shown with: a token's price is a small figure."""
_UNIT = 10 ** (12 - PLACES)

SUMS = (
    Column("", 0),
    Column("calls", 6, "right"),
    Column("in", 7, "right", from_width=70),
    Column("out", 7, "right", from_width=70),
    Column("cached", 6, "right", from_width=92),
    Column("saved", 11, "right", from_width=76),
    Column("cost", 13, "right"),
    Column("known", 11),
)
RECEIPTS = (
    Column("run", 0),
    Column("iter", 5, "right"),
    Column("calls", 6, "right", from_width=92),
    Column("tokens", 7, "right", from_width=100),
    Column("cached", 6, "right", from_width=110),
    Column("saved", 11, "right", from_width=112),
    Column("maker", 11, "right"),
    Column("checks", 11, "right"),
    Column("total", 12, "right"),
    Column("known", 11),
)
MOST_RUNS = 100
"""Runs whose receipts are shown one by one."""
TOTAL = "total"
"""The key of the row in which a column adds up."""


class Source(Struct, frozen=True):
    """A statement and the deck it is of, by number and by the name that is put before its loops (empty with a single deck)."""

    deck: int
    name: str
    statement: Statement

    @property
    def loop(self) -> str:
        """The loop, as it is shown."""
        return f"{self.name}/{self.statement.loop}" if self.name else self.statement.loop


_KEYS: Mapping[View, Callable[[Source, Line], str]] = {
    "loop": lambda source, line: source.loop,
    "role": lambda source, line: "checks" if line.role == "check" else "makers",
    "model": lambda source, line: line.model or "(none: scripted)",
    "day": lambda source, line: line.day,
}


def sums(sources: Sequence[Source], view: View) -> Mapping[str, Total]:
    """The total for each loop, role, model or day: the dearest first, days the newest first. A loop without a call is there too."""
    key = _KEYS[view]
    made = dict(gathered((key(source, line), line.total) for source in sources for line in source.statement.lines))
    if view == "loop":
        made = {source.loop: NOTHING for source in sources} | made
    if view == "day":
        return dict(sorted(made.items(), reverse=True))
    return dict(sorted(made.items(), key=lambda one: (-one[1].cost, one[0])))


class Spent(Struct, frozen=True):
    """All that was spent, and by deck the ids of runs that were merged (None if that is not known)."""

    sources: tuple[Source, ...] = ()
    merged: tuple[frozenset[str] | None, ...] = ()

    def chosen(self, row: str) -> tuple[Source, ...]:
        """The runs of the loop that a row of sums by loop is of; all of them for the total."""
        return tuple(one for one in self.sources if row in (TOTAL, f"={one.loop}"))

    def part(self, view: View, row: str) -> tuple[Source, ...]:
        """All runs with only those lines that a row of a view is the sum of."""
        key = _KEYS[view]
        cut = (_cut(one, tuple(line for line in one.statement.lines if row in (TOTAL, f"={key(one, line)}"))) for one in self.sources)
        return tuple(one for one in cut if one.statement.lines)


def _cut(source: Source, lines: tuple[Line, ...]) -> Source:
    return structs.replace(source, statement=structs.replace(source.statement, lines=lines))


def spent(ledgers: Sequence[Ledger], names: Sequence[str]) -> Spent:
    """The ledgers of several decks as one; `names` are put before their loops if there are several."""
    several = len(ledgers) > 1
    sources = tuple(Source(at, names[at] if several else "", one) for at, ledger in enumerate(ledgers) for one in ledger.statements)
    return Spent(sources, tuple(ledger.merged for ledger in ledgers))


def words(of: Spent, view: View, row: str, rows: Sequence[LoopRow]) -> tuple[tuple[Cell, ...], ...]:
    """The four lines between the tables: what the loop's money bought, or of what the row is; `rows` are the room's."""
    live = [one for one in rows if one.live]
    chosen = of.chosen(row)
    if view != "loop" or row == TOTAL or not chosen:
        about = "all loops" if row == TOTAL or view == "loop" else f"{row.removeprefix('=')}, by loop"
        return (cell(about, "strong"),), (cell(""),), (cell(""),), forecast(live)
    first = chosen[0]
    loop = first.statement.loop
    made = worth(loop, [one.statement for one in chosen], of.merged[first.deck])
    return worth_lines(made, [one for one in live if (one.deck, one.loop) == (first.deck, loop)])


def sum_rows(of: Mapping[str, Total]) -> tuple[TableRow, ...]:
    """A row for each, and the total, if there is anything."""
    if not of:
        return ()
    whole = added(of.values())
    costs = adding_up([one.cost for one in of.values()])
    saved = adding_up([one.saved for one in of.values()])
    rows = [
        TableRow(f"={name}", _sums(name, one, cost, save))
        for (name, one), cost, save in zip(of.items(), costs, saved, strict=True)
    ]  # fmt: skip
    return (*rows, TableRow(TOTAL, _sums(TOTAL, whole, sum(costs), sum(saved)), "strong"))


def _sums(name: str, one: Total, cost: int, saved: int) -> tuple[Cell, ...]:
    style = "strong" if name == TOTAL else "plain"
    usage = one.usage
    return (
        cell(name, style), cell(one.calls, "dim"), cell(count(usage.tokens - usage.output), "dim"), cell(count(usage.output), "dim"),
        _share(one), _saved(one, saved), _cost(one, cost, style), known(one),
    )  # fmt: skip


def receipt_rows(statements: Iterable[Statement]) -> tuple[TableRow, ...]:
    """A row for each iteration of these runs, the newest run first, and their total; of the oldest runs, if they are many, one row."""
    newest = sorted(statements, key=lambda one: one.run, reverse=True)
    listed = [_Entry(of.run, _run(of), one.iteration, one.maker, one.check) for of in newest[:MOST_RUNS] for one in receipts(of)]
    if older := [one for of in newest[MOST_RUNS:] for one in receipts(of)]:
        name = f"{some(len(newest) - MOST_RUNS, 'earlier run')}"
        listed.append(_Entry("", name, -1, added(one.maker for one in older), added(one.check for one in older)))
    if not listed:
        return ()
    makers = adding_up([one.maker.cost for one in listed])
    checks = adding_up([one.check.cost for one in listed])
    saved = adding_up([one.maker.saved + one.check.saved for one in listed])
    rows = []
    before = None
    for one, *shown in zip(listed, makers, checks, saved, strict=True):
        name = one.name if one.run != before else ""
        before = one.run
        number = "" if one.iteration < 0 else str(one.iteration) if one.iteration else "setup"
        painted = _receipt(cell(name), number, (one.maker, one.check), (shown[0], shown[1], shown[2]), "plain")
        rows.append(TableRow(f"{one.run}/{one.iteration}", painted))
    both = (added(one.maker for one in listed), added(one.check for one in listed))
    painted = _receipt(cell(TOTAL, "strong"), "", both, (sum(makers), sum(checks), sum(saved)), "strong")
    return (*rows, TableRow(TOTAL, painted, "strong"))


class _Entry(NamedTuple):
    """A line of receipts: of one iteration, or (-1) of all earlier runs."""

    run: str
    name: str
    iteration: int
    maker: Total
    check: Total


def _run(of: Statement) -> str:
    glyph = "▶" if of.reason is None else "✓" if of.reason == "done" else "✗"
    return f"{glyph} {of.run} {of.reason or 'goes on'}"


def _receipt(name: Cell, number: str, both: tuple[Total, Total], shown: tuple[int, int, int], style: str) -> tuple[Cell, ...]:
    one = both[0] + both[1]
    maker, check, saved = shown
    return (
        name, cell(number, "dim"), cell(one.calls, "dim"), cell(count(one.usage.tokens), "dim"), _share(one), _saved(one, saved),
        _cost(both[0], maker, style), _cost(both[1], check, style), _cost(one, maker + check, style), known(one),
    )  # fmt: skip


def adding_up(values: Sequence[int]) -> list[int]:
    """Picodollars in the units that are shown, rounded so that they add up to their rounded sum."""
    total = (sum(values) + _UNIT // 2) // _UNIT
    units = [value // _UNIT for value in values]
    rest = total - sum(units)
    for at in sorted(range(len(values)), key=lambda at: -(values[at] % _UNIT))[:rest]:
        units[at] += 1
    return units


def exact(units: int) -> str:
    """Units as dollars, with every decimal; the sign stands before the dollar."""
    size = abs(units)
    return f"{'-' * (units < 0)}${size // 10**PLACES}.{size % 10**PLACES:0{PLACES}}"


def _cost(one: Total, units: int, style: str) -> Cell:
    if one.unpriced:
        return cell(f"{exact(units)}+?" if one.cost else "$?", "warn")
    return cell(exact(units), style)


def _saved(one: Total, units: int) -> Cell:
    if one.unsaved:
        return cell(f"{exact(units)}+?" if one.saved else "?", "warn")
    return cell(exact(units) if units else "", "good" if units > 0 else "warn")


def _share(one: Total) -> Cell:
    share = one.hit_share
    return cell("" if share is None else f"{100 * share:.0f} %", "dim")


def known(one: Total) -> Cell:
    """How the cost is known: metered, priced or estimated, the least certain of all; or that some of it has no price."""
    if not one.calls:
        return cell("")
    if one.unpriced:
        return cell("? no price", "warn")
    words = {"metered": ("= metered", "good"), "priced": ("· priced", "dim"), "estimated": ("≈ estimated", "warn")}
    return cell(*words[one.certainty])


def worth_lines(of: Worth, live: Sequence[LoopRow]) -> tuple[tuple[Cell, ...], ...]:
    """What the loop's money bought, in four lines; `live` are the rows of its runs that go on."""
    merged = "" if of.merged is None else f", {of.merged} merged"
    ran = cell(f"{some(of.runs, 'run')}, {of.done} done{merged}, {some(of.iterations, 'iteration')}", "strong")
    each: list[Cell] = []
    for words, amount in (("done run", of.per_done), ("merged run", of.per_merged), ("iteration", of.per_iteration)):
        if amount is not None:
            each += [cell(money(amount, places=4)), cell(f" per {words}   ", "dim")]
    if not of.done and of.ended:
        each.append(cell("nothing accepted yet", "warn"))
    elif of.done_per_iteration:
        each += [cell(f"{of.done_per_iteration:.2f}"), cell(" done per iteration   ", "dim")]
    spent = [cell("checks: ", "dim"), _percent(of.check_share), cell(" of cost, ", "dim"), _percent(of.check_time_share)]
    spent += [cell(" of time   cache: ", "dim"), _percent(of.total.hit_share), cell(" of input", "dim")]
    if of.total.unsaved:
        spent.append(cell(", what it saved is not known", "warn"))
    elif of.total.saved:
        kept = of.total.saved > 0
        spent.append(cell(f", {'saved' if kept else 'cost'} {money(abs(of.total.saved), places=4)}", "good" if kept else "warn"))
    if of.total.estimated:
        each.append(cell(f"≈ {money(of.total.estimated, places=4)} is our bound", "warn"))
    return (ran,), tuple(each), tuple(spent), forecast(live)


def _percent(share: float | None) -> Cell:
    return cell("–" if share is None else f"{100 * share:.0f} %")


def forecast(live: Sequence[LoopRow]) -> tuple[Cell, ...]:
    """How fast is being spent, and when the first cap is reached if it goes on like that."""
    rate = sum(row.rate for row in live)
    if not rate:
        return (cell("nothing is being spent now", "dim"),)
    cells = [cell("spending ", "dim"), cell(f"{money(rate)}/h", "info")]
    soonest: tuple[float, str] | None = None
    for row in live:
        if row.settings.max_cost is None or row.cost is None:
            continue
        left = reached_in(row.settings.max_cost - row.cost, row.rate)
        if left is not None and (soonest is None or left < soonest[0]):
            soonest = (left, f"the cap of {money(row.settings.max_cost)} of {row.loop} is reached in about {age(left)}")
    words = f"   at this rate {soonest[1]}" if soonest else "   no cap on cost is near: tokens, time or iterations end it"
    return (*cells, cell(words, "warn" if soonest and soonest[0] < _SOON_S else "plain"))


_SOON_S = 900.0
