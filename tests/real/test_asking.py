"""Real Claude Code and Codex makers ask the operator through `loopdeck mcp`, which the run gives them."""

import pytest

from tests.cli.loops import loop
from tests.e2e.seat import Seat
from tests.kit.model_process import serving_process
from tests.real.clis import bin_of

pytestmark = [pytest.mark.real_agents, pytest.mark.timeout(600)]
TALK = "tests.real.hook_model:asker"


@pytest.mark.parametrize(("agent", "model"), [("claude", "claude-sonnet-4-5"), ("codex", "gpt-5")])
def test_a_makers_question_is_answered_by_a_person(front, agent, model):
    files = loop(
        "asks", [], maker={"agent": agent, "model": model}, checks=[{"name": "told", "run": "grep -q 8080 answer.txt"}],
        end={"max_iterations": 1, "max_cost_usd": 5.0}, gates={"allow": ["bash"]},
    )  # fmt: skip
    files.pop(".loopdeck/loops/asks/play.toml")
    path = ".loopdeck/loops/asks/loop.toml"
    files[path] = files[path].replace('script = "play.toml"\n', "")
    with serving_process(TALK) as server:
        door: Seat = front(files)
        door.env |= {
            "PATH": f"{bin_of(agent)}:{door.env['PATH']}", "ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "k",
            "OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "k",
        }  # fmt: skip
        door.ok("start", "asks")
        [waits] = door.until("asks", "asking", patience_s=60)["approvals"]
        assert (waits["tool"], waits["summary"]) == ("ask_operator", "Which port?")
        door.ok("approve", waits["id"], "--answer", "Port 8080.")
        assert door.until_ended("asks", patience_s=60)["reason"] == "done", door.log("asks")
