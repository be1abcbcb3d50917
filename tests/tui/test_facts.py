"""Facts laid out in lines of a width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from loopdeck.core.columns import Cell
from loopdeck.core.text import clean_line
from loopdeck.deck.answer import Fact
from loopdeck.deck.why import Section
from loopdeck.tui.widgets.facts import broken, laid_out
from tests.kit.hostile import FAMILIES, harm_in

WIDTHS = st.integers(8, 120)
ODD = st.text(st.sampled_from("ab \u4f60\u597d\U0001f600[/]\x1b\n\u202e"), max_size=80)


def lines(sections, width):
    return ["".join(one.text for one in _cells(row.painted[0])) for row in laid_out(tuple(sections), width)]


def _cells(cells):
    return (cells,) if isinstance(cells, Cell) else cells


def test_sections_one_under_another():
    sections = [
        Section("Why", (Fact("done", "every check passed in the third iteration"), Fact("kept", "iteration 3"))),
        Section("Limits", (Fact("cost", "none"),)),
    ]
    assert lines(sections, 34) == [
        "Why",
        "  done      every check passed in",
        "            the third iteration",
        "  kept      iteration 3",
        "",
        "Limits",
        "  cost      none",
    ]


def test_a_long_label_is_cut_and_says_so():
    (_, line) = lines([Section("x", (Fact("a/very/long/path/to/somewhere.py:12", "wrong"),))], 40)
    assert line.startswith("  a/very/long")
    assert "…" in line


@given(ODD, WIDTHS)
def test_nothing_is_lost_and_every_line_fits(text, width):
    shown = clean_line(text, 4000)
    found = broken(shown, width)
    assert all(cell_len(one) <= width for one in found)
    assert "".join(found).replace(" ", "") == shown.replace(" ", "")


@given(ODD, ODD, WIDTHS)
def test_every_row_has_a_key_of_its_own(label, text, width):
    rows = list(laid_out((Section(text, (Fact(label, text), Fact(label, text))), Section(label, ())), width))
    assert len({row.key for row in rows}) == len(rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_hostile_text_is_shown_and_does_nothing(family):
    text = FAMILIES[family]
    found = lines([Section(text, (Fact(text, text),))], 60)
    assert not harm_in("\n".join(found))
    assert len(found) >= 2
