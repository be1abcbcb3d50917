"""A new loop as it is being thought out: what was typed, what a sentence fills in, and what a linter would say of it.

Invariant: a sentence never changes what a person has set by hand, and nothing that was typed is lost. Whatever is written has passed
the linter that `loopdeck check` is.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct, structs

from loopdeck.core import shapes
from loopdeck.core.durations import seconds, written
from loopdeck.core.estimate import Estimate
from loopdeck.core.intent import Facts, Wish, understand
from loopdeck.core.loopfile.write import Answers, loop_text
from loopdeck.core.spec import CheckSpec, Exit, LoopSpec, Problem, Trigger
from loopdeck.core.usage import PICO_PER_DOLLAR, picodollars
from loopdeck.deck.decks import Deck
from loopdeck.deck.estimating import RatesOf, estimated
from loopdeck.deck.launch import Refused
from loopdeck.deck.making import REHEARSAL, Made, files_of, linted, make, named_after
from loopdeck.deck.surroundings import surroundings
from loopdeck.shipped import AGENTS, MODELS
from loopdeck.store import specs

STEPS = ("task", "stop", "check", "schedule", "budget")
UNDONE = "no definition of done: nothing would grade the work, so it would never be done"


class Draft(Struct, frozen=True):
    """What is in the form, as it was typed. `off` are names of checks that are not wanted, `own` are fields that were set by hand."""

    sentence: str = ""
    goal: str = ""
    name: str = ""
    agent: str = AGENTS[0]
    model: str = MODELS[AGENTS[0]]
    iterations: str = "4"
    stuck: str = "3"
    wall: str = ""
    calls: str = ""
    protect: str = ""
    schedule: str = ""
    cost: str = "2.00"
    tokens: str = ""
    heard: tuple[CheckSpec, ...] = ()
    added: tuple[CheckSpec, ...] = ()
    off: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()

    @property
    def offered(self) -> tuple[CheckSpec, ...]:
        """All checks, wanted or not."""
        return self.heard + self.added

    @property
    def checks(self) -> tuple[CheckSpec, ...]:
        """Those that are wanted."""
        return tuple(one for one in self.offered if one.name not in self.off)


class Ground(NamedTuple):
    """What a draft stands on: the deck's defaults as a draft, what its repository shows, and names of loops there are."""

    base: Draft
    facts: Facts
    taken: tuple[str, ...]


def ground(deck: Deck) -> Ground:
    """Look at the deck. Files are read."""
    defaults = specs.load_deck(deck.root).defaults

    def given(table: str, key: str) -> object:
        item = defaults.get(table, {}).get(key)
        return None if item is None else item.value

    agent = given("maker", "agent")
    agent = agent if agent in AGENTS else AGENTS[0]
    values = {
        "agent": agent,
        "model": given("maker", "model") or MODELS[str(agent)],
        "iterations": given("exit", "max_iterations"),
        "cost": given("exit", "max_cost_usd"),
        "tokens": given("exit", "max_tokens"),
        "wall": given("exit", "max_wall"),
    }
    base = structs.replace(Draft(), **{key: str(value) for key, value in values.items() if value is not None})
    return Ground(base, surroundings(deck.root), deck.loops())


def heard(draft: Draft, sentence: str, on: Ground) -> tuple[Draft, Wish]:
    """The draft with what `sentence` says filled in, wherever no hand has set something else; and how it was understood."""
    wish = understand(sentence, on.facts)
    caps, base = wish.caps, on.base
    goal = wish.goal
    said = {
        "goal": goal,
        "name": named_after(goal, on.taken) if goal else "",
        "iterations": _number(caps.max_iterations, base.iterations),
        "stuck": _number(caps.no_progress, base.stuck),
        "wall": base.wall if caps.max_wall_s is None else written(caps.max_wall_s),
        "calls": _number(caps.max_tool_calls, base.calls),
        "protect": ", ".join(wish.protect),
        "schedule": wish.cron or (f"every {written(wish.every_s)}" if wish.every_s else ""),
        "cost": base.cost if caps.max_cost is None else f"{caps.max_cost / PICO_PER_DOLLAR:.2f}",
        "tokens": _number(caps.max_tokens, base.tokens),
    }
    fresh = {key: value for key, value in said.items() if key not in draft.own}
    names = {one.name for one in wish.checks}
    added = tuple(one for one in draft.added if one.name not in names)
    return structs.replace(draft, sentence=sentence, heard=wish.checks, added=added, **fresh), wish


def _number(said: int | None, otherwise: str) -> str:
    return otherwise if said is None else str(said)


def edited(draft: Draft, field: str, value: str) -> Draft:
    """The draft with one field set by hand. Another agent brings its model, unless that was set by hand too."""
    changed = {field: value}
    if field == "agent" and "model" not in draft.own:
        changed["model"] = MODELS.get(value, "")
    return structs.replace(draft, own=draft.own | {field}, **changed)


def with_command(draft: Draft, command: str) -> Draft:
    """The draft with a command as a further check; as it was if there is one already."""
    command = " ".join(command.split())
    if not command or any(one.run == command for one in draft.offered):
        return draft
    name = command if len(command) <= 40 else command[:39] + "…"
    return structs.replace(draft, added=(*draft.added, CheckSpec(name, run=command)))


