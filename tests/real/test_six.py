"""One loop file, six agents: the same bug mended by each, changed in the one line that names the agent; alone, and all side by side.

What each took is printed: ours beside the server's. `pytest -m real_agents -s tests/real/test_six.py`.
"""

import json
import pathlib
import time
from dataclasses import dataclass

import pytest

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.conversation import Text
from loopdeck.core.usage import Usage
from tests.bench.report import say
from tests.e2e.seat import Seat
from tests.kit import outside_agent
from tests.kit.model_process import ServerProcess, serving_process
from tests.real.claude_model import BROKEN, TEST
from tests.real.clis import bin_of
from tests.real.test_claude import left

pytestmark = [pytest.mark.real_agents, pytest.mark.timeout(900)]
FILE = """\
goal = "calc.py adds wrongly; mend it."
maker = {{ {maker} }}

[[check]]
name = "adds"
run = "python3 try_calc.py"

[exit]
max_iterations = 1
max_cost_usd = 5.0

[gates]
allow = ["bash(cat)"]
ask = ["edit_file", "bash(python3)", "bash(rm)"]
"""
MAKERS = {
    "anthropic": 'agent = "anthropic", model = "claude-sonnet-4-5", base_url = "{url}/anthropic"',
    "openai": 'agent = "openai", model = "gpt-4.1", base_url = "{url}/openai/v1"',
    "claude": 'agent = "claude", model = "claude-sonnet-4-5", base_url = "{url}/claude"',
    "codex": 'agent = "codex", model = "gpt-5", base_url = "{url}/codex/v1"',
    "opencode": 'agent = "acp", command = "opencode acp", model = "gpt-4.1", base_url = "{url}/opencode/v1"',
    "command": 'agent = "command", command = "python3 agent.py mend", model = "claude-sonnet-4-5", base_url = "{url}/command"',
}
"""Each agent's line of the file. The path of the address tells the agents apart in the server's ledger."""
PROGRAMS = ("claude", "codex", "opencode")
LAST = dict.fromkeys(MAKERS, "Mended: it adds now; all fine; not tidied.") | {"command": "Mended: it adds now; all fine; as edited."}
"""What each says at its end if the operator's edit and denial were heard."""
EDITED = dict.fromkeys(MAKERS, "python3 -B try_calc.py") | {"command": "python3 -B agent.py mend"}
RUBRIC = "# How it reads\n- **Says what for.** `add` says what it is for. [major]\n"


def loop_file(agent: str, url: str) -> str:
    """The file, with the agent's line."""
    return FILE.format(maker=MAKERS[agent].format(url=url))


def seat(front, loops: dict[str, str], *programs: str, **files: str) -> Seat:
    """A seat before the small repository with these loops: name → file."""
    repo = {"calc.py": BROKEN, "try_calc.py": TEST, "agent.py": _source(outside_agent)}
    door: Seat = front(repo | {f".loopdeck/loops/{name}/loop.toml": text for name, text in loops.items()} | files)
    path = ":".join([*(str(bin_of(one)) for one in programs), door.env["PATH"]])
    door.env |= {"PATH": path, "ANTHROPIC_API_KEY": "the-real-key", "OPENAI_API_KEY": "the-real-key"}
    return door


def _source(module) -> str:
    with pathlib.Path(module.__file__).open(encoding="utf-8") as file:
        return file.read()


@dataclass(frozen=True)
class Took:
    """What a loop came to: iterations, calls and tokens by our word, the same by the server's, seconds, processes that are left."""

    agent: str
    iterations: int
    calls: int
    usage: Usage
    asked: int
    billed: Usage
    seconds: float
    left: int

    def line(self) -> str:
        """A row of the table."""
        ours, theirs = self.usage.tokens, self.billed.tokens
        return (
            f"{self.agent:<10}{self.iterations:>5}{f'{self.calls}/{self.asked}':>10}{f'{ours:,}/{theirs:,}':>17}"
            f"{self.seconds:>8.1f}{self.left:>6}"
        )


HEAD = f"{'agent':<10}{'iter':>5}{'requests':>10}{'tokens ours/bill':>17}{'s':>8}{'left':>6}"


def took(door: Seat, server: ServerProcess, loop: str, agent: str, seconds: float) -> Took:
    """The figures of a loop that has ended."""
    run = door.folded(loop)
    asked = sum(row["tag"] == agent for row in server.shown("ledger"))
    return Took(
        agent, run.iteration, run.spend.model_calls, run.spend.usage, asked, server.billed(tag=agent), seconds, len(left(door, loop))
    )


def answer(door: Seat, loop: str) -> int:
    """Answer all that the loop asks: what mends is allowed, what tries it edited, what tidies up denied. How many there were."""
    waits = door.folded(loop).pending_approvals
    for one in waits:
        given = json.loads(one.arguments)
        command = str(given.get("command", ""))
        match command.split():
            case ["python3", "-B", *_]:
                raise AssertionError(f"{loop} asks again for what was allowed: {command}")
            case ["python3", *rest]:
                door.ok("approve", one.id, "--edit", json.dumps({"command": " ".join(["python3", "-B", *rest])}))
            case ["rm", *_]:
                door.ok("deny", one.id, "--why", "it is needed")
            case _:
                assert one.tool == "edit_file", one
                door.ok("approve", one.id)
    return len(waits)


