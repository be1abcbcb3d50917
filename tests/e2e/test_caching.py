"""What is sent again and again is read from the provider's cache: the steady beginning is the same, byte for byte, and is marked."""

import json
from typing import Any

import pytest
import tomli_w

from loopdeck.core import trace as tr
from loopdeck.core.usage import Usage
from tests.bench.report import say
from tests.e2e.seat import seated
from tests.e2e.steady_model import ITERATIONS
from tests.kit.model_process import serving_process
from tests.kit.model_talk import TOOL_PREAMBLE

NOTES = "# Notes\n" + "".join(f"- Line {number} of what somebody wrote down here once.\n" for number in range(120))


def deck(url: str) -> dict[str, str]:
    spec = {
        "goal": "Write the right answer into answer.txt.",
        "maker": {"agent": "anthropic", "model": "claude-sonnet-4-5", "base_url": url},
        "check": [{"name": "right", "run": "cat answer.txt; grep -qx right answer.txt"}],
        "exit": {"max_iterations": ITERATIONS, "max_cost_usd": 5.0, "no_progress": False},
    }
    return {"notes.md": NOTES, ".loopdeck/loops/steady/loop.toml": tomli_w.dumps(spec)}


@pytest.mark.req("S2-081")
def test_over_five_iterations_most_of_the_input_is_read_from_the_cache(tmp_path):
    with (
        serving_process("tests.e2e.steady_model:steady") as server,
        seated(tmp_path, deck(server.url), {"ANTHROPIC_API_KEY": "any", "NO_PROXY": "127.0.0.1"}) as seat,
    ):
        run = seat.done("steady")
        ledger, bodies = server.shown("ledger"), [row["body"] for row in server.shown("requests")]
    usages = [Usage(**row["usage"]) for row in ledger]
    assert (run.iteration, len(bodies)) == (ITERATIONS, 4 * ITERATIONS)
    # The steady part, with its marks, is one and the same in every call of every iteration.
    (beginning,) = {json.dumps([body["tools"], body["system"]]) for body in bodies}
    steady = len(beginning.encode()) // 4
    assert usages[0].cache_read == 0
    assert all(one.cache_read >= steady for one in usages[1:]), "every call but the first reads at least the steady part"
    assert all(one.input <= TOOL_PREAMBLE + 100 for one in usages), "next to nothing is neither read from the cache nor kept there"
    total = sum(usages, start=Usage())
    assert run.spend.usage == total
    share, best = total.cache_read / _sent(usages), _best(bodies)
    later = sum(usages[4:], start=Usage()).cache_read / _sent(usages[4:])
    say(
        f"input read from the cache over {ITERATIONS} iterations: {share:.1%}, from the second on {later:.1%}; "
        f"had everything been kept that was ever sent, {best:.1%}; the steady part is some {steady} tokens"
    )
    assert share > best - 0.03


def _sent(usages: list[Usage]) -> int:
    """Input tokens of all kinds, without what the provider adds of its own to each call."""
    return sum(one.input + one.cache_read + one.cache_write - TOOL_PREAMBLE for one in usages)


def _best(bodies: list[dict[str, Any]]) -> float:
    """The share of all that was sent that had been sent before, as the beginning of an earlier request."""
    before: list[str] = []
    repeated = size = 0
    for body in bodies:
        said = json.dumps([body["tools"], body["system"], body["messages"]])
        sent = said.replace(', "cache_control": {"type": "ephemeral"}', "")
        repeated += max((_alike(sent, one) for one in before), default=0)
        size += len(sent)
        before.append(sent)
    return repeated / size


def _alike(one: str, other: str) -> int:
    """How far two texts are the same from their beginning."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


HANDBOOK = "# How we work\n" + "".join(
    f"- Rule {number}: what has been found to hold in case {number * 37}.\n" for number in range(560)
)
"""Some 10,000 tokens by the server's own count, three bytes to a token."""
SHORT = {"max_iterations": 2, "max_cost_usd": 9.0, "no_progress": False}


