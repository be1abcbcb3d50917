"""The estimate for a loop before it starts: who will be asked, how much they are told, and what its earlier runs took."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from loopdeck.core import memory
from loopdeck.core.conversation import Part
from loopdeck.core.estimate import Basis, Caller, Estimate, Sample, estimate
from loopdeck.core.ledger import Statement, gathered
from loopdeck.core.prompt import system_parts, template_of
from loopdeck.core.script import Script, read_script
from loopdeck.core.spec import CheckSpec, LoopSpec, Price
from loopdeck.core.usage import FREE, Rates, Usage
from loopdeck.deck.decks import Deck
from loopdeck.deck.money import callers, priced_as, statement_of
from loopdeck.errors import LoopdeckError
from loopdeck.shipped import prompt_text
from loopdeck.store import specs

RatesOf = Callable[[str, str, Mapping[str, Price]], Rates | None]
"""The rates of a model, by its name, the kind of its agent and the deck's own prices; None if no list knows it."""

_RUNS = 5
"""The newest runs of the loop that are looked at."""
_TOOL_BYTES = 500
"""About what the description of one tool takes."""


def estimated(deck: Deck, spec: LoopSpec, rates: RatesOf, texts: Mapping[str, str] | None = None) -> Estimate:
    """The estimate for a run of `spec`, by its earlier runs if it had any; `texts` are those it stands on, else they are read."""
    if texts is None:
        try:
            texts = specs.gather(deck.root, spec)
        except LoopdeckError:
            texts = {}
    past = tuple(_past(deck, spec.name))
    asked = [_caller(spec, key, kind, model, texts, rates, past) for key, kind, model in callers(spec)]
    return estimate(asked, spec.exit, [one.iterations for one in past if one.reason == "done"])


def _past(deck: Deck, loop: str) -> Iterable[Statement]:
    if loop not in deck.home.loops():
        return
    for paths in deck.home.runs_of(loop)[-_RUNS:]:
        try:
            yield statement_of(paths)
        except LoopdeckError:
            continue


def _caller(  # noqa: PLR0913 - all of them are what a caller is made of
    spec: LoopSpec, key: str, kind: str, model: str, texts: Mapping[str, str], rates: RatesOf, past: Sequence[Statement]
) -> Caller:
    maker = key == "script"
    name = "maker" if maker else key.removeprefix("script:")
    script = read_script(texts[key], key) if kind == "scripted" and key in texts else None
    samples = _samples(past, spec, maker)
    basis: Basis = "history"
    if not samples and isinstance(script, Script):
        samples, basis = _played(script), "script"
    paid = priced_as(kind, model, texts.get(key, ""))
    free = kind == "scripted" and not paid
    return Caller(
        role="maker" if maker else "check",
        name=name,
        model=paid,
        prompt=_told_maker(spec, texts) if maker else _told_judge(spec, name, texts),
        turns=spec.maker.max_turns if maker else 1,
        max_output=spec.maker.max_output_tokens,
        rates=FREE if free else rates(paid, kind, spec.prices),
        samples=samples,
        basis=basis if samples else "prompt sizes",
    )


def _samples(past: Sequence[Statement], spec: LoopSpec, maker: bool) -> tuple[Sample, ...]:
    """What one caller took in each iteration. Judges are not told apart in a journal, so several share theirs evenly."""
    lines = [(one.run, line) for one in past for line in one.lines if (line.role != "check") == maker and line.iteration]
    sums = gathered(((run, line.iteration), line.total) for run, line in lines)
    share = 1 if maker else max(1, sum(check.rubric is not None for check in spec.checks))
    return tuple(Sample(-(-each.calls // share), _part_of(each.usage, share)) for each in sums.values())


def _part_of(usage: Usage, share: int) -> Usage:
    return Usage(*(-(-amount // share) for amount in (usage.input, usage.output, usage.cache_read, usage.cache_write)))


def _played(script: Script) -> tuple[Sample, ...]:
    """The iterations that a script holds: each ends with a turn that asks for nothing, or where the next one is said to begin."""
    samples: list[Sample] = []
    calls, usage = 0, Usage()
    for number, turn in enumerate(script.turns, 1):
        calls, usage = calls + 1, usage + turn.usage
        begins = number < len(script.turns) and script.turns[number].iteration > 0
        if (not turn.calls and not turn.error) or begins or number == len(script.turns):
            samples.append(Sample(calls, usage))
            calls, usage = 0, Usage()
    return tuple(samples)


def _told_maker(spec: LoopSpec, texts: Mapping[str, str]) -> int:
    template = Part("role", prompt_text(template_of(spec)))
    skills = dict.fromkeys(spec.skills, " " * 100)
    parts = system_parts(spec, template, texts.get("system", ""), skills)
    state = memory.initial(spec.name, spec.goal)
    return sum(len(part.text.encode("utf-8", "replace")) for part in parts) + len(state) + _TOOL_BYTES * len(spec.maker.tools)


def _told_judge(spec: LoopSpec, check: str, texts: Mapping[str, str]) -> int:
    rubric = texts.get(f"rubric:{check}", "")
    return len(prompt_text("rubric.md")) + len(rubric.encode("utf-8", "replace")) + len(spec.goal) + _graded(spec.checks)


def _graded(checks: Sequence[CheckSpec]) -> int:
    return 200 * len(checks)
