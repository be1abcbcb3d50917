"""The two doors: `read_deck` for deck.toml and `read_loop` for a loop.toml laid over it.

Both take text and never raise: what comes back is a value, or every problem there is, each with its line and remedy.
"""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple, get_args

from msgspec import Struct

from loopdeck.core import limits, shapes
from loopdeck.core.lines import Path
from loopdeck.core.loopfile import bounds
from loopdeck.core.loopfile.available import refuse, warn
from loopdeck.core.loopfile.checks import Grading, read_checks
from loopdeck.core.loopfile.experiments import read_experiment
from loopdeck.core.loopfile.gates import read_gates
from loopdeck.core.loopfile.lint import lint, required
from loopdeck.core.loopfile.remedies import remedies
from loopdeck.core.loopfile.uses import Use, named
from loopdeck.core.loopfile.who import read_maker, read_models
from loopdeck.core.plural import some
from loopdeck.core.spec import AgentKind, Context, Deck, Gates, Level, LoopSpec, Price, Problem, Trigger
from loopdeck.core.tables import Complaint, Items, Table, parse
from loopdeck.core.usage import picodollars

_DEFAULTS = ("maker", "models", "workspace", "exit", "gates", "sandbox")
_CONTEXTS: tuple[Context, ...] = get_args(Context)
_LEVELS: tuple[Level, ...] = get_args(Level)
_MAX_PRICE = 1_000_000


class DeckFile(Struct, frozen=True):
    """A deck.toml: the deck's own settings, the defaults for its loops as they were written, and prices by model."""

    deck: Deck = Deck()
    defaults: dict[str, Items] = {}
    prices: dict[str, Price] = {}
    problems: tuple[Problem, ...] = ()


class Reading(Struct, frozen=True):
    """What a loop file came to: a spec, or None if any problem isn't a warning.

    Problems are in the order of lines. `uses` are the files it names, as far as they could be read from a refused one too.
    """

    spec: LoopSpec | None
    problems: tuple[Problem, ...] = ()
    uses: tuple[Use, ...] = ()

    def also(self, *problems: Problem) -> "Reading":
        """This reading with `problems` beside its own: each once, in the order of files and lines."""
        every = dict.fromkeys((*self.problems, *problems))
        ordered = tuple(sorted(every, key=lambda one: (one.file, one.line, one.warning)))
        return Reading(self.spec if all(one.warning for one in ordered) else None, ordered, self.uses)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that refuse the loop."""
        return tuple(one for one in self.problems if not one.warning)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that don't."""
        return tuple(one for one in self.problems if one.warning)


def read_deck(text: str, file: str) -> tuple[DeckFile, tuple[Problem, ...]]:
    """The deck.toml `text` and its problems (also in the `DeckFile`, so that they refuse every loop of the deck)."""
    top = parse(text, file)
    defaults = {name: top.table(name) for name in _DEFAULTS}
    _read_defaults(defaults)
    deck = _deck(top.table("deck"), top.table("notify"))
    prices = _prices(top.table("prices"))
    top.unknown(remedies("deck.toml"))
    problems = Reading(None).also(*top.problems).problems
    raw = {name: table.items for name, table in defaults.items() if name in top}
    return DeckFile(deck, raw, prices, problems), problems


def read_loop(name: str, text: str, file: str, deck: DeckFile, *, prompt: str = "", allow_self_grading: bool = False) -> Reading:
    """The loop `name` out of its loop.toml `text` over the defaults of `deck`; `prompt` is the text of its PROMPT.md.

    `allow_self_grading` turns the error of that name into a warning; whoever sets it must write the warning down.
    """
    top = parse(text, file)
    unreadable = bool(top.problems)
    if complaint := shapes.loop_name(name):
        top.note("", *complaint)
    if unreadable:
        return Reading(None).also(*deck.problems, *top.problems)
    tables = _tables(top, deck)
    spec = _loop(name, tables, deck, prompt, allow_self_grading)
    uses = tuple(Use(key, path, *tables.place(at)) for key, path, at in named(spec))
    return Reading(spec, uses=uses).also(*deck.problems, *top.problems)


class _Tables(NamedTuple):
    """A loop file's tables: the document, those with the deck's defaults below, and the checks."""

    top: Table
    merged: Mapping[str, Table]
    checks: Sequence[Table]
    there: frozenset[str]

    def place(self, at: Path) -> tuple[str, int]:
        """File and line of what stands `at` a path."""
        match at:
            case ("check", int(index), str(key)):
                return self.checks[index].place(key)
            case (str(table), str(key)):
                return self.merged[table].place(key)
            case (str(key), int(index)):
                return self.top.place(key, index)
            case _:
                return self.top.place("")


def _tables(top: Table, deck: DeckFile) -> _Tables:
    merged = {key: top.table(key).over(deck.defaults.get(key, {})) for key in _DEFAULTS}
    there = frozenset(key for key in _DEFAULTS if isinstance(top.get(key), dict) or deck.defaults.get(key))
    return _Tables(top, merged, top.tables("check"), there)


