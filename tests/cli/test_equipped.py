"""What `loopdeck check` says of a maker's agent before a run finds out: its program, its model, roles and loops that are not there."""

import os

import pytest
import tomli_w


def made(name, maker, **more):
    """A loop with this maker."""
    spec = {
        "goal": "x",
        "maker": maker,
        "check": [{"run": "test -f README.md"}],
        "exit": {"max_iterations": 2, "max_tokens": 9},
        **more,
    }
    return {f".loopdeck/loops/{name}/loop.toml": tomli_w.dumps(spec)}


@pytest.fixture
def warned(front, inside, tmp_path):
    """A function: the warnings of each loop of `files` as `file line: what`, with these programs on the PATH; nothing is wrong."""

    def asked(programs, *files):
        places = tmp_path / "programs"
        places.mkdir()
        for name in programs:
            (places / name).write_text("#!/bin/sh\n")
            (places / name).chmod(0o700)
        door = front({path: text for one in files for path, text in one.items()})
        door.env["PATH"] = f"{places}{os.pathsep}/usr/bin{os.pathsep}/bin"
        said = inside(door, "check", "--json")
        assert said.code == 0, said.out
        return {one["loop"]: [_marked(door, problem) for problem in one["problems"]] for one in said.json["loops"]}

    return asked


def _marked(door, problem):
    assert problem["warning"]
    line = (door.repo / problem["file"]).read_text().splitlines()[problem["line"] - 1]
    return line.partition(" ")[0], problem["what"]


def test_a_program_that_is_not_there(warned):
    found = warned(
        ["claude"],
        made("there", {"agent": "claude"}),
        made("gone", {"agent": "codex"}),
        made("named", {"agent": "command", "command": "no-such-agent --print"}),
        made("unsure", {"agent": "command", "command": "no-such-agent | tee it"}),
    )
    assert found == {
        "there": [],
        "gone": [("agent", "there is no program 'codex' on the PATH")],
        "named": [("command", "there is no program 'no-such-agent' on the PATH")],
        "unsure": [],
    }


def test_an_agent_that_must_be_told_its_model(warned):
    found = warned(
        ["opencode", "claude-agent-acp"],
        made("led", {"agent": "acp", "command": "opencode acp"}),
        made("told", {"agent": "acp", "command": "opencode acp", "model": "gpt-5"}),
        made("chooses", {"agent": "acp", "command": "claude-agent-acp"}),
    )
    what = "opencode is told no model, and through the gateway it has none of its own"
    assert found == {"led": [("command", what)], "told": [], "chooses": []}


def test_roles_that_an_agent_of_its_own_has_no_use_for(warned):
    models = {"triage": "openai:gpt-5-mini", "draft": "openai:gpt-5", "review": "command:gpt-5"}
    found = warned(
        [],
        made("outside", {"agent": "command", "command": "true"}, models=models),
        made("plain", {"agent": "anthropic", "model": "claude-sonnet-4-5"}, models=models | {"review": "openai:gpt-5"}),
    )
    what = "`models.draft` is not used: the maker's turns are all made by command, not by openai"
    assert found == {"outside": [("draft", what)], "plain": []}


def test_loops_that_are_not_there(warned):
    tools = ["bash", "loops.other", "loops.nobody", "loops.work"]
    other = {"agent": "openai", "model": "gpt-5"}
    found = warned([], made("work", other | {"tools": tools}), made("other", other))
    assert [what for _, what in found["work"]] == [
        "`loops.nobody`: there is no loop 'nobody'", "`loops.work` is this loop, which can't start itself",
    ]  # fmt: skip


def test_tools_that_an_agent_does_not_take_from_us(warned):
    outside = {"agent": "command", "command": "true"}
    found = warned([], made("work", outside | {"tools": ["bash", "loops.other"]}), made("other", outside))
    what = "`tools` has no effect: command brings tools of its own, and can't start other loops"
    assert found == {"work": [("tools", what)], "other": []}
