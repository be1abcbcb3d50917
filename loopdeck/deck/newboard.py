"""What the new-loop form says of each step, below its fields. Pure: rows and sections of facts."""

from loopdeck.core.columns import TableRow, cell
from loopdeck.core.durations import written
from loopdeck.core.estimate import told
from loopdeck.core.intent import Facts, Wish
from loopdeck.core.plural import some
from loopdeck.core.spec import CheckSpec, Problem
from loopdeck.deck.answer import Fact, Tone
from loopdeck.deck.making import Made
from loopdeck.deck.newloop import STEPS, UNDONE, Draft, Ground, Judged, answers, schedule
from loopdeck.deck.why import Section

_SHOWS = ("tests", "lint", "types", "format", "build")


def check_rows(draft: Draft) -> tuple[TableRow, ...]:
    """A row for each check that is offered, with a box that says whether it is wanted."""
    rows = []
    for one in draft.offered:
        wanted = one.name not in draft.off
        box = cell("[x]" if wanted else "[ ]", "good" if wanted else "dim")
        style = "plain" if wanted else "dim"
        rows.append(TableRow(one.name, (box, cell(one.name, style), cell(grades(one), style))))
    return tuple(rows)


def grades(check: CheckSpec) -> str:
    """What a check does, in a line."""
    match check:
        case CheckSpec(run=run) if run:
            return run
        case CheckSpec(links=links) if links:
            return f"links in {', '.join(links)} lead somewhere"
        case CheckSpec(schema=schema) if schema is not None:
            return f"{', '.join(schema.files)} hold to {schema.schema}"
        case CheckSpec(scope=scope) if scope is not None:
            only = f"changes only in {', '.join(scope.paths)}" if scope.paths else ""
            size = [some(most, what) for most, what in ((scope.max_files, "file"), (scope.max_lines, "line")) if most]
            return only or f"changes at most {' and '.join(size)}"
        case CheckSpec(human=True):
            return "a person gives the verdict, when the others pass"
        case _:
            return check.name


def notes(step: int, draft: Draft, wish: Wish, on: Ground, judged: Judged | None, made: Made | None) -> tuple[Section, ...]:
    """The sections below a step."""
    if made is not None:
        return _made(made, draft)
    match STEPS[step]:
        case "task":
            found = _understood(draft, wish, on.facts)
        case "stop":
            found = (Section("it will stop", tuple(_stops(draft))),)
        case "check":
            found = (Section("definition of done", _done(draft)),)
        case "schedule":
            found = (Section("it will start", (_starts(draft),)),)
        case _:
            found = _judged(judged)
    wrong = tuple(Fact(STEPS[one.step], one.what, "bad") for one in answers(draft)[1] if one.step == step)
    return (Section("can't be read", wrong, "bad"), *found) if wrong else found


def _understood(draft: Draft, wish: Wish, facts: Facts) -> tuple[Section, ...]:
    sections = []
    if wish.heard:
        sections.append(Section("understood", tuple(Fact(words, meaning, "good") for words, meaning in wish.heard), "good"))
    if wish.missed:
        sections.append(Section("not understood", tuple(Fact(one.words, one.why, "warn") for one in wish.missed), "warn"))
    if draft.sentence.strip() and not draft.checks:
        sections.append(Section("missing", (Fact("done", UNDONE, "bad"),), "bad"))
    shown = tuple(Fact(name, getattr(facts, name)) for name in _SHOWS if getattr(facts, name))
    nothing = (Fact("", "no command for tests, lint or build that could be recognised; say one in backticks", "dim"),)
    if draft.agent == "scripted":
        plays = "asks no model: it plays play.toml, a small example written beside loop.toml, for you to edit; all around it is real"
        sections.append(Section("maker", (Fact("scripted", plays),)))
    return (*sections, Section("this repository shows", shown or nothing))


def _stops(draft: Draft) -> list[Fact]:
    made, _ = answers(draft)
    ends = made.exit
    facts = [
        Fact("done", "when every wanted check passes on a clean checkout"),
        Fact("iterations", f"after {ends.max_iterations}, keeping the best result", "plain" if ends.max_iterations else "bad"),
    ]
    if ends.no_progress:
        facts.append(Fact("no progress", f"after {some(ends.no_progress or 0, 'iteration')} in which nothing gets better"))
    else:
        facts.append(Fact("no progress", "never for that reason: the detectors are off", "warn"))
    if ends.max_wall_s:
        facts.append(Fact("time", f"after {written(ends.max_wall_s)} of work; waiting for a person doesn't count"))
    if ends.max_tool_calls:
        facts.append(Fact("tool calls", f"an iteration ends after {ends.max_tool_calls}; twice in a row ends the run"))
    return facts


def _done(draft: Draft) -> tuple[Fact, ...]:
    if not draft.checks:
        return (Fact("missing", UNDONE, "bad"), Fact("", "add a command, want one of the checks, or say it in the sentence of step 1"))
    facts = [
        Fact("done", f"all {len(draft.checks)} wanted checks pass" if len(draft.checks) > 1 else "the wanted check passes", "good")
    ]
    if all(one.scope or one.human for one in draft.checks):
        facts.append(Fact("weak", "none of them measures whether the goal is reached", "warn"))
    return tuple(facts)


def _starts(draft: Draft) -> Fact:
    trigger = schedule(draft.schedule)
    if trigger is None:
        return Fact("never", "what is written there is no schedule", "bad")
    if not trigger.scheduled:
        return Fact("by hand", f"with s in the deck, or `loopdeck start {draft.name or 'NAME'}`")
    when = f"every {written(trigger.every_s)}" if trigger.every_s else f"by the clock, cron {trigger.cron}"
    return Fact("by itself", f"{when}: written down, but this version starts loops only by hand", "warn")


def _judged(judged: Judged | None) -> tuple[Section, ...]:
    if judged is None:
        return (Section("looking…", ()),)
    sections = []
    wrong = [_problem(one) for one in judged.problems]
    wrong += [Fact(f"step {one.step + 1}, {STEPS[one.step]}", one.what, "bad") for one in judged.complaints]
    if wrong:
        grave = not judged.ready
        sections.append(Section("to be mended first" if grave else "to be known", tuple(wrong), "bad" if grave else "warn"))
    if judged.estimate is not None:
        tone: Tone = "plain" if judged.estimate.fit in ("fits", "may stop it", None) else "warn"
        first, *rest = told(judged.estimate)
        facts = [Fact("", first.partition(": ")[2], "strong"), *(Fact("", text.strip(), tone) for text in rest)]
        sections.append(Section(f"{first.partition(': ')[0]} (a guess, not a promise)", tuple(facts)))
    else:
        sections.append(Section("no estimate until that is mended", ()))
    return (*sections, Section("the file it will be", tuple(Fact("", text, "dim") for text in judged.text.splitlines())))


def _problem(one: Problem) -> Fact:
    return Fact(f"line {one.line}", f"{one.what}. {one.remedy}".rstrip(), "warn" if one.warning else "bad")


def _made(made: Made, draft: Draft) -> tuple[Section, ...]:
    files = tuple(Fact("made", one, "good") for one in made.files)
    last = Fact("next", f"start it here, or later with `loopdeck start {draft.name.strip()}`; escape leaves it as it is")
    warned = tuple(_problem(one) for one in made.reading.problems)
    return (Section("written", (*files, last), "good"), *((Section("to be known", warned, "warn"),) if warned else ()))
