"""The title line: sums that agree with the money screen, what waits, and what is left out where there is no room."""

import pytest

from loopdeck.core.columns import Cell
from loopdeck.core.happening import Settings
from loopdeck.deck.board import mark, table_row
from loopdeck.deck.headline import headline
from loopdeck.deck.snapshot import DeckFacts, LoopRow, Snapshot
from tests.kit.room import DOLLAR, approval, loop_row


def said(*rows: LoopRow, width: int = 300, **facts: object) -> str:
    """The whole line."""
    snapshot = Snapshot(1, 0.0, (DeckFacts("shop", "/r", "/h", **facts),), rows)  # type: ignore[arg-type]
    return "  ".join("".join(one.text for one in side) for side in headline(snapshot, width))


def words(row: LoopRow) -> str:
    """The row of the table, without what depends on the time."""
    cells = table_row(row, row.last_at).painted
    return " ".join("".join(one.text for one in ((each,) if isinstance(each, Cell) else each)) for each in cells)


def test_what_is_spent_is_of_today_and_of_all_runs_not_only_the_newest_of_each_loop():
    line = said(loop_row("lint", cost=DOLLAR // 4), day_cost=3 * DOLLAR)
    assert "$3.00 today" in line
    assert "0.25" not in line


def test_a_cap_for_the_day_stands_beside_what_is_spent_and_is_forecast():
    live = loop_row("lint", rate=2 * DOLLAR, settings=Settings(4))
    line = said(live, day_cost=3 * DOLLAR, day_cap=5 * DOLLAR)
    assert "$3.00 of $5.00 today $2.00/h cap of the day in 1h" in line


def test_what_has_no_price_is_not_hidden_in_a_sum():
    assert "$3.00+? today" in said(loop_row("lint", cost=None), day_cost=3 * DOLLAR)


@pytest.mark.req("S0-24")
def test_what_was_merged_is_counted_apart_from_what_waits():
    done = {"status": "ended", "reason": "done"}
    rows = [loop_row(name, fate=fate, **done) for name, fate in (("a", "merged"), ("b", "merged"), ("c", "waits"), ("d", "discarded"))]
    assert "✓1 done  ◆2 merged" in said(*rows)


@pytest.mark.parametrize(("unread", "left"), [(1, "1 line unread"), (40, "40 lines unread")])
def test_unread_lines_are_counted_in_words(unread, left):
    assert left in said(loop_row("a"), unread=unread)


def test_where_there_is_no_room_glyphs_stand_for_words_and_what_waits_for_a_person_stays():
    rows = [loop_row("a", "asking", approvals=(approval(),)), loop_row("b", rate=DOLLAR), loop_row("c")]
    wide, middle, narrow = (said(*rows, width=width, unread=12, day_cost=DOLLAR) for width in (200, 80, 40))
    assert "?1 asking" in wide
    assert "cap of b in 1h" in wide
    assert "?1 asking" not in middle
    assert "?1" in middle
    assert "12 lines unread" in middle
    assert "12 unread" in narrow
    assert "1 for you" in narrow
    assert "cap" not in narrow


@pytest.mark.req("S0-24")
@pytest.mark.parametrize(
    ("fate", "unread", "glyph", "word", "why"),
    [
        ("merged", 0, "◆", "merged", "all of it read"),
        ("merged", 1, "◆", "merged", "1 line nobody has read"),
        ("discarded", 0, "◇", "discarded", "every required check passed"),
        ("waits", 3, "✓", "done", "3 lines unread, to be merged"),
        ("waits", 0, "✓", "done", "read, to be merged"),
        ("", 0, "✓", "done", "every required check passed"),
    ],
)
def test_what_became_of_a_runs_work_is_told_by_glyph_and_word(fate, unread, glyph, word, why):
    row = loop_row("a", "ended", fate=fate, unread=unread, why="every required check passed")
    assert [one.text for one in mark(row)] == [glyph, word]
    assert why in words(row)


def test_a_run_that_works_tells_whether_it_gets_better():
    row = loop_row("a", open_findings=2, since_progress=DOLLAR // 2, iteration=3)
    assert "2 open findings, $0.500 since it got better" in words(row)
    assert "finding" not in words(loop_row("a", open_findings=0, iteration=1))


@pytest.mark.parametrize(("status", "shown"), [("running", "t›M›c›s"), ("queued", "T›m›c›s"), ("ended", ""), ("idle", "")])
def test_the_picture_is_there_only_where_something_goes_on(status, shown):
    assert shown in words(loop_row("a", status))
    assert ("›" in words(loop_row("a", status))) is bool(shown)
