import asyncio
import json

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.memory import MOST as MOST_STATE
from loopdeck.core.spec import TOOL_NAMES
from loopdeck.tools import registry
from loopdeck.tools.arguments import SCHEMAS, TYPES, parse, shape
from loopdeck.tools.port import ToolContext

GOOD = {
    "bash": {"command": "true"},
    "read_file": {"path": "README.md"},
    "write_file": {"path": "a.txt", "content": "x"},
    "edit_file": {"path": "README.md", "old": "Calc", "new": "Calculator"},
    "glob": {"pattern": "*"},
    "grep": {"pattern": "Calc"},
    "update_state": {"content": "# State\n"},
    "skill": {"name": "review"},
}


@pytest.mark.req("S2-012")
def test_the_tools_offered_are_exactly_those_asked_for_in_one_order():
    assert tuple(SCHEMAS) == TOOL_NAMES
    assert [one.name for one in registry.schemas(TOOL_NAMES)] == list(TOOL_NAMES)
    assert [one.name for one in registry.schemas(("grep", "bash"))] == ["bash", "grep"]
    assert registry.schemas(()) == ()
    assert registry.schemas(tuple(reversed(TOOL_NAMES))) == registry.schemas(TOOL_NAMES)


@pytest.mark.parametrize("tool", TOOL_NAMES)
def test_a_schema_and_its_type_agree(tool):
    schema = json.loads(SCHEMAS[tool].schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    fields = {field.name: field.required for field in msgspec.structs.fields(TYPES[tool])}
    assert list(schema["properties"]) == list(fields)
    assert schema["required"] == [name for name, required in fields.items() if required]
    jsonschema.validate(GOOD[tool], schema)
    assert not isinstance(parse(tool, json.dumps(GOOD[tool])), str)
    assert all(f'"{name}' in shape(tool) for name in fields)


@given(
    st.sampled_from(TOOL_NAMES),
    st.dictionaries(st.sampled_from(["path", "content", "command", "limit", "x"]), st.none() | st.text(max_size=5)),
)
def test_what_a_schema_refuses_is_refused(tool, given_):
    schema = json.loads(SCHEMAS[tool].schema)
    fits = jsonschema.Draft202012Validator(schema).is_valid(given_)
    wrong = registry.misfit(tool, json.dumps(given_), TOOL_NAMES)
    nul = any("\0" in (value or "") for value in given_.values())
    assert bool(wrong) == (not fits or nul)


@pytest.mark.parametrize("tool", TOOL_NAMES)
def test_every_tool_works(call, tool):
    outcome = call(tool, **GOOD[tool])
    assert not outcome.is_error, outcome.output


MALFORMED = [
    "",
    "{",
    "null",
    "[]",
    '"x"',
    "{}",
    '{"path": 1}',
    '{"unknown": true}',
    '{"path": "a", "path2": "b"}',
    "\ud800",
    '{"a": "\\ud800"}',
]
MALFORMED += ["[" * 100_000, '{"command": "ls", "timeout_s": "5"}', '{"command": "ls", "timeout_s": 0}', '{"path": "a", "limit": -1}']


@pytest.mark.req("S2-093")
@pytest.mark.parametrize("tool", TOOL_NAMES)
@pytest.mark.parametrize("arguments", MALFORMED, ids=range(len(MALFORMED)))
def test_arguments_that_make_no_sense_are_the_models_mistake(context: ToolContext, tool, arguments):
    outcome = asyncio.run(registry.call(tool, arguments, context))
    assert outcome.is_error
    assert outcome.problem == "malformed_output"
    assert shape(tool) in outcome.output
    assert registry.misfit(tool, arguments, TOOL_NAMES) == outcome.output


@pytest.mark.req("S2-093")
def test_a_tool_that_fails_is_another_thing(call):
    for outcome in (
        call("bash", command="false"),
        call("read_file", path="none"),
        call("edit_file", path="README.md", old="none", new="x"),
        call("skill", name="none"),
        call("write_file", path="../x", content="x"),
    ):
        assert outcome.is_error
        assert outcome.problem == "tool_failed"


def test_a_tool_that_is_not_there_is_named_with_those_that_are(context):
    wrong = registry.misfit("browse", "{}", ("bash", "glob"))
    assert "browse" in wrong
    assert "bash, glob" in wrong
    assert registry.misfit("grep", '{"pattern": "x"}', ("bash",))
    assert registry.misfit("github.close", "{}", ("github.close",)) == ""
    assert asyncio.run(registry.call("browse", "{}", context)).problem == "malformed_output"


def test_nul_is_nobodys_path_or_command(call):
    for tool, given_ in (("bash", {"command": "a\0b"}), ("read_file", {"path": "a\0b"}), ("glob", {"pattern": "a\0"})):
        outcome = call(tool, **given_)
        assert outcome.problem == "malformed_output"
        assert "NUL" in outcome.output


def test_the_state_is_written_where_the_runner_reads_it(call, worktree):
    assert not call("update_state", content="# done: ä\n").is_error
    assert (worktree / ".loop/STATE.md").read_text() == "# done: ä\n"
    assert not call("update_state", content="x" * MOST_STATE).is_error
    outcome = call("update_state", content="x" * (MOST_STATE + 1))
    assert outcome.problem == "tool_failed"
    assert str(MOST_STATE) in outcome.output
    assert (worktree / ".loop/STATE.md").read_text() == "x" * MOST_STATE


def test_skills_are_read_by_name(call):
    assert call("skill", name="review").output == "# How to review\n"
    assert "There are: review." in call("skill", name="../review").output


def test_a_disk_that_refuses_is_a_failing_tool(call, worktree):
    (worktree / "full").symlink_to("/dev/full")
    assert call("write_file", path="full", content="x").problem == "tool_failed"


def test_cancelling_a_call_leaves_nothing(context, worktree):
    async def cancelled() -> None:
        task = asyncio.create_task(registry.call("bash", '{"command": "touch begun; sleep 60; touch done"}', context))
        while not (worktree / "begun").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert not (worktree / "done").exists()