def attend(door: Seat, loops: tuple[str, ...], patience_s: float = 300) -> dict[str, float]:
    """Be the operator until all have ended; when each had, in seconds from now."""
    begun, ended = time.monotonic(), dict[str, float]()
    while len(ended) < len(loops):
        for loop in loops:
            seen = door.view(loop)
            if seen.status == "ended" and not seen.live:
                ended.setdefault(loop, time.monotonic() - begun)
            elif seen.status == "asking":
                answer(door, loop)
        still = {one: door.view(one).status for one in loops if one not in ended}
        assert time.monotonic() < begun + patience_s, still
        time.sleep(0.1)
    return ended


def obeyed(door: Seat, loop: str, agent: str) -> None:
    """The operator's words were: allowed, edited, denied; and whoever can't be asked call by call was asked for its start."""
    answers = [one for one in door.events(loop) if isinstance(one, ev.ApprovalDecided)]
    decided = ["deny" if not one.approved else "edit" if one.arguments else "allow" for one in answers]
    assert decided == (["edit"] if agent == "command" else ["allow", "edit", "deny"])
    trace = door.trace(loop)
    made = [json.loads(one.arguments) for one in trace if isinstance(one, tr.ToolCalled)]
    commands = [one["command"] for one in made if "command" in one]
    assert EDITED[agent] in commands
    assert not {"python3 try_calc.py", "python3 agent.py mend", "rm -rf calc.py"} & set(commands), commands
    last = [one for one in trace if isinstance(one, tr.ModelReplied) and one.role == "maker"][-1]
    assert last.blocks == (Text(LAST[agent]),)
    assert (door.worktree(loop) / "calc.py").read_text() == BROKEN.replace("a - b", "a + b")


def right(one: Took) -> None:
    """To the token, and nothing left."""
    assert (one.calls, one.usage, one.left) == (one.asked, one.billed, 0), one
    assert one.usage.tokens > 0


def test_the_six_files_differ_in_one_line():
    files = [loop_file(agent, "http://127.0.0.1:1").splitlines() for agent in MAKERS]
    assert [number for number, lines in enumerate(zip(*files, strict=True)) if len(set(lines)) > 1] == [1]


@pytest.mark.parametrize("agent", MAKERS)
@pytest.mark.req("S1-14", "S2-062")
def test_the_same_file_with_another_agent_is_done(front, agent):
    with serving_process("tests.real.six_model:fixer") as server:
        door = seat(front, {"mend": loop_file(agent, server.url)}, *({agent} & set(PROGRAMS)))
        begun = time.monotonic()
        door.ok("start", "mend")
        attend(door, ("mend",))
        seconds = time.monotonic() - begun
        assert door.glance("mend")["reason"] == "done", door.log("mend")
        figures = took(door, server, "mend", agent, seconds)
    say(HEAD)
    say(figures.line())
    right(figures)
    obeyed(door, "mend", agent)
    assert "the-real-key" not in door.ok("trace", "mend", "--json").out


@pytest.mark.req("S1-14", "S2-062")
def test_six_agents_side_by_side_in_one_deck(front):
    with serving_process("tests.real.six_model:fixer") as server:
        door = seat(
            front, {agent: loop_file(agent, server.url) for agent in MAKERS}, *PROGRAMS,
            **{".loopdeck/deck.toml": "[deck]\nmax_runs = 6\n"},
        )  # fmt: skip
        door.ok("start", "--all")
        ended = attend(door, tuple(MAKERS))
        assert {agent: door.glance(agent)["reason"] for agent in MAKERS} == dict.fromkeys(MAKERS, "done")
        table = [took(door, server, agent, agent, ended[agent]) for agent in MAKERS]
        assert sum((one.usage for one in table), start=Usage()) == server.billed()
        spans = [(door.folded(agent).started_at, door.folded(agent).ended_at) for agent in MAKERS]
        assert max(begun for begun, _ in spans) < min(ended for _, ended in spans)
    say(HEAD)
    for one in table:
        say(one.line())
    for one in table:
        right(one)
        obeyed(door, one.agent, one.agent)


@pytest.mark.req("X-03")
def test_a_checker_of_one_vendor_on_a_maker_of_another(front):
    with serving_process("tests.real.six_model:reviewed") as server:
        text = loop_file("claude", server.url).replace("max_iterations = 1", "max_iterations = 3").replace('"edit_file", ', "")
        judge = f'rubric = "RUBRIC.md"\nagent = "openai"\nmodel = "gpt-5-mini"\nbase_url = "{server.url}/judge/v1"\n'
        files = {".loopdeck/loops/mend/RUBRIC.md": RUBRIC}
        door = seat(front, {"mend": text.replace("[exit]", f'[[check]]\nname = "reads"\n{judge}\n[exit]')}, "claude", **files)
        run = door.done("mend")
        rows = server.shown("ledger")
        assert (run.iteration, run.spend.usage) == (2, server.billed())
        assert left(door) == []
    by = {tag: {(row["dialect"], row["model"]) for row in rows if row["tag"] == tag} for tag in ("claude", "judge")}
    assert by["judge"] == {("chat", "gpt-5-mini")}
    assert {dialect for dialect, _ in by["claude"]} == {"messages"}
    sent = {one.role: one.template.partition("@")[0] for one in door.trace("mend") if isinstance(one, tr.PromptSent) and one.template}
    assert (sent["maker"], sent["check"]) == ("agent.md", "prompts/rubric.md")
    assert sum(row["tag"] == "judge" for row in rows) == 2