def toggled(draft: Draft, check: str) -> Draft:
    """The draft with that check wanted, if it was not, or else not."""
    return structs.replace(draft, off=draft.off ^ {check})


class Complaint(NamedTuple):
    """Something in the form that can't be read: in which step and field, and what is wrong."""

    step: int
    field: str
    what: str


def answers(draft: Draft) -> tuple[Answers, tuple[Complaint, ...]]:
    """The answers that the draft holds, and all that can't be read of it."""
    wrong: list[Complaint] = []

    def read(step: int, field: str, reads: Callable[[str], float | None], what: str) -> float | None:
        text = getattr(draft, field).strip()
        value = reads(text) if text else None
        if text and value is None:
            wrong.append(Complaint(step, field, f"{what}, not {text[:40]!r}"))
        return value

    iterations = read(1, "iterations", _whole, "iterations must be a whole number")
    stuck = read(1, "stuck", _whole, "rounds without progress must be a whole number, 0 for no limit")
    wall = read(1, "wall", seconds, "time must be like 90s, 30m or 1h30m")
    calls = read(1, "calls", _whole, "tool calls must be a whole number")
    cost = read(4, "cost", _dollars, "dollars must be a number such as 2.50")
    tokens = read(4, "tokens", _tokens, "tokens must be a number such as 500000 or 500k")
    trigger = schedule(draft.schedule)
    if trigger is None:
        wrong.append(
            Complaint(3, "schedule", 'a schedule is `every 30m`, "every weekday at 7:30" or a cron line such as `0 7 * * 1-5`')
        )
    ends = Exit(
        max_iterations=int(iterations or 0),
        max_cost=None if cost is None else picodollars(cost),
        max_tokens=None if tokens is None else int(tokens),
        max_wall_s=wall,
        max_tool_calls=None if calls is None else int(calls),
        no_progress=3 if stuck is None else int(stuck),
    )
    made = Answers(
        name=draft.name.strip(),
        goal=" ".join(draft.goal.split()),
        agent=draft.agent,
        model=draft.model.strip(),
        script=REHEARSAL if draft.agent == "scripted" else "",
        checks=draft.checks,
        exit=ends,
        protect=tuple(one.strip() for one in draft.protect.split(",") if one.strip()),
        trigger=trigger or Trigger(),
        sentence=draft.sentence,
    )
    return made, tuple(wrong)


def schedule(text: str) -> Trigger | None:
    """A schedule as it may be typed; None if it can't be read. Nothing typed is no schedule."""
    plain = " ".join(text.split())
    if not plain:
        return Trigger()
    if shapes.cron(plain) is None:
        return Trigger(cron=plain)
    span = seconds(plain.removeprefix("every ").replace(" ", ""))
    if span:
        return Trigger(every_s=span)
    wish = understand(plain, Facts())
    said = Trigger(cron=wish.cron, every_s=wish.every_s)
    return said if said.scheduled and not wish.missed else None


def _whole(text: str) -> int | None:
    plain = text.replace(",", "").replace("_", "")
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 19 else None


def _dollars(text: str) -> float | None:
    try:
        value = float(text.removeprefix("$").replace(",", "").replace("_", ""))
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None


def _tokens(text: str) -> int | None:
    plain = text.lower()
    scale = {"k": 1000, "m": 1_000_000}.get(plain[-1:], 1)
    number = _dollars(plain.rstrip("km") if scale > 1 else plain)
    return None if number is None else round(number * scale)


class Judged(Struct, frozen=True):
    """What would come of a draft: its loop file, all that is wrong with it, and what a run would take, if it could start."""

    text: str
    complaints: tuple[Complaint, ...]
    problems: tuple[Problem, ...]
    estimate: Estimate | None

    @property
    def ready(self) -> bool:
        """True if it can be written."""
        return not self.complaints and all(one.warning for one in self.problems)


Unpriced = Callable[[Deck, LoopSpec], list[Problem]]
"""Says which models of a loop no price list knows, though only a cap on cost would stop it."""


def judged(deck: Deck, draft: Draft, rates: RatesOf, unpriced: Unpriced) -> Judged:
    """What `loopdeck check` would say of the draft. Files are read, none is written."""
    made, wrong = answers(draft)
    reading = linted(deck, made)
    spec = reading.spec
    if spec is None:
        return Judged(loop_text(made), wrong, reading.problems, None)
    texts = {key: files_of(made).get(REHEARSAL, "") for key in ("script",) if made.script}
    found = () if made.script else tuple(unpriced(deck, spec))
    return Judged(loop_text(made), wrong, (*reading.problems, *found), estimated(deck, spec, rates, texts))


def write(deck: Deck, draft: Draft) -> Made:
    """Write the loop. Raises Refused, with nothing written, if `loopdeck check` would refuse it; UsageError if its name is taken."""
    made, wrong = answers(draft)
    reading = linted(deck, made)
    grave = [one for one in reading.problems if not one.warning]
    if wrong or grave:
        raise Refused([*(Problem("the form", one.step + 1, one.what) for one in wrong), *grave])
    return make(deck, made.name, files_of(made))


def wrong_steps(draft: Draft) -> frozenset[int]:
    """The steps in which something can't be read, or is missing although a sentence is there."""
    wrong = {one.step for one in answers(draft)[1]}
    return frozenset(wrong | {2} if draft.sentence.strip() and not draft.checks else wrong)
