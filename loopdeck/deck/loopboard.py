"""A loop's screen as plain values: its picture, the lines above its iterations, and the iterations as a table. Pure.

The picture is the loop itself, trigger → maker → checks → state, with the live node lit: by capitals and a filled mark, not by colour
alone. The iteration is the unit: a row for each.
"""

from loopdeck.core.barriers import MARK
from loopdeck.core.columns import Cell, Cells, Column, TableRow, cell
from loopdeck.core.findings import Outcome
from loopdeck.core.plural import some
from loopdeck.core.shares import checker_share, hit_share
from loopdeck.deck.board import count, mark, money, sparkline
from loopdeck.deck.compare import split
from loopdeck.deck.passes import History, Pass
from loopdeck.deck.snapshot import LoopRow

COLUMNS = (
    Column("n", 4, "right"),
    Column("score", 5, "right"),
    Column("checks", 9),
    Column("findings", 11),
    Column("change", 13),
    Column("st", 2),
    Column("cost", 8, "right"),
    Column("tokens", 6, "right", from_width=92),
    Column("turns", 5, "right", from_width=106),
    Column("calls", 5, "right", from_width=106),
    Column("cache", 5, "right", from_width=100),
    Column("check $", 7, "right", from_width=116),
    Column("check s", 7, "right", from_width=116),
    Column("time", 7, "right"),
    Column("commit", 8, from_width=140),
    Column("", 0),
)
"""Of the iterations. `st` says that the state was changed, `check $` and `check s` are the checks' part of cost and time."""

LAYERS = ((1, "tools"), (2, "checks"), (3, "trigger"), (4, "climb"))
_NODES = ("trigger", "maker", "checks", "state")
_PHASES = {"setup": "trigger", "maker": "maker", "checks": "checks", "deciding": "state"}
_ASKING = {"approval": "maker", "verdict": "checks", "state": "state"}
_OUTCOMES: dict[Outcome, tuple[str, str]] = {
    "passed": ("✓", "good"), "failed": ("✗", "bad"), "unknown": ("?", "warn"), "error": ("!", "bad"),
}  # fmt: skip
_MOST_GLYPHS = 8


# The picture


def live_node(row: LoopRow) -> str:
    """Which part of the loop is at work, or waited for; empty if none is."""
    if row.status in ("ended", "idle") or not row.run:
        return ""
    if row.status == "queued":
        return "trigger"
    if row.status == "asking" and row.asking in _ASKING:
        return _ASKING[row.asking]
    return _PHASES.get(row.phase or "", "")