def handbook(url: str, **more: Any) -> dict[str, str]:
    """A loop of ten iterations with a long steady part; what is new in each of them is short."""
    spec = {
        "goal": "Write the right answer into answer.txt.",
        "maker": {"agent": "anthropic", "model": "claude-sonnet-4-5", "base_url": url, "system": "HANDBOOK.md"},
        "check": [{"name": "right", "run": "grep -qx right answer.txt"}],
        "exit": {"max_iterations": 10, "max_cost_usd": 9.0, "no_progress": False},
        **more,
    }
    return {
        ".loopdeck/loops/steady/loop.toml": tomli_w.dumps(spec),
        ".loopdeck/loops/steady/HANDBOOK.md": HANDBOOK,
    }


@pytest.mark.req("S2-081")
def test_of_ten_iterations_with_a_long_steady_part_nearly_all_input_is_read_from_the_cache(tmp_path):
    with (
        serving_process("tests.e2e.steady_model:brisk") as server,
        seated(tmp_path, handbook(server.url), {"ANTHROPIC_API_KEY": "any", "NO_PROXY": "127.0.0.1"}) as seat,
    ):
        run = seat.ended("steady", 10)
        ledger, requests = server.shown("ledger"), server.shown("requests")
    first = sum("Iteration 1 of" in row["body"]["messages"][0]["content"][0]["text"] for row in requests)
    later = sum((Usage(**row["usage"]) for row in ledger[first:]), start=Usage())
    prefix = len(json.dumps(requests[0]["body"]["system"])) // 3
    share = later.cache_read / (later.input + later.cache_read + later.cache_write)
    say(f"steady part {prefix:,} tokens: from the second iteration on {share:.1%} of the input is read from the cache")
    assert run.iteration == 10
    assert prefix >= 10_000
    assert share >= 0.85
    assert run.spend.usage == sum((Usage(**row["usage"]) for row in ledger), start=Usage())


@pytest.mark.parametrize(("every", "ttl"), [("4m", None), ("30m", "1h"), ("3h", None)])
def test_how_long_the_steady_part_is_kept_follows_from_how_often_the_loop_runs(tmp_path, every, ttl):
    with (
        serving_process("tests.e2e.steady_model:brisk") as server,
        seated(
            tmp_path, handbook(server.url, trigger={"every": every}, exit=SHORT), {"ANTHROPIC_API_KEY": "any", "NO_PROXY": "127.0.0.1"}
        ) as seat,
    ):
        run = seat.ended("steady", 10)
        body = server.shown("requests")[0]["body"]
        replies = [one for one in seat.trace("steady") if isinstance(one, tr.ModelReplied)]
    assert body["system"][-1]["cache_control"].get("ttl") == body["tools"][-1]["cache_control"].get("ttl") == ttl
    assert "ttl" not in json.dumps(body["messages"])
    noticed = [text for text in run.notices if "cache" in text]
    assert len(noticed) == (every != "4m")
    hour = sum(one.hour_writes for one in replies)
    assert (hour > 10_000) == (ttl is not None)
    price = run.spend.usage.input * 3 + run.spend.usage.output * 15 + run.spend.usage.cache_read * 0.3
    price += run.spend.usage.cache_write * 3.75 + hour * (6 - 3.75)
    assert run.spend.cost == round(price * 1e6)


def test_a_change_that_loses_the_cache_is_said(tmp_path):
    with (
        serving_process("tests.e2e.steady_model:brisk") as server,
        seated(tmp_path, handbook(server.url, exit=SHORT), {"ANTHROPIC_API_KEY": "any", "NO_PROXY": "127.0.0.1"}) as seat,
    ):
        assert not [text for text in seat.ended("steady", 10).notices if "changed since" in text]
        assert not [text for text in seat.ended("steady", 10).notices if "changed since" in text]
        book = seat.repo / ".loopdeck" / "loops" / "steady" / "HANDBOOK.md"
        book.write_text("# Another way\n" + book.read_text("utf-8"), "utf-8")
        [said] = [text for text in seat.ended("steady", 10).notices if "changed since" in text]
    assert "the system file; what it left in the provider's cache can't be read" in said
