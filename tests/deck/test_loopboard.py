"""The loop's screen as plain values: picture, exit, layers, iterations, and one of them in full."""

from typing import Any

import pytest
from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core.columns import Cell, Cells
from loopdeck.core.happening import Settings, Signal
from loopdeck.core.lifecycle import Status
from loopdeck.deck.compare import compare
from loopdeck.deck.differences import Differences
from loopdeck.deck.loopboard import Iterations, badges, contract, live_node, picture, standing, table_row
from loopdeck.deck.passboard import compared, iteration, lines_of
from loopdeck.deck.passes import History
from loopdeck.deck.snapshot import LoopRow
from loopdeck.git.diff import Change
from tests.core.make import DOLLAR, Story, check, loop, verdict
from tests.deck.test_passes import told


def begun(**more) -> Story:
    return Story(loop(check("tests"), check("lint"), max_iterations=4, **more)).begun()


def row(status: Status = "running", **more: Any) -> LoopRow:
    given: dict[str, Any] = {
        "run": "r1",
        "phase": "maker",
        "agent": "anthropic",
        "settings": Settings(4, max_cost=2 * DOLLAR),
        "iteration": 2,
    } | more
    return LoopRow(key="0/fix", deck=0, loop="fix", status=status, **given)


def text(cells: Cells) -> str:
    return cells.text if isinstance(cells, Cell) else "".join(one.text for one in cells)


def said(sections) -> str:
    return "\n".join(f"{section.title}\n" + "\n".join(f"{line.label} | {line.text}" for line in section.lines) for section in sections)


NODES = {
    "maker": row(),
    "checks": row(phase="checks"),
    "state": row(phase="deciding"),
    "trigger": row("queued", phase=None),
    "": row("ended", phase=None, reason="done"),
}


@pytest.mark.parametrize("node", NODES)
def test_the_live_node(node):
    assert live_node(NODES[node]) == node


@pytest.mark.parametrize(("asking", "node"), [("approval", "maker"), ("verdict", "checks"), ("state", "state")])
def test_who_asks_is_lit(asking, node):
    assert live_node(row("asking", phase="maker", asking=asking)) == node


def test_a_loop_without_a_run_has_no_live_node():
    assert live_node(row("idle", run="", phase=None)) == ""


PICTURE = """\
◇ trigger ───────▶  ◆ MAKER ─────────▶  ◇ checks ────────▶  ◇ state ─────────↺
by anna             anthropic:m         tests, lint         STATE.md tttttttt"""


@pytest.mark.req("S0-09")
def test_the_loop_can_be_seen_as_a_picture():
    history = told(begun().round(verdict("tests", "failed", "a"), verdict("lint")).iteration())
    above, below = picture(row(by="anna", model="m"), history, 80)
    assert "\n".join((text(above).rstrip(), text(below).rstrip())) == PICTURE
    assert [one.text for one in above if one.style == "mark"] == ["◆ MAKER"]
    assert all(sum(len(one.text) for one in line) == 80 for line in (above, below))


@pytest.mark.req("S0-09")
@pytest.mark.parametrize("width", [56, 80, 121, 200])
def test_the_picture_fits_any_width(width):
    for one in NODES.values():
        for line in picture(one, None, width):
            assert sum(len(cell.text) for cell in line) <= width


@pytest.mark.req("S0-15")
def test_the_exit_is_shown_as_it_was_fixed_and_an_edit_applies_to_the_next_run():
    history = told(begun())
    limits = Settings(4, DOLLAR, 9000, 60.0, 7, 0, "minor", True)
    shown = text(contract(row(settings=limits), history))
    for part in (
        "≤4 iterations",
        "≤$1.00",
        "≤9.0k tokens",
        "≤60 s",
        "≤7 calls each",
        "no detectors",
        "from minor up",
        "final pass",
        "contract ex",
    ):
        assert part in shown
    assert "applies next run" not in shown
    assert "loop file changed, applies next run" in text(contract(row(edited=True), history))
    set_ = begun().tell(ev.SettingChanged("max_iterations", "4", "9", "olga", Settings(9)))
    assert "set by hand x1" in text(contract(row(), told(set_)))


@pytest.mark.req("S2-025")
def test_the_layers_that_are_on_are_told_without_colour():
    shown = text(badges(row(layers=(1, 2), level="assisted", held=True, pausing=True)))
    assert "● 1 tools  ● 2 checks  ○ 3 trigger  ○ 4 climb" in shown
    assert "level assisted" in shown
    assert "held before the next iteration" in shown
    assert "pauses at the next step" in shown


