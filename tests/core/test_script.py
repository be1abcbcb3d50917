"""The scripted agent's script: the format of the product page, and every way to get it wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.script import Script, ScriptCall, ScriptTurn, read_script
from loopdeck.core.usage import Usage

EXAMPLE = """\
model = "claude-sonnet-4-5"            # prices only
[[turn]]
text = "Reading the failing test."
usage = {input = 1200, output = 80, cache_read = 0, cache_write = 0}
delay_s = 0.2
calls = [{tool = "read_file", input = {path = "calc.py"}}]
[[turn]]                               # a turn with no calls ends the iteration
text = "Done."
usage = {input = 1500, output = 60}
iteration = 1                          # optional: the first turn of a later iteration says so
when = "expected 5, got 4"             # optional: play this turn only if the prompt contains the text
error = "overloaded"
"""


def test_the_example_of_the_product_page_is_read_whole():
    assert read_script(EXAMPLE, "fix.toml") == Script(
        model="claude-sonnet-4-5",
        turns=(
            ScriptTurn(
                text="Reading the failing test.",
                calls=(ScriptCall("read_file", '{"path": "calc.py"}'),),
                usage=Usage(1200, 80),
                delay_s=0.2,
            ),
            ScriptTurn(text="Done.", usage=Usage(1500, 60), iteration=1, when="expected 5, got 4", error="overloaded"),
        ),
    )


def test_calls_may_be_written_as_tables_of_their_own():
    script = read_script('[[turn]]\n[[turn.calls]]\ntool = "bash"\n[turn.calls.input]\ncommand = "ls"\ntimeout_s = 3\n', "a.toml")
    assert isinstance(script, Script)
    assert json.loads(script.turns[0].calls[0].arguments) == {"command": "ls", "timeout_s": 3}


def test_a_turn_may_say_nothing():
    assert read_script('[[turn]]\ntext = ""\n', "a.toml") == Script(turns=(ScriptTurn(),))


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("", 1, "no [[turn]]"),
        ("turn = []", 1, "no [[turn]]"),
        ("[turn]\ntext = 'a'", 1, "list of tables"),
        ("[[turn]]\ntext = 3", 2, "must be text"),
        ("[[turn]]\ntext = 'a'\nusage = 5", 3, "must be a table"),
        ("[[turn]]\nusage = {input = -1}", 2, "from 0"),
        ("[[turn]]\nusage = {input = 1, outptu = 2}", 2, "outptu"),
        ("[[turn]]\ndelay_s = nan", 2, "from 0"),
        ("[[turn]]\ndelay_s = inf", 2, "from 0"),
        ("[[turn]]\ndelay_s = true", 2, "a number, not true"),
        ("[[turn]]\niteration = 0", 2, "from 1"),
        ("[[turn]]\nerror = 'overload'", 2, "one of"),
        ("[[turn]]\n\n[[turn]]\ncalls = [\n  {tool = 'bash'},\n  {input = {}},\n]", 6, "no tool"),
        ("[[turn]]\ncalls = [{tool = 'rm -rf'}]", 2, "not a tool's name"),
        ("[[turn]]\ncalls = [{tool = 'bash', input = {at = 2020-01-01}}]", 2, "JSON"),
        ("[[turn]]\ncalls = [{tool = 'bash', input = {at = [inf]}}]", 2, "JSON"),
        ("[[turn]]\ncalls = [{tool = 'bash', arguments = {}}]", 2, "arguments"),
        ("[[turn]]\ntext = 'a\n", 2, "not valid TOML"),
        ("[[turns]]\ntext = 'a'\n", 1, "turns"),
        ("modle = 'a'\n[[turn]]", 1, "modle"),
        ("a = " + "[" * 5000 + "]" * 5000, 1, "nested"),
        ("[[turn]]\niteration = " + "9" * 5000, 2, "digits"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_remedy(text, line, word):
    problems = read_script(text, "fix.toml")
    assert isinstance(problems, tuple)
    assert any(one.line == line and word in one.what for one in problems), problems
    assert all(one.file == "fix.toml" and one.remedy and not one.warning for one in problems)


def test_every_mistake_is_named_not_only_the_first():
    problems = read_script("modle = 1\n[[turn]]\ntext = 2\n[[turn]]\ndelay_s = -1\n", "a.toml")
    assert isinstance(problems, tuple)
    assert sorted(one.line for one in problems) == [1, 3, 5]


@given(st.text())
def test_whatever_the_text_it_is_a_script_or_problems(text):
    read = read_script(text, "a.toml")
    assert isinstance(read, Script) or (read and all(one.what and one.remedy for one in read))
