"""Histories of real runs, read from their journals; what two of their iterations left behind; the harness they ran in."""

import shutil
from collections.abc import Iterator

import pytest

from loopdeck.deck.compare import compare
from loopdeck.deck.decks import Deck
from loopdeck.deck.differences import differences, state_text
from loopdeck.deck.harness import Inventory, inventory
from loopdeck.deck.history import HistoryReader
from loopdeck.deck.why import why
from loopdeck.errors import StoreError
from loopdeck.store.folded import load_run
from loopdeck.store.layout import RunPaths
from tests.kit.front import Front
from tests.kit.past import past_deck


@pytest.fixture(scope="module")
def past(tmp_path_factory) -> Iterator[Front]:
    with past_deck(tmp_path_factory.mktemp("past")) as front:
        yield front


@pytest.fixture(scope="module")
def deck(past) -> Deck:
    return Deck.open(past.repo, past.env)


def newest(deck: Deck, loop: str) -> RunPaths:
    return deck.home.runs_of(loop)[-1]


def copied(paths: RunPaths, base) -> RunPaths:
    """The run's files, to be damaged."""
    return RunPaths(shutil.copytree(paths.dir, base / paths.loop / paths.run))


def test_the_history_of_a_run_is_its_fold_and_more(deck):
    paths = newest(deck, "climber")
    history = HistoryReader(paths).look()
    assert history.run == load_run(paths).run
    assert [[one.outcome for one in each.verdicts] for each in history.passes] == [
        ["passed", "failed", "failed"],
        ["passed", "passed", "failed"],
        ["passed", "passed", "passed"],
    ]
    assert [each.first_failing for each in history.passes] == ["two", "tidy", ""]
    assert [[(one.check, one.location) for one in each.findings] for each in history.passes] == [
        [("two", "answer.txt:1"), ("tidy", "answer.txt:1")],
        [("tidy", "answer.txt:1")],
        [],
    ]
    assert (history.last, history.damage) == ("run_ended", "")


def test_nothing_new_is_the_same_value(deck):
    reader = HistoryReader(newest(deck, "climber"))
    assert reader.look() is reader.look()


def test_a_journal_that_grows_is_read_on(deck, tmp_path):
    paths = copied(newest(deck, "climber"), tmp_path)
    lines = paths.journal.read_bytes().splitlines(keepends=True)
    reader = HistoryReader(paths)
    numbers = []
    for end in (0, 5, len(lines) // 2, len(lines)):
        # The last line is still being written: it is not there yet.
        paths.journal.write_bytes(b"".join(lines[:end]) + (lines[end][:20] if end < len(lines) else b""))
        numbers.append(len(reader.look().passes))
    assert numbers == sorted(numbers)
    assert reader.look().run == HistoryReader(newest(deck, "climber")).look().run
    assert reader.look().damage == ""


def test_a_damaged_journal_is_read_as_far_as_it_goes(deck, tmp_path):
    paths = copied(newest(deck, "climber"), tmp_path)
    lines = paths.journal.read_bytes().splitlines(keepends=True)
    paths.journal.write_bytes(b"".join([*lines[:12], b"{}\n", *lines[13:]]))
    history = HistoryReader(paths).look()
    assert history.damage.startswith("journal.jsonl:13")
    assert history.run.iteration == 1


def test_a_run_without_a_journal_has_an_empty_history(tmp_path):
    assert HistoryReader(RunPaths(tmp_path / "none" / "20261121-0715-a3f9")).look().passes == ()


def test_what_two_iterations_left_behind(deck):
    paths = newest(deck, "climber")
    history = HistoryReader(paths).look()
    first, second = history.at(1), history.at(2)
    assert first is not None
    assert second is not None
    seen = compare(first, second)
    assert ([one.check for one in seen.fixed], [one.check for one in seen.still], seen.new) == (["two"], ["tidy"], ())
    found = differences(deck, paths, history, 1, 2)
    assert [(one.path, one.added, one.removed) for one in found.changes] == [("answer.txt", 1, 1)]
    assert {"-one TODO", "+one two TODO"} <= set(found.patch)
    assert {"-written in iteration 1", "+written in iteration 2"} <= set(found.state)
    assert found.missing == ()


def test_against_the_beginning(deck):
    paths = newest(deck, "climber")
    history = HistoryReader(paths).look()
    found = differences(deck, paths, history, 0, 1)
    assert "+one TODO" in found.patch
    assert "+written in iteration 1" in found.state
    assert found.missing == ()


def test_what_is_not_there_yet_is_said(deck):
    paths = newest(deck, "asker")
    history = HistoryReader(paths).look()
    found = differences(deck, paths, history, 0, 1)
    assert (found.patch, found.state) == ((), ())
    assert [one for one in found.missing if "not written yet" in one]
    assert [one for one in found.missing if "no commit yet" in one]


def test_what_was_cleaned_up_is_said(deck, tmp_path):
    paths = newest(deck, "climber")
    history = HistoryReader(paths).look()
    assert state_text(deck, paths, "0" * 64) is None
    history.passes[0].iteration.commit = "0" * 40
    found = differences(deck, paths, history, 1, 2)
    assert [one for one in found.missing if "git can't compare 000000000000" in one]
    assert found.state


def test_why_of_a_real_run(deck):
    for loop, words in (("stuck", "same_findings: 2 iterations in a row, 2 end a run"), ("asker", "approve bash: echo hello")):
        paths = newest(deck, loop)
        said = why(deck.view(paths), HistoryReader(paths).look(), "2026-11-21T07:15:00Z")
        assert words in said[0].lines[0].text


# The harness


def by_kind(found: Inventory) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(one.kind, one.name): one.loops for one in found.components}