def _loop(name: str, tables: _Tables, deck: DeckFile, prompt: str, allow_self: bool) -> LoopSpec:
    top, merged, checks, there = tables
    maker = read_maker(merged["maker"], whole="maker" in there)
    models = read_models(merged["models"])
    spec = LoopSpec(
        name=name,
        goal=top.text("goal", shape=_goal),
        maker=maker,
        checks=read_checks(checks, Grading(maker, models, allow_self)),
        exit=bounds.read_exit(merged["exit"], whole="exit" in there),
        prompt=prompt,
        skills=top.texts("skills", shape=shapes.word),
        context=top.choice("context", _CONTEXTS, "lean"),
        level=top.choice("level", _LEVELS, "assisted"),
        trigger=bounds.read_trigger(top.table("trigger")) if "trigger" in top else Trigger(),
        models=models,
        workspace=bounds.read_workspace(merged["workspace"]),
        gates=_gates(top, deck),
        sandbox=bounds.read_sandbox(merged["sandbox"]),
        experiment=read_experiment(top.table("experiment")) if "experiment" in top else None,
        prices=dict(deck.prices),
    )
    top.get("experiment")
    top.get("trigger")
    top.unknown(remedies("loop.toml"))
    _missing(top, there | set(top.items))
    _refused(top, spec)
    required(spec, checks)
    lint(top, spec, checks)
    if spec.level == "unattended":
        _needs_no_warning(top)
    return spec


def _missing(top: Table, there: Set[str]) -> None:
    """The four things that every loop has: a goal, somebody who works, something that grades, and an end."""
    if "goal" not in top:
        top.note("goal", "no goal", 'Write `goal = "…"` at the top: what will be true when it is done.')
    if "maker" not in there:
        remedy = 'Add `[maker]` with `agent = "anthropic"` and `model = "claude-sonnet-4-5"`.'
        top.note("maker", "no [maker]: nobody does the work", remedy)
    if top.get("check") in (None, []):
        top.note("check", "no [[check]]: nothing grades the work", 'Add `[[check]]` with `run = "pytest -q"`.')
    if "exit" not in there:
        remedy = "Add `[exit]` with `max_iterations = 4` and `max_cost_usd = 2.00`."
        top.note("exit", "no [exit]: the loop would never end", remedy)


def _needs_no_warning(top: Table) -> None:
    """Nobody is there to read a warning when a trigger starts the loop."""
    if warnings := [one for one in top.problems if one.warning]:
        what = f"an unattended loop can't have warnings open: {some(len(warnings), 'warning')}, the first: {warnings[0].what}"
        top.note("level", what, 'Mend what is warned of, or write `level = "assisted"`.')


def _refused(top: Table, spec: LoopSpec) -> None:
    if spec.experiment is not None:
        refuse(top, "experiment", "experiment")
    if "trigger" not in top:
        return
    if spec.trigger.scheduled and spec.exit.max_cost is None:
        what = "a loop with a trigger has no cost cap: it would spend while nobody looks"
        top.note("trigger", what, "Write `max_cost_usd = 2.00` in `[exit]`.")
    if spec.trigger.after == spec.name:
        top.note("trigger", "`trigger.after` names this loop itself", "Name another loop.")
    warn(top, "trigger", "trigger", f"Start it with `loopdeck start {spec.name}`.")


def _gates(top: Table, deck: DeckFile) -> Gates:
    own = top.table("gates")
    below = read_gates(Table("gates", {}, own.home, top.problems).over(deck.defaults.get("gates", {})))
    gates = read_gates(own)
    added = (tuple(dict.fromkeys(getattr(below, key) + getattr(gates, key))) for key in ("allow", "ask", "deny"))
    return Gates(*added)


def _read_defaults(defaults: Mapping[str, Table]) -> None:
    read_maker(defaults["maker"], whole=False)
    read_models(defaults["models"])
    bounds.read_workspace(defaults["workspace"])
    bounds.read_exit(defaults["exit"], whole=False)
    read_gates(defaults["gates"])
    bounds.read_sandbox(defaults["sandbox"])


def _deck(table: Table, notify: Table) -> Deck:
    dollars = table.number("max_cost_usd_per_day", None, limits.LEAST_DOLLARS, limits.MAX_DOLLARS)
    deck = Deck(
        max_runs=table.whole("max_runs", 0, 1, 1000),
        max_runs_per_agent=_per_agent(table.table("max_runs_per_agent")),
        min_free_memory=table.whole("min_free_memory_mb", 256, 0, 1_000_000) << 20,
        supervisor_idle_s=table.seconds("supervisor_idle", 600.0, 1.0, limits.YEAR_S),
        max_cost_per_day=None if dollars is None else picodollars(dollars),
        max_unread_lines=table.whole("max_unread_lines", 2000, 0, 1_000_000_000),
        bell=notify.flag("bell", True),
        desktop=notify.flag("desktop", True),
    )
    table.unknown(remedies("deck"))
    notify.unknown(remedies("notify"))
    return deck


def _per_agent(table: Table) -> dict[str, int]:
    found = {kind: table.whole(kind, 0, 1, 1000) for kind in get_args(AgentKind) if kind in table}
    table.unknown({})
    return {kind: most for kind, most in found.items() if most}


def _prices(table: Table) -> dict[str, Price]:
    prices = {}
    for model in table.items:
        inner = table.table(model)
        kinds = ("input", "output", "cache_read", "cache_write")
        amounts = [inner.number(kind, 0.0, 0, _MAX_PRICE) for kind in kinds]
        for kind in ("input", "output"):
            if isinstance(table.get(model), dict) and kind not in inner:
                inner.note(kind, f"the price of {model[:60]!r} has no {kind}", f"Write `{kind} = 3.0`: dollars per million.")
        inner.unknown({})
        prices[model] = Price(*amounts)
    return prices


def _goal(text: str) -> Complaint | None:
    if all(character.isprintable() or character in "\n\t" for character in text):
        return None
    return "holds a character that can't be printed", "Take it out."