def picture(row: LoopRow, history: History | None, width: int) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
    """The loop drawn in two lines of `width` cells (at least 56): its parts, the live one lit, and below each what it is here."""
    live = live_node(row)
    parts = _parts(row, history)
    each = max(14, width // len(_NODES))
    above: list[Cell] = []
    below: list[Cell] = []
    for name in _NODES:
        lit = name == live
        words = f"◆ {name.upper()}" if lit else f"◇ {name}"
        # The last one leads back to the maker.
        end = "▶" if name != _NODES[-1] else "↺"
        above += [cell(words, "mark" if lit else "plain"), cell(" "), cell("─" * (each - len(words) - 4) + end, "dim"), cell("  ")]
        below += [cell(_fitted(parts[name], each - 2), "plain" if lit else "dim"), cell("  ")]
    return tuple(above), tuple(below)


def _fitted(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def _parts(row: LoopRow, history: History | None) -> dict[str, str]:
    newest = history.passes[-1] if history and history.passes else None
    maker = ":".join(part for part in (row.agent, newest.model if newest else row.model) if part)
    judged = next((one for one in reversed(history.passes) if one.verdicts), None) if history else None
    names = ", ".join(dict.fromkeys(one.check for one in judged.verdicts if not one.of_harness)) if judged else ""
    known = [one.state_after for one in history.passes if one.state_after] if history else []
    return {
        "trigger": row.trigger or (f"by {row.by}" if row.by else "by hand"),
        "maker": maker or "?",
        "checks": names or ("none ran yet" if history else ""),
        "state": f"STATE.md {known[-1][:8]}" if known else "STATE.md",
    }


# The lines above the table


def standing(row: LoopRow, now: float) -> tuple[Cell, ...]:
    """How the run stands: status, iteration, scores, money, what it waits for."""
    glyph, word = mark(row)
    if not row.run:
        return (glyph, cell(" "), word, cell("  no run yet; s starts one", "dim"))
    cells = [glyph, cell(" "), word]
    if row.phase and row.status != "ended":
        cells.append(cell(f" {row.phase}", "info"))
    cells.append(cell(f"  iteration {row.iteration}/{row.settings.max_iterations}"))
    if row.scores:
        cells.append(cell(f"  {sparkline(row.scores)}", "info"))
    cap = f" of {money(row.settings.max_cost)}" if row.settings.max_cost else ""
    cells.append(cell(f"  {money(row.cost)}{cap}"))
    if row.since_progress and any(score is not None for score in row.scores):
        cells.append(cell(f", {money(row.since_progress)} since it last got better", "warn"))
    if row.damage:
        cells.append(cell(f"  damaged: {row.damage}", "bad", 300))
    elif row.why:
        cells.append(cell(f"  {row.why}", "ask" if row.status == "asking" else "dim", 300))
    return tuple(cells)


def contract(row: LoopRow, history: History | None) -> tuple[Cell, ...]:
    """The exit as it was fixed before the start, and whether the loop file says something else by now."""
    limits = row.settings
    if not row.run:
        return (cell("exit  fixed when a run starts", "dim"),)
    parts = [f"≤{some(limits.max_iterations, 'iteration')}"]
    parts += [f"≤{money(limits.max_cost)}"] if limits.max_cost is not None else []
    parts += [f"≤{count(limits.max_tokens)} tokens"] if limits.max_tokens is not None else []
    parts += [f"≤{limits.max_wall_s:g} s"] if limits.max_wall_s is not None else []
    parts += [f"≤{some(limits.max_tool_calls, 'call')} each"] if limits.max_tool_calls is not None else []
    parts += [f"no progress x{limits.no_progress}" if limits.no_progress else "no detectors", f"from {limits.severity_floor} up"]
    parts += ["final pass"] if limits.final_pass else []
    cells = [cell("exit", "head"), cell("  " + ", ".join(parts), "plain", 300)]
    if history and history.run.exit_hash:
        cells.append(cell(f"  contract {history.run.exit_hash[:8]}", "dim"))
    changed = sum(one.deed == "set" for one in history.touches) if history else 0
    if changed:
        cells.append(cell(f"  set by hand x{changed}", "warn"))
    if row.edited:
        cells.append(cell("  loop file changed, applies next run", "warn"))
    return tuple(cells)


def badges(row: LoopRow) -> tuple[Cell, ...]:
    """Which of the four layers are on, and how much the loop may do by itself."""
    cells = [cell("layers", "head")]
    for number, name in LAYERS:
        on = number in row.layers
        cells.append(cell(f"  {'●' if on else '○'} {number} {name}", "accent" if on else "dim"))
    if row.level:
        cells.append(cell(f"   level {row.level}", "warn" if row.level == "unattended" else "plain"))
    if row.walls == "none":
        cells.append(cell(f"  {MARK}", "bad"))
    elif row.walls == "open":
        cells.append(cell("  the whole network is open", "warn"))
    if row.held:
        cells.append(cell("  ‖ held before the next iteration", "warn"))
    if row.pausing:
        cells.append(cell("  ‖ pauses at the next step", "warn"))
    return tuple(cells)


# The iterations


class Iterations:
    """A row for each iteration, oldest first, made when it is first looked at; `marked` is the one put aside to be compared.

    A row that looks as it did in `before` is that very row, so that it is not painted again.
    """

    def __init__(self, history: History, marked: int = 0, before: "Iterations | None" = None) -> None:
        self._history = history
        self._marked = marked
        self._known = before._rows if before is not None else {}
        self._rows: dict[int, TableRow] = {}

    def count(self) -> int:
        """How many there are."""
        return len(self._history.passes)

    def row(self, at: int) -> TableRow:
        """The row at that place."""
        made = self._rows.get(at)
        if made is None:
            passes = self._history.passes
            one, before = passes[at], passes[at - 1] if at else None
            fresh = table_row(one, before, self._history, one.number == self._marked)
            known = self._known.get(at)
            made = known if known is not None and known.painted == fresh.painted else fresh
            self._rows[at] = made
        return made

    def index(self, key: str) -> int | None:
        """The place of that iteration; they count from 1."""
        number = int(key) if key.isdecimal() else 0
        return number - 1 if 1 <= number <= self.count() else None


def table_row(one: Pass, before: Pass | None, history: History, marked: bool = False) -> TableRow:
    """One iteration as the table shows it; its key is its number."""
    of, spend = one.iteration, one.iteration.spend
    score = cell("·" if of.score is None else f"{of.score:.2f}", "good" if of.passed else "plain")
    cost = cell(money(None if spend.unpriced else spend.cost, places=4))
    painted: tuple[Cells, ...] = (
        _number(one, history, marked), score, _checks(one), _findings(one, before), _change(one), _state(one), cost,
        cell(count(spend.usage.tokens)), cell(of.turns), cell(spend.tool_calls), _share(hit_share(spend.usage)),
        _share(checker_share(of)), _share(one.checker_time_share), _time(one, history), cell(of.commit[:8], "dim"),
        _remarks(one, history),
    )  # fmt: skip
    return TableRow(str(one.number), painted)


def _number(one: Pass, history: History, marked: bool) -> Cell:
    running = not one.over and history.run.status != "ended"
    sign = "◉" if marked else "▶" if running else "★" if one.number == history.run.best else ""
    return cell(f"{sign}{one.number}", "accent" if marked else "info" if running else "plain")


def _checks(one: Pass) -> Cells:
    if not one.verdicts and not one.skipped:
        return cell("")
    if len(one.verdicts) + len(one.skipped) > _MOST_GLYPHS:
        passed = sum(said.passed for said in one.verdicts)
        return cell(f"{passed}✓", "good"), cell(f" {len(one.verdicts) - passed}✗", "bad")
    glyphs = [cell(*_OUTCOMES[said.outcome]) for said in one.verdicts]
    return (*glyphs, *(cell("–", "dim") for _ in one.skipped))


def _findings(one: Pass, before: Pass | None) -> Cells:
    if not one.verdicts:
        return cell("")
    fixed, new, _ = split(before.findings if before else (), one.findings)
    cells = [cell(f"{len(one.findings):>3}", "plain" if one.findings else "good")]
    cells.append(cell(f" +{len(new)}", "bad" if new else "dim"))
    cells.append(cell(f" -{len(fixed)}", "good" if fixed else "dim"))
    return tuple(cells)


def _change(one: Pass) -> Cells:
    of = one.iteration
    if not of.commit:
        return cell("")
    if of.empty:
        return cell("nothing", "warn")
    return cell(f"+{of.added}", "add"), cell(f" -{of.removed}", "del"), cell(f" {of.files}f", "dim")


def _state(one: Pass) -> Cell:
    if not one.state_after:
        return cell("")
    changed = one.state_after != one.iteration.state_hash
    return cell("✎" if changed else "=", "plain" if changed else "dim")


def _share(share: float | None) -> Cell:
    return cell("" if share is None else f"{100 * share:.0f} %", "dim")


def _time(one: Pass, history: History) -> Cell:
    seconds = one.iteration.seconds if one.over else history.run.clock - one.iteration.clock_start
    return cell(f"{seconds:.1f} s" if seconds < 1000 else f"{seconds / 60:.0f} min", "plain" if one.over else "info")


def _remarks(one: Pass, history: History) -> Cells:
    of = one.iteration
    cells = [cell(f"{said.detector} x{said.streak} ", "bad" if said.rung == "stop" else "warn") for said in of.signals]
    cells += [cell(f"maker: {of.maker} ", "warn")] if of.maker not in (None, "ended") else []
    cells += [cell("protected paths put back ", "warn")] if of.protected else []
    cells += [cell("final pass ", "info")] if of.final else []
    asked = sum(wait.of_person for wait in history.waits if wait.iteration == one.number)
    cells += [cell(f"{asked} asked ", "ask")] if asked else []
    wrong = history.labels(one.number)
    cells += [
        cell(f"{label.replace('_', ' ')} x{times} ", "bad" if label == "regression" else "warn") for label, times in wrong.items()
    ]
    return tuple(cells) or cell("")
