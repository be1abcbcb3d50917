"""What a run will probably take, said before it starts: calls, growth of what is sent, cost with a range, against its cap.

Pure, and a guess: from what this loop's iterations took so far, from the script it will play, or from the sizes of its prompts. Every
figure is a range from a short run to one that uses up its iterations. A cost is None where a price is not known.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from loopdeck.core.happening import Role
from loopdeck.core.spec import Exit
from loopdeck.core.usage import Rates, Usage, dollars

Basis = Literal["history", "script", "prompt sizes"]
Fit = Literal["fits", "may stop it", "will stop it", "too small"]
"""Of the cap: no expected run reaches it; a long one does; an ordinary one does; not even a short one gets through."""

_BYTES_PER_TOKEN = (5.0, 4.0, 2.5)
_TURNS = (3, 10, 25)
"""Calls that a maker with tools makes in an iteration, if nothing better is known."""
_GROWTH = (400, 1500, 4000)
"""Tokens that each of them adds to what the next one sends again: the reply and what its tools said."""
_REPLY = (100, 350, 1200)
_SHOWN = (1000, 4000, 20_000)
"""Tokens of diff and evidence that a judge is shown beside its rubric."""
_VERDICT = (200, 600, 2000)


class Span(NamedTuple):
    """From `low` to `high`, and what is likely."""

    low: int
    likely: int
    high: int


class Sample(Struct, frozen=True):
    """What one role took in one iteration of the past."""

    calls: int
    usage: Usage


class Caller(Struct, frozen=True):
    """Somebody whom the loop will ask: the maker, or the model of a check.

    `prompt` is the size in bytes of what it is told first, `turns` the most calls that it may make in an iteration, and `samples` what
    it took in earlier ones.
    """

    role: Role
    name: str
    model: str
    prompt: int
    turns: int = 1
    max_output: int = 8192
    rates: Rates | None = None
    samples: tuple[Sample, ...] = ()
    basis: Basis = "prompt sizes"


class Part(Struct, frozen=True):
    """One caller's part. `first` and `last` are the tokens sent in the first and the last call of a likely iteration."""

    role: Role
    name: str
    model: str
    calls: Span
    tokens: Span
    cost: Span | None
    first: int
    last: int
    basis: Basis


class Estimate(Struct, frozen=True):
    """The whole run. `limit` names the cap that `fit` is about; money is picodollars."""

    iterations: Span
    parts: tuple[Part, ...]
    limit: str
    cap: int
    fit: Fit | None

    @property
    def calls(self) -> Span:
        """All model calls."""
        return _sum([one.calls for one in self.parts])

    @property
    def tokens(self) -> Span:
        """All tokens, in and out."""
        return _sum([one.tokens for one in self.parts])

    @property
    def cost(self) -> Span | None:
        """All of the cost."""
        costs = [one.cost for one in self.parts if one.cost is not None]
        return _sum(costs) if len(costs) == len(self.parts) else None


def estimate(callers: Sequence[Caller], ends: Exit, done_after: Sequence[int] = ()) -> Estimate:
    """The estimate for a run that ends by `ends`; `done_after` are the iterations that earlier runs needed until they were done."""
    iterations = _iterations(ends.max_iterations, done_after)
    parts = tuple(_part(one, iterations) for one in callers)
    whole = Estimate(iterations, parts, "", 0, None)
    if ends.max_cost is not None and whole.cost is not None:
        return Estimate(iterations, parts, "max_cost_usd", ends.max_cost, _fit(whole.cost, ends.max_cost))
    if ends.max_tokens is not None:
        return Estimate(iterations, parts, "max_tokens", ends.max_tokens, _fit(whole.tokens, ends.max_tokens))
    return whole