def test_how_the_run_stands():
    shown = text(standing(row(cost=DOLLAR, scores=(0.5, None), since_progress=DOLLAR // 2, why="works"), 0.0))
    assert shown.startswith("▶ running maker  iteration 2/4")
    assert "$1.00 of $2.00, $0.500 since it last got better" in shown
    assert "no run yet" in text(standing(row("idle", run=""), 0.0))
    assert "damaged: line 9" in text(standing(row(damage="line 9"), 0.0))


def rows(history: History) -> list[str]:
    source = Iterations(history)
    return [" | ".join(text(cells).strip() for cells in source.row(at).painted) for at in range(source.count())]


def test_a_row_for_each_iteration():
    story = begun().round(verdict("tests", "failed", "a", "b"), verdict("lint"))
    story.round(verdict("tests", "failed", "b"), verdict("lint", "failed", "c"))
    story.round(verdict("tests"), verdict("lint")).tell(ev.RunEnded("done", best=3))
    first, second, third = rows(told(story))
    assert first.startswith("1 | 0.50 | ✗✓ | 2 +2 -0 | +0 -0 0f | ✎ | $0.0000 | 15 | 1 | 0 | 0 %")
    assert second.startswith("2 | 0.00 | ✗✗ | 2 +1 -1")
    assert third.startswith("★3 | 1.00 | ✓✓ | 0 +0 -2")


def test_what_is_remarkable_is_said():
    story = begun().iteration(final=True).reply("t1:bash").ask("t1").tell(ev.ApprovalDecided("a1", True, "olga"))
    story.tell(ev.ToolCallGranted("t1", "bash"), ev.ToolCallFinished("t1", "bash", 0.1, "tool_failed", "x")).reply()
    story.made("max_turns", protected=("tests/a.py",)).judged(verdict("tests", "failed", "a"), verdict("lint", "error"))
    story.tell(ev.IterationFinished(1, 0.0, False, "s" * 64, (Signal("plateau", 2, "nudge", "flat"),)))
    (one,) = rows(told(story))
    for part in (
        "plateau x2",
        "maker: max_turns",
        "protected paths put back",
        "final pass",
        "1 asked",
        "tool failed x1",
        "check broke x1",
        "✗!",
    ):
        assert part in one, one
    assert " | = | " in one


def test_a_running_iteration_is_marked_and_so_is_one_put_aside():
    history = told(begun().round(verdict("tests", "failed", "a"), verdict("lint")).iteration())
    source = Iterations(history, 1)
    assert [text(source.row(at).painted[0]) for at in (0, 1)] == ["◉1", "▶2"]


def test_many_checks_are_counted():
    spec = loop(*(check(f"c{number}") for number in range(12)), max_iterations=4)
    story = (
        Story(spec)
        .begun()
        .round(*(verdict(f"c{number}", "failed" if number < 3 else "passed", *("a",) * (number < 3)) for number in range(12)))
    )
    assert text(table_row(told(story).passes[0], None, told(story)).painted[2]) == "9✓ 3✗"


def test_rows_that_look_the_same_are_the_same():
    story = begun().round(verdict("tests", "failed", "a"), verdict("lint")).iteration()
    before = Iterations(told(story))
    seen = [before.row(at) for at in range(2)]
    after = Iterations(told(story.reply()), before=before)
    assert after.row(0) is seen[0]
    assert after.row(1) is not seen[1]
    assert (after.index("2"), after.index("3"), after.index("x")) == (1, None, None)


def test_one_iteration_in_full_what_failed_first():
    found = structs.replace(
        verdict("tests", "failed", "a is wrong").findings[0], path="a.py", line=3, snippet="> 3 | a", regression=True
    )
    bad = structs.replace(verdict("tests", "failed"), findings=(found,))
    bad = structs.replace(bad, evidence=structs.replace(bad.evidence, tail="boom\n"))
    story = (
        begun().tell(ev.Nudged("look at a", "olga")).iteration().reply().made(files=1, added=2, removed=1).judged(verdict("lint"), bad)
    )
    story.tell(ev.CheckSkipped("look", "waits for tests")).finished()
    history = told(story)
    shown = iteration(history.passes[0], history)
    assert [section.title for section in shown][:3] == ["✗ tests failed, major, score 0.00", "passed", "not run"]
    everything = said(shown)
    for part in (
        "a.py:3 | a is wrong  (major, new, a regression)", "> 3 | a", "boom", "`./tests`, exit 1", "look | waits for tests",
        "1 file +2 -1", "was told | look at a", "ssssssssssss → tttttttttttt", "10 in, 5 out", "regression | x1",
    ):  # fmt: skip
        assert part in everything, everything
    assert (shown[0].lines[0].path, shown[0].lines[0].line) == ("a.py", 3)


def test_an_open_question_stands_on_top():
    history = told(begun().iteration().reply("t1:bash").ask("t1"))
    shown = iteration(history.passes[0], history)
    assert (shown[0].title, shown[0].lines[0].text) == ("waits for you: approval", "bash git push")


def test_two_iterations_beside_each_other():
    story = begun().round(verdict("tests", "failed", "a", "b"), verdict("lint"))
    story.round(verdict("tests"), verdict("lint", "failed", "c"))
    shown = compared(compare(*told(story).passes))
    assert shown[0].title == "findings: 2 fixed, 1 new, 0 still there"
    assert [line.text.split()[0] for line in shown[0].lines] == ["new", "fixed", "fixed"]
    everything = said(shown)
    assert "tests | failed → passed  0.00 → 1.00" in everything
    assert "findings | 2 → 1   -1 better" in everything


def test_state_and_diff_as_lines():
    found = Differences(("-a", "+b"), (Change("a.txt", 1, 2),), ("diff --git a b", "+x"), cut=True, missing=("the state is gone",))
    assert lines_of(found) == (
        "@@ the state is gone @@", "@@ STATE.md @@", "-a", "+b", "", "@@ files: a.txt +1 -2 @@", "diff --git a b", "+x",
        "@@ cut here: `loopdeck diff` has it all @@",
    )  # fmt: skip
    assert "only the checks' block differs" in lines_of(Differences((), (), (), block=True))[1]
    assert lines_of(Differences((), (), ())) == ("@@ STATE.md @@", " (the same)", "", "@@ files: nothing @@")
