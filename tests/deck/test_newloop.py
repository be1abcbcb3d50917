"""The draft of a new loop: what a sentence fills in and what it leaves alone, what is wrong with it, and the file it becomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck import unpriced
from loopdeck.agents import prices
from loopdeck.core.intent import Facts
from loopdeck.core.spec import Trigger
from loopdeck.deck.decks import Deck
from loopdeck.deck.launch import Refused
from loopdeck.deck.newloop import Draft, Ground, answers, edited, ground, heard, judged, schedule, toggled, with_command, write
from loopdeck.store import specs
from tests.core.test_intent import TEXTS
from tests.kit.repos import make_repo

SENTENCE = "all tests pass and lint is clean, stop after two passes"
ON = Ground(Draft(), Facts("pytest -q", "ruff check .", folders=("src", "tests")), ("tests-pass",))


def a_deck(folder, **files: str) -> Deck:
    made = {"pyproject.toml": "[tool.pytest.ini_options]\n[tool.ruff]\n", "tests/test_a.py": "def test(): pass\n"}
    named = {name.replace("__", "/"): text for name, text in files.items()}
    return Deck.open(make_repo(folder / "repo", made | named), {"LOOPDECK_HOME": str(folder / "home")})


@pytest.mark.req("S1-09", "S2-110")
def test_a_sentence_fills_the_form():
    draft, wish = heard(Draft(), SENTENCE, ON)
    assert (draft.goal, draft.name, draft.iterations) == ("All tests pass and lint is clean.", "tests-pass-lint", "2")
    assert [one.run for one in draft.checks] == ["pytest -q", "ruff check ."]
    assert wish.missed == ()
    draft, _ = heard(draft, "tests pass, don't touch src, $1, every 30 minutes, 1 hour max, 9 tool calls", ON)
    filled = (draft.protect, draft.cost, draft.schedule, draft.wall, draft.calls)
    assert filled == ("src/**", "1.00", "every 30m", "1h", "9")
    assert (draft.iterations, draft.name) == ("4", "tests-pass-touch")


def test_a_sentence_leaves_alone_what_a_hand_has_set():
    draft, _ = heard(Draft(), SENTENCE, ON)
    draft = edited(edited(draft, "iterations", "9"), "name", "mine")
    draft = with_command(toggled(draft, "lint"), "make  docs")
    draft, _ = heard(draft, SENTENCE + ", spend at most $5", ON)
    assert (draft.iterations, draft.name, draft.cost) == ("9", "mine", "5.00")
    assert [one.run for one in draft.checks] == ["pytest -q", "make docs"]
    assert [one.run for one in toggled(draft, "lint").checks] == ["pytest -q", "ruff check .", "make docs"]
    assert with_command(draft, "pytest -q") == draft


def test_another_agent_brings_its_model_unless_one_was_set():
    assert edited(Draft(), "agent", "openai").model == "gpt-5"
    assert edited(edited(Draft(), "model", "mine"), "agent", "openai").model == "mine"


@pytest.mark.parametrize(
    ("text", "trigger"),
    [
        ("", Trigger()), ("0 7 * * 1-5", Trigger(cron="0 7 * * 1-5")), ("every 30m", Trigger(every_s=1800)),
        ("2h", Trigger(every_s=7200)),
        ("every weekday at 7:30", Trigger(cron="30 7 * * 1-5")), ("hourly", Trigger(every_s=3600)), ("now and then", None),
        ("99 * * * *", None),
    ],
)  # fmt: skip
def test_a_schedule_is_read_as_it_may_be_typed(text, trigger):
    assert schedule(text) == trigger


@pytest.mark.parametrize(
    ("field", "value", "step"),
    [
        ("iterations", "many", 1), ("stuck", "-1", 1), ("wall", "soon", 1), ("calls", "1.5", 1), ("schedule", "sometimes", 3),
        ("cost", "2 euros", 4), ("tokens", "lots", 4),
    ],
)  # fmt: skip
def test_what_cant_be_read_is_named_with_its_step(field, value, step):
    _, wrong = answers(edited(heard(Draft(), SENTENCE, ON)[0], field, value))
    assert [(one.step, one.field) for one in wrong] == [(step, field)]


def test_numbers_are_read_as_people_write_them():
    draft = edited(edited(edited(Draft(), "tokens", "1.5M"), "cost", "$1,200.50"), "stuck", "0")
    made, wrong = answers(draft)
    assert wrong == ()
    assert (made.exit.max_tokens, made.exit.max_cost, made.exit.no_progress) == (1_500_000, 1_200_500_000_000_000, 0)
    assert answers(edited(draft, "tokens", "500k"))[0].exit.max_tokens == 500_000


@given(TEXTS, TEXTS, TEXTS)
def test_nothing_typed_is_too_odd_to_be_answered(sentence, goal, number):
    draft, _ = heard(Draft(), sentence, ON)
    for field in ("iterations", "stuck", "wall", "calls", "cost", "tokens", "schedule", "protect", "name"):
        draft = edited(draft, field, number)
    made, wrong = answers(edited(draft, "goal", goal))
    assert made.sentence == sentence
    assert all(0 <= one.step < 5 for one in wrong)


@pytest.mark.req("S1-09", "S2-110", "S2-008")
def test_what_the_form_writes_passes_the_linter_and_is_estimated(tmp_path):
    deck = a_deck(tmp_path)
    on = ground(deck)
    draft, _ = heard(on.base, SENTENCE, on)
    seen = judged(deck, draft, prices.ordinary, unpriced.problems)
    assert seen.ready
    assert seen.estimate is not None
    assert seen.estimate.fit is not None
    assert deck.loops() == ()
    made = write(deck, draft)
    assert made.reading.errors == ()
    assert made.reading.spec is not None
    text = (deck.root / made.files[0]).read_text(encoding="utf-8")
    assert text == seen.text
    assert text.startswith(f"# Made from: {SENTENCE}\n")
    assert specs.load_loop(deck.root, "tests-pass-lint").spec == made.reading.spec
    with pytest.raises(Refused, match="already"):
        write(deck, draft)


def test_a_rehearsal_brings_its_script(tmp_path):
    deck = a_deck(tmp_path)
    on = ground(deck)
    draft = edited(heard(on.base, SENTENCE, on)[0], "agent", "scripted")
    seen = judged(deck, draft, prices.ordinary, unpriced.problems)
    assert seen.ready
    assert seen.estimate is not None
    assert seen.estimate.cost is not None
    assert seen.estimate.cost[0] > 0
    assert [name.rpartition("/")[2] for name in write(deck, draft).files] == ["loop.toml", "play.toml"]


def test_without_a_definition_of_done_nothing_is_written(tmp_path):
    deck = a_deck(tmp_path)
    on = ground(deck)
    draft, _ = heard(on.base, "make it nicer", on)
    seen = judged(deck, draft, prices.ordinary, unpriced.problems)
    assert not seen.ready
    assert seen.estimate is None
    assert any("nothing grades the work" in one.what for one in seen.problems)
    with pytest.raises(Refused):
        write(deck, draft)
    with pytest.raises(Refused):
        write(deck, edited(heard(on.base, SENTENCE, on)[0], "iterations", "many"))
    assert deck.loops() == ()


def test_a_model_without_a_price_needs_a_cap_on_tokens(tmp_path):
    deck = a_deck(tmp_path)
    on = ground(deck)
    draft = edited(heard(on.base, SENTENCE, on)[0], "model", "never-heard-of-it")
    assert not judged(deck, draft, prices.ordinary, unpriced.problems).ready
    assert judged(deck, edited(draft, "tokens", "500k"), prices.ordinary, unpriced.problems).ready


def test_the_decks_own_defaults_are_where_the_form_begins(tmp_path):
    text = '[maker]\nagent = "openai"\nmodel = "gpt-5-mini"\n[exit]\nmax_cost_usd = 7.5\nmax_wall = "1h"\n'
    base = ground(a_deck(tmp_path, **{".loopdeck/deck.toml": text})).base
    assert (base.agent, base.model, base.cost, base.wall, base.iterations) == ("openai", "gpt-5-mini", "7.5", "1h", "4")


TYPED = st.sampled_from(["iterations", "cost", "name", "goal", "protect", "schedule"])


@given(st.lists(st.tuples(TYPED, st.text(max_size=8))), st.lists(TEXTS, min_size=1, max_size=4))
def test_what_was_typed_is_never_lost(typed, sentences):
    draft = Draft()
    last: dict[str, str] = {}
    for field, value in typed:
        draft = edited(draft, field, value)
        last[field] = value
    for sentence in sentences:
        draft, _ = heard(draft, sentence, ON)
    assert draft.sentence == sentences[-1]
    assert {field: getattr(draft, field) for field in last} == last
