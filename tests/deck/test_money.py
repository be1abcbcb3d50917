"""The ledger of a deck, of real runs: by role and model, what the cache saved, what was merged."""

import pytest

from loopdeck.agents import prices
from loopdeck.core.ledger import added, receipts
from loopdeck.core.usage import Usage
from loopdeck.core.worth import worth
from loopdeck.deck.decks import Deck
from loopdeck.deck.money import Books, Ledger, no_price, statement_of
from tests.cli.loops import fixer, turn, write
from tests.e2e.judges import judged, verdict
from tests.kit.front import Front, opened
from tests.kit.repos import git

MODEL = "claude-sonnet-4-5"
CACHED = {"input": 100, "output": 50, "cache_read": 9000, "cache_write": 500}
JUDGE = "claude-haiku-4-5"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    turns = [turn("Writing.", write("kind.txt", "kind\n")), turn("Done.", usage=CACHED)]
    graded = judged("judged", turns, [turn(verdict(kind=True))], "- **kind**: it is kind.\n", judge={"model": JUDGE})
    script = graded[".loopdeck/loops/judged/judge.toml"].replace(MODEL, JUDGE)
    files = {"README.md": "# A project\n", **fixer(), **graded, ".loopdeck/loops/judged/judge.toml": script}
    with opened(tmp_path_factory.mktemp("money"), files) as front:
        front.ok("start", "fixer", "judged", "--wait")
        front.ok("merge", "fixer")
        yield front


def books(door: Front, price=prices.cost) -> Books:
    return Books(Deck.open(door.repo, door.env), price)


def read(door: Front, price=prices.cost) -> Ledger:
    ledger = books(door, price).read()
    assert ledger.trouble == ()
    return ledger


@pytest.mark.req("S2-112", "S2-035")
def test_the_ledger_is_what_the_runs_say_they_spent(door):
    ledger = read(door)
    for one in ledger.statements:
        shown = door.ok("show", one.run, "--json").json
        assert one.total.cost / 1e12 == pytest.approx(shown["usage"]["cost_usd"], abs=1e-15)
        assert added(each.total for each in receipts(one)) == one.total
        for each, told, given in zip(receipts(one), shown["iterations"], shown["receipts"], strict=True):
            assert each.total.cost / 1e12 == pytest.approx(told["cost_usd"], abs=1e-15)
            assert given["iteration"] == told["number"]
            assert given["maker"]["cost_picodollars"] + given["check"]["cost_picodollars"] == given["total"]["cost_picodollars"]
        assert sum(given["total"]["cost_picodollars"] for given in shown["receipts"]) == one.total.cost
        assert sum(given["total"]["cache_saved_usd"] for given in shown["receipts"]) == pytest.approx(one.total.saved / 1e12)
    judged = ledger.of("judged")[0]
    assert {(line.role, line.model) for line in judged.lines} == {("maker", MODEL), ("check", JUDGE)}
    made = worth("judged", ledger.statements, ledger.merged)
    assert made.check_share == pytest.approx(made.check.cost / made.total.cost)
    assert made.check_share is not None
    assert 0 < made.check_share < 1
    assert (made.done, made.merged, made.per_done) == (1, 0, made.total.cost)


def test_what_the_cache_saved_is_its_tokens_at_the_price_of_fresh_ones(door):
    [judged] = read(door).of("judged")
    usage = Usage(**CACHED)
    fresh = Usage(usage.tokens - usage.output, usage.output)
    as_fresh, as_was = (prices.cost(MODEL, one, "scripted", {}) for one in (fresh, usage))
    assert as_fresh is not None
    assert as_was is not None
    assert judged.total.saved == as_fresh - as_was > 0
    assert judged.total.unsaved == 0
    [fixed] = read(door).of("fixer")
    assert fixed.total.whole_saved == 0


def test_without_a_price_list_nobody_knows_what_the_cache_saved(door):
    [judged] = read(door, no_price).of("judged")
    assert judged.total.whole_saved is None
    assert judged.total.cost > 0


def test_what_was_merged_is_known(door):
    ledger = read(door)
    assert ledger.merged == frozenset({ledger.of("fixer")[0].run})
    assert "Loopdeck-Run" in git(door.repo, "log", "-3", "--format=%B")


def test_a_run_that_goes_on_is_followed_and_one_that_ended_is_read_once(door, monkeypatch):
    paths = Deck.open(door.repo, door.env).home.runs_of("fixer")[0]
    kept = books(door)
    whole = paths.journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    settled = next(number for number, line in enumerate(lines) if b'"model_call_settled"' in line) + 1
    try:
        paths.journal.write_bytes(b"".join(lines[:settled]) + lines[settled][:20])
        [half] = kept.read().of("fixer")
        assert half.reason is None
        assert half.total.calls == 1
        paths.journal.write_bytes(whole)
        [done] = kept.read().of("fixer")
        assert done == statement_of(paths, prices.cost)
        assert (done.reason, done.total.calls) == ("done", 2)
        paths.journal.write_bytes(b"")
        assert kept.read().of("fixer") == (done,)
    finally:
        paths.journal.write_bytes(whole)


def test_a_journal_that_cant_be_read_is_named_and_left_out(door):
    home = Deck.open(door.repo, door.env).home
    paths = home.runs_of("fixer")[0]
    aside = paths.journal.with_name("aside")
    paths.journal.rename(aside)
    try:
        paths.journal.mkdir()
        ledger = books(door).read()
        assert [one.loop for one in ledger.statements] == ["judged"]
        assert [paths.run in one for one in ledger.trouble] == [True]
    finally:
        paths.journal.rmdir()
        aside.rename(paths.journal)


def test_an_empty_deck_has_an_empty_ledger(tmp_path):
    with opened(tmp_path, {"README.md": "x"}) as front:
        assert read(front) == Ledger(merged=frozenset())
