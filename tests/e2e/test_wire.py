"""Trouble on the wire, through the whole engine: waited out where it may pass, ended with a remedy where not, always accounted for."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import tomli_w

from loopdeck.agents import prices
from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.run import Run
from loopdeck.core.usage import Usage
from tests.e2e.seat import Seat, seated
from tests.e2e.wire_model import STORM
from tests.kit.model_process import ServerProcess, serving_process
from tests.kit.repos import git

ANTHROPIC = ("patient", "storm", "flaky", "down", "locked", "cut", "garbled", "unwilling", "slow", "mixed")
ENDS = dict.fromkeys(ANTHROPIC, "done") | {"down": "error", "locked": "error", "chat": "done", "responses": "done"}
RIGHT = {"name": "right", "run": "grep -qx right answer.txt"}


def makers(url: str) -> dict[str, dict[str, Any]]:
    """The maker of each loop."""
    found: dict[str, dict[str, Any]] = {
        name: {"agent": "anthropic", "model": "claude-sonnet-4-5", "base_url": f"{url}/{name}"} for name in ANTHROPIC
    }
    found["chat"] = {"agent": "openai", "model": "gpt-5-mini", "base_url": f"{url}/chat/v1"}
    # Responses is what only OpenAI itself speaks: the way there leads through the server as a proxy.
    found["responses"] = {"agent": "openai", "model": "gpt-5", "base_url": "http://api.openai.com/responses/v1"}
    return found


def deck(url: str) -> dict[str, str]:
    """All loops."""
    files = {"answer.txt": "none\n", ".loopdeck/loops/mixed/RUBRIC.md": "# The answer\n- **Says right.** It says right. [major]\n"}
    for name, maker in makers(url).items():
        spec = {
            "goal": "Write the right answer.",
            "maker": maker,
            "check": [RIGHT],
            "exit": {"max_iterations": 3, "max_cost_usd": 3.0, "no_progress": False},
        }
        if name == "mixed":
            rubric = {"name": "review", "rubric": "RUBRIC.md", "agent": "openai", "model": "gpt-5-mini", "base_url": f"{url}/review/v1"}
            spec["check"] = [RIGHT, rubric]
        files[f".loopdeck/loops/{name}/loop.toml"] = tomli_w.dumps(spec)
    return files


class Played(NamedTuple):
    """The seat with all loops ended, the server, what `status` said while the patient one waited, and what each run came to."""

    seat: Seat
    server: ServerProcess
    waiting: dict[str, Any]
    runs: dict[str, Run]

    def bills(self, name: str) -> list[Usage]:
        """What the server billed at that address."""
        return [Usage(**row["usage"]) for row in self.server.shown("ledger") if row["tag"].rpartition("/")[2] == name]

    def asked(self, name: str) -> int:
        """How often it was asked there."""
        return sum(row["tag"].rpartition("/")[2] == name for row in self.server.shown("requests"))

    def settled(self, name: str) -> list[ev.ModelCallSettled]:
        """Every call's end."""
        return [one for one in self.seat.events(name) if isinstance(one, ev.ModelCallSettled)]

    def failures(self, name: str) -> list[str]:
        """Kinds of the calls that failed, in order."""
        return [str(one.failure) for one in self.settled(name) if one.failure]


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> Iterator[Played]:
    with serving_process("tests.e2e.wire_model:troubled") as server:
        keys = {"ANTHROPIC_API_KEY": "any", "OPENAI_API_KEY": "any", "NO_PROXY": "127.0.0.1", "HTTP_PROXY": server.url}
        with seated(tmp_path_factory.mktemp("wire"), deck(server.url), keys) as seat:
            seat.ok("start", "patient")
            waiting = seat.until("patient", "waiting")
            said = seat.run("start", *(name for name in ENDS if name != "patient"), "--wait", "--json")
            assert said.code == 14, said
            seat.until_ended("patient")
            yield Played(seat, server, waiting, {name: seat.folded(name) for name in ENDS})


def test_every_loop_ends_as_its_trouble_lets_it(played):
    assert {name: played.runs[name].reason for name in ENDS} == ENDS, {name: played.runs[name].why for name in ENDS}


def test_a_rate_limit_is_a_wait_that_says_until_when_and_counts_for_nothing(played):
    assert re.fullmatch(r"rate_limit until \d{4}-\d\d-\d\dT[0-9:.]+Z", played.waiting["why"])
    (wait,) = [one for one in played.seat.events("patient") if isinstance(one, ev.WaitStarted)]
    assert (wait.cause, wait.seconds) == ("rate_limit", 2.0)
    waited = [one for one in played.seat.trace("patient") if isinstance(one, tr.Waited)]
    assert [one.seconds for one in waited] == [2.0]
    assert (played.runs["patient"].iteration, played.runs["patient"].failures) == (1, 0)


