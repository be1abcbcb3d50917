"""Real Claude Code and Codex sessions that somebody started by hand, tied to the deck by `loopdeck hook` alone."""

import json
import subprocess

import pytest

from loopdeck.store.layout import sessions_of
from tests.e2e.seat import Seat
from tests.kit.model_process import serving_process
from tests.real.clis import bin_of

pytestmark = [pytest.mark.real_agents, pytest.mark.timeout(600)]
TALK = "tests.real.hook_model:tries"
DECK = {".loopdeck/deck.toml": '[gates]\nallow = ["bash(echo *)"]\ndeny = ["bash(git push)"]\n'}


def session(door, words, **env):
    """Run an agent as a person would, in the operator's checkout."""
    done = subprocess.run(
        words, cwd=door.repo, env=dict(door.env) | env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    return done.stdout + done.stderr


def claude(door, server, home):
    door.env["PATH"] = f"{bin_of('claude')}:{door.env['PATH']}"
    words = ["claude", "-p", "Push it.", "--output-format", "stream-json", "--verbose", "--allowedTools", "Bash"]
    return session(door, words, ANTHROPIC_BASE_URL=server.url, ANTHROPIC_API_KEY="k", CLAUDE_CONFIG_DIR=str(home))


def codex(door, server, home):
    door.env["PATH"] = f"{bin_of('codex')}:{door.env['PATH']}"
    provider = f'model_providers.kit={{name="kit",base_url="{server.url}/v1",env_key="KIT_KEY",wire_api="responses"}}'
    (home / "config.toml").write_text(f'[projects."{door.repo}"]\ntrust_level = "trusted"\n')
    words = ["codex", "exec", "--json", "--dangerously-bypass-hook-trust", "-s", "danger-full-access",
             "-c", provider, "-c", 'model_provider="kit"', "-m", "gpt-5", "Push it."]  # fmt: skip
    return session(door, words, CODEX_HOME=str(home), KIT_KEY="k")


@pytest.mark.parametrize(("agent", "start"), [("claude", claude), ("codex", codex)])
@pytest.mark.req("S2-060")
def test_a_session_started_by_hand_keeps_the_decks_rules_and_is_told_of(front, tmp_path_factory, agent, start):
    home = tmp_path_factory.mktemp("agent-home")
    door: Seat = front(DECK)
    door.ok("hook", "--install", agent, "--yes")
    with serving_process(TALK) as server:
        told = start(door, server, home)
        assert "the rule bash(git push) denies it" in told, told[-3000:]
        assert (door.repo / "made.txt").read_text() == "through\n", told[-3000:]
    lines = [json.loads(line) for file in sorted(sessions_of(door.deck.home).glob("*.jsonl")) for line in file.read_text().splitlines()]
    calls = [(one["tool"], one["summary"], one["verdict"]) for one in lines if one["event"] == "PreToolUse"]
    assert calls == [("bash", "git push origin main", "deny"), ("bash", "echo through > made.txt", calls[-1][2])]
    assert calls[-1][2] in ("allow", "none")
    assert {one["agent"] for one in lines} == {agent}
