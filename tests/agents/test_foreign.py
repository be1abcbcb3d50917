"""Foreign calls as ours and back: names, paths, what a person edited; no call passes for one that stays when it does not."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.agents.outside.foreign import Tongue, Unfit, inside
from loopdeck.core import gate
from loopdeck.core.spec import TOOL_NAMES


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A worktree with a link that leads out, and one that leads to a protected file."""
    made = tmp_path / "tree"
    (made / "tests").mkdir(parents=True)
    (made / "tests/test_a.py").write_text("assert True\n")
    (made / "innocent.py").symlink_to("tests/test_a.py")
    (made / "out").symlink_to(tmp_path)
    return made


def shown(tree: Path, name: str, **given: object) -> tuple[str, dict[str, object]]:
    call = Tongue(tree, servers=("my tracker", "my")).shown("1", name, given)
    assert call.native == name
    return call.tool, json.loads(call.arguments)


def test_tools_are_shown_as_ours(tree):
    assert shown(tree, "Bash", command="ls", description="look", timeout=5000) == ("bash", {"command": "ls", "timeout_s": 5})
    assert shown(tree, "Read", file_path=str(tree / "a.py"), limit=3) == ("read_file", {"path": "a.py", "limit": 3})
    assert shown(tree, "Write", file_path="a/../b.py", content="x") == ("write_file", {"path": "b.py", "content": "x"})
    edit = {"path": "b.py", "old": "x", "new": "y", "replace_all": False}
    assert shown(tree, "Edit", file_path="b.py", old_string="x", new_string="y", replace_all=False) == ("edit_file", edit)
    edits = [{"old_string": "x", "new_string": "y"}]
    assert shown(tree, "MultiEdit", file_path="b.py", edits=edits) == ("edit_file", {"path": "b.py", "edits": edits})
    assert shown(tree, "Glob", pattern="**/*.py", path=str(tree)) == ("glob", {"pattern": "**/*.py", "path": "."})
    assert shown(tree, "Grep", pattern="x", output_mode="content") == ("grep", {"pattern": "x"})
    assert shown(tree, "Skill", skill="review") == ("skill", {"name": "review"})
    assert shown(tree, "WebFetch", url="http://x") == ("webfetch", {"url": "http://x"})


def test_tools_of_servers_are_named_with_their_server_as_the_loop_file_has_it(tree):
    assert shown(tree, "mcp__my_tracker__close", id=3) == ("my tracker.close", {"id": 3})
    assert shown(tree, "mcp__my__tracker__close")[0] == "my.tracker__close"
    assert shown(tree, "mcp__other__a__b")[0] == "other.a__b"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("Read", {"file_path": "/etc/passwd"}),
        ("Read", {"file_path": "../x"}),
        ("Read", {"file_path": "out/x"}),
        ("Read", {"file_path": ["a"]}),
        ("Read", {"file_path": "~/x"}),
        ("Read", {"file_path": "\ufeff /etc/passwd\u00a0"}),
        ("Read", {"file_path": "a\0b"}),
        ("Glob", {"pattern": " /etc/*"}),
        ("Grep", {"pattern": "x", "path": "~"}),
        ("Grep", {"pattern": "x", "path": "~nobody-of-that-name/x"}),
        ("Glob", {"pattern": "/etc/*"}),
        ("Glob", {"pattern": "a/../../*"}),
        ("Glob", {"pattern": "~/*"}),
        ("Glob", {"pattern": "*", "path": "/etc"}),
        ("Grep", {"pattern": "x", "path": "out"}),
        ("Grep", {"pattern": "x", "glob": "../*"}),
    ],
)
def test_what_looks_outside_is_not_taken_for_what_stays(tree, name, given):
    tool, _ = shown(tree, name, **given)
    assert tool == f"{name.lower()}_outside"
    assert gate.judge(gate.Policy(), tool, json.dumps(given)).verdict == "ask"


@pytest.mark.parametrize("name", ["Write", "Edit", "NotebookEdit"])
@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x", "out/x", "tests/test_a.py", "innocent.py", "a/../tests/new.py", "~/x", " /x", " tests/x ", "a\0"]
)
def test_what_writes_outside_or_where_it_is_protected_is_denied(tree, name, path):
    field = "notebook_path" if name == "NotebookEdit" else "file_path"
    call = Tongue(tree).shown("1", name, {field: path})
    policy = gate.Policy(protect=("tests/**",), allow=("write_file", "edit_file"), confined=True)
    assert gate.judge(policy, call.tool, call.arguments).verdict == "deny"


def test_what_a_person_edited_is_put_onto_its_own_arguments(tree):
    tongue = Tongue(tree)
    own = {"command": "rm -rf x", "description": "tidy", "timeout": 5000}
    assert tongue.given_back("Bash", own, '{"command": "rm x", "timeout_s": 7}') == {
        "command": "rm x", "description": "tidy", "timeout": 7000
    }  # fmt: skip
    assert tongue.given_back("Bash", own, '{"command": "rm x"}') == {"command": "rm x", "description": "tidy"}
    own = {"file_path": str(tree / "a"), "content": "x"}
    assert tongue.given_back("Write", own, '{"path": "b/c", "content": "y"}') == {"file_path": str(tree / "b/c"), "content": "y"}
    assert tongue.given_back("mcp__s__t", {"a": 1}, '{"a": 2}') == {"a": 2}


def test_a_time_without_end_is_no_edit(tree):
    with pytest.raises(Unfit):
        Tongue(tree).given_back("Bash", {"command": "ls"}, '{"command": "ls", "timeout_s": Infinity}')


@pytest.mark.parametrize("edited", ["no", "[]", '{"path": "a", "mode": "x"}'])
def test_an_edit_that_makes_no_sense_is_refused(tree, edited):
    with pytest.raises(Unfit):
        Tongue(tree).given_back("Write", {"file_path": "a", "content": "x"}, edited)


NAMES = st.sampled_from(["Bash", "Read", "Write", "Edit", "Glob", "Grep", "Skill", "mcp__s__t", "Odd"])
FIELDS = st.sampled_from(["command", "file_path", "path", "pattern", "content", "old_string", "timeout", "skill", "other"])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(string.printable + "\0é", max_size=12), st.lists(st.integers(), max_size=2)
)


@given(name=NAMES, arguments=st.dictionaries(FIELDS, VALUES, max_size=5))
@settings(max_examples=300)
def test_whatever_it_shows_is_judged_and_comes_back_as_it_was(name, arguments):
    tongue = Tongue(Path("/tmp/loopdeck-no-such-tree"))
    call = tongue.shown("1", name, arguments)
    gate.judge(gate.Policy(), call.tool, call.arguments)
    again = tongue.shown("1", name, tongue.given_back(name, arguments, call.arguments))
    # A path that is none anywhere comes back below the worktree, and is none there either.
    assert again == call or "\\u0000" in call.arguments
    if call.tool in ("read_file", "glob", "grep"):
        path = json.loads(call.arguments).get("path", ".")
        assert not path.startswith(("/", ".."))
    assert call.tool in TOOL_NAMES or "." in call.tool or call.tool.islower()


def test_a_place_is_named_by_where_it_is(tree):
    assert inside(tree, "innocent.py") == "tests/test_a.py"
    assert inside(tree, str(tree)) == "."
    assert inside(tree, "out/x") == str(tree.parent / "x")