def test_a_storm_of_overload_is_sat_out_however_long(played):
    assert played.failures("storm") == ["overloaded"] * STORM
    assert played.asked("storm") == STORM + 2
    assert played.runs["storm"].spend.usage == sum(played.bills("storm"), start=Usage())


def test_server_errors_are_tried_again_five_times_and_no_more(played):
    assert played.failures("flaky") == ["server"] * 4
    assert played.failures("down") == ["server"] * 5
    assert played.asked("down") == 5
    run = played.runs["down"]
    assert "5 model calls failed in a row, the last: server: 500" in run.why
    assert run.spend.usage == Usage()


def test_a_wrong_key_ends_the_run_at_once_and_names_the_variable(played):
    run = played.runs["locked"]
    assert played.asked("locked") == 1
    assert "401" in run.why
    assert "ANTHROPIC_API_KEY" in run.why
    assert run.spend.usage == Usage()


@pytest.mark.parametrize("name", ["slow", "chat"])
def test_a_missing_key_ends_the_run_before_any_network_and_names_the_variable(played, name):
    asked = played.asked(name)
    said = played.seat.run("start", name, "--wait", env={"ANTHROPIC_API_KEY": "", "OPENAI_API_KEY": ""})
    assert said.code == 14
    assert f"set {'OPENAI' if name == 'chat' else 'ANTHROPIC'}_API_KEY" in played.seat.folded(name).why
    assert played.asked(name) == asked


@pytest.mark.req("S2-089")
def test_a_stream_that_was_cut_is_charged_by_its_bound_and_asked_for_again(played):
    assert played.failures("cut") == ["cut"]
    (lost,) = [one for one in played.settled("cut") if one.failure]
    (reserved,) = [one for one in played.seat.events("cut") if isinstance(one, ev.ModelCallReserved) and one.call == lost.call]
    assert (lost.usage.input, lost.usage.output, lost.cost) == (reserved.input_bound, reserved.output_cap, reserved.cost)
    billed = sum(played.bills("cut"), start=Usage())
    assert billed.tokens < played.runs["cut"].spend.usage.tokens


@pytest.mark.req("S2-093")
def test_malformed_streams_and_malformed_calls_have_their_label_and_are_no_failures_of_a_tool(played):
    assert played.failures("garbled") == ["malformed"]
    assert [one.problem for one in played.settled("garbled")] == ["malformed_output", None, None, None]
    refused = [one for one in played.seat.events("garbled") if isinstance(one, ev.ToolCallRefused)]
    assert [one.problem for one in refused] == ["malformed_output"]
    assert played.runs["garbled"].iteration == 1


def test_a_refusal_ends_the_makers_part_and_the_checks_go_on_from_there(played):
    run = played.runs["unwilling"]
    assert [one.maker for one in run.iterations] == ["refused", "ended"]


@pytest.mark.parametrize("name", ["chat", "responses"])
def test_the_agent_openai_works_by_either_api_to_the_token(played, name):
    run = played.runs[name]
    assert [one.passed for one in run.iterations] == [False, True]
    assert run.spend.usage == sum(played.bills(name), start=Usage())
    assert run.spend.certainty == "priced"
    assert git(played.seat.repo, "show", f"{run.branch}:answer.txt") == "right\n"
    assert {row["dialect"] for row in played.server.shown("ledger") if row["tag"].endswith(name)} == {name}


@pytest.mark.req("X-03", "S0-14")
def test_a_check_by_another_vendor_is_counted_under_the_run_and_apart_from_the_maker(played):
    run = played.runs["mixed"]
    maker, check = (sum(played.bills(name), start=Usage()) for name in ("mixed", "review"))
    assert [one.passed for one in run.iterations] == [False, True]
    assert run.spend.usage == maker + check
    assert sum((one.check_spend.usage for one in run.iterations), start=Usage()) == check
    costs = [prices.cost("claude-sonnet-4-5", one, "anthropic", {}) for one in played.bills("mixed")]
    costs += [prices.cost("gpt-5-mini", one, "openai", {}) for one in played.bills("review")]
    assert run.spend.cost == sum(one or 0 for one in costs)
    sent = [one for one in played.seat.trace("mixed") if isinstance(one, tr.PromptSent)]
    assert {(one.role, one.model) for one in sent} == {("maker", "claude-sonnet-4-5"), ("check", "gpt-5-mini")}
    (wait,) = [one for one in played.seat.events("mixed") if isinstance(one, ev.WaitStarted)]
    assert wait.cause == "rate_limit"