@pytest.mark.req("S0-27")
def test_every_part_of_the_harness_is_a_file_with_a_version_and_its_loops(deck):
    found = inventory(deck)
    kinds = by_kind(found)
    assert kinds["template", "maker.md"] == ("asker", "climber", "fresh", "stuck")
    assert kinds["skill", "tidying"] == kinds["prompt", "PROMPT.md"] == kinds["rubric", "judge"] == ("fresh",)
    assert kinds["loop file", "climber"] == ("climber",)
    assert ("check", "tidy") in kinds
    assert all(len(one.version) == 12 and one.size and one.path for one in found.components)
    paths = {one.path for one in found.components if one.kind in ("skill", "rubric", "loop file", "prompt")}
    assert all((deck.root / path).is_file() for path in paths)
    assert {one.loop: one.now == one.run_hash for one in found.loops} == {"asker": True, "climber": True, "fresh": False, "stuck": True}
    assert not any(one.changed or one.trouble for one in found.components)


@pytest.mark.req("S0-15")
def test_what_was_edited_since_the_newest_run_is_marked(deck):
    file = deck.root / ".loopdeck/loops/climber/loop.toml"
    before = file.read_text()
    try:
        file.write_text(before.replace("! grep -q TODO", "! grep -iq TODO"))
        found = inventory(deck)
        assert [(one.kind, one.name) for one in found.components if one.changed] == [("loop file", "climber"), ("check", "tidy")]
        assert [one.loop for one in found.loops if one.run and one.now != one.run_hash] == ["climber"]
        file.write_text("goal = ")
        broken = next(one for one in inventory(deck).components if one.kind == "loop file" and one.name == "climber")
        assert broken.trouble
    finally:
        file.write_text(before)


def test_a_part_that_is_gone_is_named(deck):
    file = deck.root / ".loopdeck/skills/tidying/SKILL.md"
    before = file.read_text()
    file.unlink()
    try:
        found = inventory(deck)
        assert any(one.trouble for one in found.components if "fresh" in one.loops)
    finally:
        file.write_text(before)


def test_a_store_that_refuses_is_not_hidden(deck, tmp_path):
    paths = copied(newest(deck, "stuck"), tmp_path)
    paths.journal.unlink()
    paths.journal.mkdir()
    with pytest.raises(StoreError):
        HistoryReader(paths).look()
