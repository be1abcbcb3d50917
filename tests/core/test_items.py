"""The items of a STATE.md: where each stands, and that any text can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core import memory
from loopdeck.core.items import PLACES, items
from tests.core.make import Story, loop, verdict

STATE = """# State of fix

- [ ] above all headings

## Open
- [ ] one
  and how
- two
    - [x] a part that is done
    - a part without a box
1. three

## In progress
- [ ] four
* [~] five

## Done ##
- six
- [x] seven
- [ ] not really

## Learned
- read the page, don't guess
- [>] try it

```
- [ ] no item in a fence
```
"""


@pytest.mark.req("S2-059")
def test_boxes_and_headings_say_where_an_item_stands():
    assert [(one.text, one.place, one.line) for one in items(STATE)] == [
        ("above all headings", "open", 3),
        ("one", "open", 6), ("two", "open", 8), ("a part that is done", "done", 9), ("three", "open", 11),
        ("four", "doing", 14), ("five", "doing", 15),
        ("six", "done", 18), ("seven", "done", 19), ("not really", "open", 20),
        ("try it", "doing", 24),
    ]  # fmt: skip


def test_what_is_indented_belongs_to_the_item_above():
    found = {one.text: one for one in items(STATE)}
    assert found["one"].more == ("and how",)
    assert found["a part that is done"].more == ("- a part without a box",)
    assert (found["two"].depth, found["a part that is done"].depth) == (0, 2)
    assert found["six"].heading == "Done"


@pytest.mark.parametrize(
    ("heading", "place"),
    [
        ("To do", "open"),
        ("TODO", "open"),
        ("Next", "open"),
        ("Doing now", "doing"),
        ("WIP", "doing"),
        ("Finished", "done"),
        ("Shipped", "done"),
    ],
)
def test_headings_have_several_words_for_the_same(heading, place):
    assert [one.place for one in items(f"## {heading}\n- x\n")] == [place]


def test_the_state_that_a_loop_begins_with_has_its_goal_open():
    assert [(one.text, one.place) for one in items(memory.initial("fix", "All tests pass."))] == [("All tests pass.", "open")]


def test_the_checks_block_is_not_the_loops_plan():
    story = Story(loop()).begun().round(verdict("tests", "failed", "a"))
    text = memory.with_block("## Open\n- [ ] mine\n", story.run, 0.0, False)
    assert "- [ ] tests: failed" in text
    assert [one.text for one in items(text)] == ["mine"]


@given(st.text() | st.text(alphabet="-*# []x~\n\t 1.`adoneopen"))
def test_any_text_can_be_read(text):
    lines = memory.without_block(text).splitlines()
    for one in items(text):
        assert one.place in PLACES
        assert one.text in lines[one.line - 1]