def _iterations(most: int, done_after: Sequence[int]) -> Span:
    seen = sorted(min(one, most) for one in done_after if one > 0)
    if seen:
        return Span(seen[0], seen[len(seen) // 2], most)
    return Span(1, max(1, math.ceil(most / 2)), most)


def _fit(of: Span, cap: int) -> Fit:
    if of.high <= cap:
        return "fits"
    if of.likely <= cap:
        return "may stop it"
    return "will stop it" if of.low <= cap else "too small"


class _Pass(NamedTuple):
    """One iteration of one caller, short, likely and long: calls, tokens, cost; and the likely input of its first and last call."""

    calls: Span
    tokens: Span
    cost: Span | None
    first: int
    last: int


def _part(one: Caller, iterations: Span) -> Part:
    each = _measured(one) if one.samples else _guessed(one)
    cost = None if each.cost is None else _times(each.cost, iterations)
    calls, tokens = _times(each.calls, iterations), _times(each.tokens, iterations)
    return Part(one.role, one.name, one.model, calls, tokens, cost, each.first, each.last, one.basis)


def _measured(one: Caller) -> _Pass:
    calls = _spread([sample.calls for sample in one.samples])
    tokens = _spread([sample.usage.tokens for sample in one.samples])
    cost = None if one.rates is None else _spread([one.rates.cost(sample.usage) for sample in one.samples])
    ordered = sorted(one.samples, key=lambda sample: sample.usage.tokens)
    return _Pass(calls, tokens, cost, *_ends(ordered[len(ordered) // 2]))


def _ends(sample: Sample) -> tuple[int, int]:
    """Input of the first and the last call, if it grew evenly from a quarter of the mean: only the sums were kept."""
    if not sample.calls:
        return 0, 0
    mean = (sample.usage.tokens - sample.usage.output) // sample.calls
    return (mean, mean) if sample.calls == 1 else (mean // 4, 2 * mean - mean // 4)


def _guessed(one: Caller) -> _Pass:
    told = [_judge(one, which) if one.role == "check" else _maker(one, which) for which in range(3)]
    cost = None if one.rates is None else _spread([one.rates.cost(each.usage) for each in told])
    likely = told[1]
    return _Pass(_spread([each.calls for each in told]), _spread([each.usage.tokens for each in told]), cost, likely.first, likely.last)


class _Guess(NamedTuple):
    calls: int
    usage: Usage
    first: int
    last: int


def _judge(one: Caller, which: int) -> _Guess:
    calls = (1, 1, 2)[which]
    sent = round(one.prompt / _BYTES_PER_TOKEN[which]) + _SHOWN[which]
    return _Guess(calls, Usage(calls * sent, calls * min(_VERDICT[which], one.max_output)), sent, sent)


def _maker(one: Caller, which: int) -> _Guess:
    prompt = round(one.prompt / _BYTES_PER_TOKEN[which])
    calls = min(_TURNS[which], one.turns)
    growth = _GROWTH[which]
    sent = calls * prompt + growth * calls * (calls - 1) // 2
    last = prompt + growth * (calls - 1)
    output = calls * min(_REPLY[which], one.max_output)
    # What is sent again mostly comes from the provider's cache; the longest estimate does without.
    usage = Usage(sent, output) if which == 2 else Usage(0, output, cache_read=sent - last, cache_write=last)
    return _Guess(calls, usage, prompt, last)


def _spread(values: Sequence[int]) -> Span:
    """The least, the middle and the most of them."""
    ordered = sorted(values)
    return Span(ordered[0], ordered[len(ordered) // 2], ordered[-1])


def _times(each: Span, iterations: Span) -> Span:
    return Span(*(one * count for one, count in zip(each, iterations, strict=True)))


def _sum(spans: Sequence[Span]) -> Span:
    return Span(*(sum(one[which] for one in spans) for which in range(3)))


def told(of: Estimate) -> tuple[str, ...]:
    """The estimate in a few lines of plain text, for a verb and a form alike."""
    if not of.parts:
        return ("estimate: no model is asked",)
    lines = [f"estimate, from {_bases(of)}: {_money(of)}, {_span(of.calls)} model calls, {_tokens(of.tokens)} tokens"]
    each = " + ".join(f"{one.name} {_span(_per(one.calls, of.iterations))}" for one in of.parts)
    lines.append(f"  calls: {_span(of.iterations)} iterations x ({each})")
    grown = [one for one in of.parts if one.last > one.first]
    if grown:
        first, last = grown[0].first, grown[0].last
        lines.append(f"  each call sends again what was said: about {first:,} tokens in the first, {last:,} in the last")
    if of.fit is not None:
        cap = f"${dollars(of.cap):.2f}" if of.limit == "max_cost_usd" else f"{of.cap:,} tokens"
        lines.append(f"  the cap of {cap} {_FITS[of.fit]}")
    return tuple(lines)


_FITS: dict[Fit, str] = {
    "fits": "leaves room: no expected run reaches it",
    "may stop it": "holds a likely run, and will stop a long one",
    "will stop it": "will probably stop it before it is done",
    "too small": "is below even a short run",
}


def _bases(of: Estimate) -> str:
    words = {"history": "this loop's earlier runs", "script": "the script", "prompt sizes": "prompt sizes"}
    return " and ".join(dict.fromkeys(words[one.basis] for one in of.parts))


def _per(calls: Span, iterations: Span) -> Span:
    return Span(*(a // b if b else 0 for a, b in zip(calls, iterations, strict=True)))


def _span(of: Span) -> str:
    return f"{of.low:,}" if of.low == of.high else f"{of.low:,} to {of.high:,}"


def _tokens(of: Span) -> str:
    low, high = _about(of.low), _about(of.high)
    return low if low == high else f"{low} to {high}"


def _about(number: int) -> str:
    """Two digits: an estimate has no more."""
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if number >= size:
            return f"{number / size:.0f}{letter}" if number >= 10 * size else f"{number / size:.1f}{letter}"
    return str(number)


def _money(of: Estimate) -> str:
    if of.cost is None:
        own = all(one.model or one.cost is not None for one in of.parts)
        return "cost unknown: " + ("no price list knows the model" if own else "the agent chooses its model itself")
    low, likely, high = (_dollars(amount) for amount in of.cost)
    return f"about {likely}" if low == high else f"{low} to {high}, about {likely}"


def _dollars(pico: int) -> str:
    amount = dollars(pico)
    return f"${amount:.2f}" if amount >= 1 or not pico else f"${amount:.3f}" if amount >= 0.01 else f"${amount:.5f}"
