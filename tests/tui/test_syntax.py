"""Code in colours: the text stays what it is, whatever the lexer makes of it, and nothing in it is hidden or does harm."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loopdeck.tui.syntax import LONGEST, Syntax
from loopdeck.tui.theme import STYLES
from tests.kit.hostile import ALL, FAMILIES, harm_in

LANGUAGES = st.sampled_from(
    ["", "python", "javascript", "html", "markdown", "yaml", "json", "bash", "docker", "text", "nothing of the kind"]
)


def text_of(cells):
    return "".join(one.text for one in cells)


def line_of(language, line):
    return Syntax(language).cells([line])[0]


@settings(max_examples=50)
@given(LANGUAGES, st.lists(st.text(st.characters(codec="ascii", min_codepoint=0x20, max_codepoint=0x7E), max_size=60), max_size=8))
@example("python", ["", "", "x = '''", "", "a", "'''", ""])
@example("html", ["<a", "", ">", ""])
def test_plain_lines_are_what_they_were(language, lines):
    rows = Syntax(language).cells(lines)
    assert [text_of(row).replace("·", " ") for row in rows] == lines
    assert {one.style for row in rows for one in row} <= set(STYLES)


@settings(max_examples=50)
@given(LANGUAGES, st.lists(st.text(max_size=40) | st.sampled_from([*FAMILIES.values(), ALL]), max_size=5))
def test_no_line_does_harm_or_is_lost(language, lines):
    rows = Syntax(language).cells(lines)
    assert len(rows) == len(lines)
    for line, row in zip(lines, rows, strict=True):
        assert harm_in(text_of(row)) == ""
        assert "\n" not in text_of(row)
        assert "\t" not in text_of(row)
        assert bool(text_of(row)) == bool(line)


def test_tabs_reach_to_the_next_stop_and_can_be_told_from_arrows():
    cells = line_of("", "a\tb\t\tc→d")
    assert text_of(cells) == "a→  b→  →   c→d"
    assert [one.style for one in cells if one.text == "c→d"] == ["plain"]
    assert {one.style for one in cells if one.text.startswith("→")} == {"dim"}


def test_blanks_at_the_end_are_seen():
    assert text_of(line_of("python", "x = 1  ")) == "x = 1··"
    assert text_of(line_of("", "   ")) == "···"
    assert text_of(line_of("", "a\t ")) == "a→  ·"


def test_parts_have_styles_of_their_own():
    styles = {one.text.strip(): one.style for one in line_of("python", "def add(a): return 'x'  # why")}
    assert (styles["def"], styles["add"], styles["# why"]) == ("accent", "key", "dim")


def test_a_long_line_keeps_its_beginning_in_colours_and_is_cut_with_a_count():
    cells = line_of("python", "return " + "x" * 5000)
    assert cells[0].style == "accent"
    assert len(text_of(cells)) <= LONGEST
    assert text_of(cells).endswith("characters>")


@pytest.mark.parametrize("line", ["\\" * 300, "{" * 300, "'" * 299, "<" * 300, "a=" * 150, "# " * 150])
@pytest.mark.parametrize("language", ["python", "javascript", "html", "css"])
def test_no_line_takes_long(language, line):
    began = time.process_time()
    Syntax(language).cells([line] * 60)
    assert time.process_time() - began < 2.0
