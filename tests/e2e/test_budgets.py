"""No budget is ever overshot: not by the journal at any of its lines, and not by the bill of the provider, whatever it charges."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from loopdeck.agents import prices
from loopdeck.core import fold
from loopdeck.core.budget import taken_cost, taken_tokens
from loopdeck.core.run import Run
from loopdeck.core.usage import Usage, picodollars
from loopdeck.store.journal import read_journal
from tests.bench.report import say
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat, seated
from tests.kit.model_process import ServerProcess, serving_process

NEVER = [{"name": "never", "run": "test -f never"}]
KINDS = ("messages", "chat", "responses", "scripted")
MODELS = {"messages": "claude-sonnet-4-5", "chat": "gpt-5-mini", "responses": "gpt-5", "scripted": "claude-sonnet-4-5"}
HINTS = {"messages": "anthropic", "chat": "openai", "responses": "openai", "scripted": "anthropic"}


@dataclass(frozen=True)
class Case:
    """A loop with its budget: dollars, and perhaps tokens."""

    name: str
    kind: str
    cost: float
    tokens: int | None

    @property
    def files(self) -> dict[str, str]:
        """Its loop file, and its script."""
        end: dict[str, Any] = {"max_iterations": 30, "max_cost_usd": self.cost, "no_progress": False}
        end |= {"max_tokens": self.tokens} if self.tokens else {}
        if self.kind == "scripted":
            return loop(self.name, _turns(random.Random(self.name)), checks=NEVER, end=end)
        spec = {"goal": "Nobody can reach it.", "maker": self.maker, "check": NEVER, "exit": end}
        return {f".loopdeck/loops/{self.name}/loop.toml": tomli_w.dumps(spec)}

    @property
    def maker(self) -> dict[str, Any]:
        """A maker with its own path at the server, by which the bill tells it apart."""
        # Responses is what only OpenAI itself speaks: the way there leads through the server as a proxy.
        host = "http://api.openai.com" if self.kind == "responses" else "@"
        url = f"{host}/{self.name}" + ("" if self.kind == "messages" else "/v1")
        agent = "anthropic" if self.kind == "messages" else "openai"
        return {"agent": agent, "model": MODELS[self.kind], "base_url": url, "max_output_tokens": 2000}


def _turns(dice: random.Random) -> list[dict[str, Any]]:
    turns = []
    for number in range(60):
        usage = {"input": dice.randint(1, 9000), "output": dice.randint(0, 2500), "cache_read": dice.randint(0, 2000)}
        calls = (write("note.txt", str(number)),) if dice.random() < 0.6 else ()
        turns.append(turn("Well.", *calls, usage=usage))
    return turns


def cases(count: int, seed: int) -> list[Case]:
    """`count` budgets of all kinds, from far too small to ample."""
    dice = random.Random(seed)

    def one(number: int) -> Case:
        tokens = dice.choice((None, dice.randint(6000, 90000)))
        return Case(f"run{seed}x{number}", KINDS[number % 4], round(dice.uniform(0.01, 0.4), 4), tokens)

    return [one(number) for number in range(count)]


@contextmanager
def playing(base: Path, chosen: list[Case], scenario: str = "tests.e2e.erratic_model:erratic") -> Iterator[tuple[Seat, ServerProcess]]:
    """A seat before the loops, none started yet, and the server."""
    with serving_process(scenario) as server:
        files = {"README.md": "# Money\n"}
        for one in chosen:
            files |= {path: text.replace('"@/', f'"{server.url}/') for path, text in one.files.items()}
        keys = {"ANTHROPIC_API_KEY": "any", "OPENAI_API_KEY": "any", "NO_PROXY": "127.0.0.1", "HTTP_PROXY": server.url}
        with seated(base, files, keys) as seat:
            yield seat, server


def never_overshot(seat: Seat, server: ServerProcess, chosen: list[Case]) -> dict[str, int]:
    """Start all, wait, compare; gives how often each reason was reached."""
    seat.run("start", "--all", "--wait", "--json", timeout=250)
    bills = server.shown("ledger")
    reasons: dict[str, int] = {}
    for one in chosen:
        run = seat.folded(one.name)
        assert run.status == "ended", (one, run.status)
        reasons[run.limit or str(run.reason)] = reasons.get(run.limit or str(run.reason), 0) + 1
        assert run.reason in ("budget", "max_iterations", "error"), (one, run.why)
        assert not run.reserved
        _every_line_within(seat, one)
        usages = [Usage(**row["usage"]) for row in bills if row["tag"].rpartition("/")[2] == one.name]
        billed = sum((prices.cost(MODELS[one.kind], usage, HINTS[one.kind], {}) or 0 for usage in usages), start=0)
        assert billed <= run.spend.cost <= picodollars(one.cost), one
        assert sum(usage.tokens for usage in usages) <= run.spend.usage.tokens, one
        assert one.tokens is None or run.spend.usage.tokens <= one.tokens, one
        assert (one.kind == "scripted") == (not usages) or run.spend.model_calls == 0, "the server was not asked"
    return reasons


def _every_line_within(seat: Seat, one: Case) -> None:
    run = Run()
    for entry in read_journal(seat.paths(one.name).journal).entries:
        fold.apply(run, entry.event, fold.Stamp(entry.at, entry.clock, entry.epoch))
        assert taken_cost(run) <= picodollars(one.cost), (one, entry.seq)
        assert one.tokens is None or taken_tokens(run) <= one.tokens, (one, entry.seq)


@pytest.mark.req("S2-089")
@pytest.mark.pain(4)
def test_eight_runs_against_a_provider_that_charges_as_it_likes_stay_within_their_budgets(tmp_path):
    chosen = cases(8, seed=3)
    with playing(tmp_path, chosen) as (seat, server):
        reasons = never_overshot(seat, server, chosen)
    assert reasons.keys() & {"cost_usd", "tokens"}


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_fifty_runs_against_a_provider_that_charges_as_it_likes_stay_within_their_budgets(tmp_path):
    chosen = cases(50, seed=11)
    with playing(tmp_path, chosen) as (seat, server):
        began = time.monotonic()
        reasons = never_overshot(seat, server, chosen)
        calls = sum(seat.folded(one.name).spend.model_calls for one in chosen)
        say(f"50 runs, {calls} model calls in {time.monotonic() - began:.1f} s; ended by {reasons}; every one within its budget")
    assert reasons["cost_usd"] + reasons["tokens"] >= 30


@pytest.mark.req("S2-089")
def test_of_a_budget_too_small_for_the_first_call_nothing_is_spent_and_the_limit_is_named(tmp_path):
    poor, short = Case("poor", "messages", 0.0005, None), Case("short", "chat", 1.0, 900)
    with playing(tmp_path, [poor, short]) as (seat, server):
        for one, limit in ((poor, "cost_usd"), (short, "tokens")):
            run = seat.ended(one.name, 11)
            assert (run.reason, run.limit, run.spend.usage, run.spend.model_calls) == ("budget", limit, Usage(), 0)
            assert limit in run.why
        assert server.shown("requests") == []


def test_what_has_no_known_price_is_held_by_its_budget_of_tokens(tmp_path):
    one = Case("held", "chat", 1.0, 30_000)
    with playing(tmp_path, [one]) as (seat, server):
        spec = seat.repo / ".loopdeck/loops/held/loop.toml"
        spec.write_text(spec.read_text().replace(MODELS["chat"], "a-model-of-our-own"))
        run = seat.ended("held", 11)
        assert (run.limit, run.cost) == ("tokens", None)
        assert 0 < server.billed().tokens <= run.spend.usage.tokens <= 30_000
        assert seat.entry("held")["usage"]["cost_usd"] is None


@pytest.mark.req("S2-089")
def test_a_budget_that_is_raised_lets_the_run_go_on_and_one_that_is_lowered_ends_it(tmp_path):
    usage = {"input": 8000, "output": 500}
    turns = [turn("Well.", usage=usage, delay_s=2 if number == 1 else 0, iteration=number) for number in (1, 2, 3, 4)]
    end = {"max_iterations": 4, "max_cost_usd": 0.07, "no_progress": False}
    names = ("raised", "kept", "lowered")
    files = {path: text for name in names for path, text in loop(name, turns, checks=NEVER, end=end).items()}
    with seated(tmp_path, {"README.md": "# Money\n", **files}) as seat:
        seat.ok("start", *names)
        for name, cap in (("raised", "1.0"), ("lowered", "0.02")):
            seat.wait(name, lambda one: bool(one.run.reserved))
            seat.ok("set", name, "max_cost_usd", cap)
        ends = {name: seat.until_ended(name) for name in names}
        runs = {name: seat.folded(name) for name in names}
    assert [(ends[name]["reason"], runs[name].spend.model_calls) for name in names] == [
        ("max_iterations", 4), ("budget", 2), ("budget", 1),
    ]  # fmt: skip
    assert runs["raised"].spend.cost > picodollars(0.07) >= runs["kept"].spend.cost
    assert runs["lowered"].limit == "cost_usd"


@pytest.mark.req("S2-089")
@pytest.mark.pain(4)
def test_a_call_that_a_killed_runner_had_reserved_is_charged_in_full(tmp_path):
    one = Case("slain", "messages", 1.0, 100_000)
    with playing(tmp_path, [one], "tests.e2e.erratic_model:silent") as (seat, server):
        seat.ok("start", "slain")
        seat.wait("slain", lambda seen: bool(seen.run.reserved))
        deadline = time.monotonic() + 20
        while not server.shown("ledger"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (reserved,) = seat.folded("slain").reserved.values()
        seat.slay("slain")
        seat.ok("set", "slain", "max_iterations", "1")
        seat.ok("resume", "slain")
        seat.until_ended("slain")
        run = seat.folded("slain")
        served, lost = server.billed(), server.shown("ledger")[0]["usage"]
    assert run.spend.certainty == "estimated"
    assert run.spend.model_calls == 2
    answered = served.tokens - sum(lost.values())
    assert run.spend.usage.tokens == reserved.input_bound + reserved.output_cap + answered
    assert reserved.cost is not None
    assert run.spend.cost > reserved.cost
