"""A sentence as checks and caps: what is heard, what it comes to, and that nothing is dropped in silence."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core import shapes
from loopdeck.core.intent import Caps, Facts, Wish, understand
from loopdeck.core.intent.understand import MOST
from loopdeck.core.spec import CheckSpec
from tests.core.make import DOLLAR

TESTS, LINT, TYPES, FORMAT, BUILD = "pytest -q", "ruff check .", "mypy src", "ruff format --check .", "make build"
FACTS = Facts(TESTS, LINT, TYPES, FORMAT, BUILD, ("src", "tests", "docs"), ("README.md", "pyproject.toml"))
ALL_LINKS = ("links", "README.md", "docs/**/*.md")


def graded(check: CheckSpec):
    """A check as a table writes it."""
    if check.schema:
        return ("schema", *check.schema.files, check.schema.schema)
    if check.scope:
        return ("scope", *check.scope.paths, *(one for one in (check.scope.max_files, check.scope.max_lines) if one))
    if check.links:
        return ("links", *check.links)
    return "human" if check.human else check.run


SENTENCES = [
    # sentence, checks, caps, protected
    ("all tests pass and lint is clean, stop after two passes", [TESTS, LINT], {"max_iterations": 2}, ()),
    ("All tests pass.", [TESTS], {}, ()),
    ("make sure the tests pass", [TESTS], {}, ()),
    ("every test passes", [TESTS], {}, ()),
    ("the whole test suite is green", [TESTS], {}, ()),
    ("tests green", [TESTS], {}, ()),
    ("no failing tests", [TESTS], {}, ()),
    ("fix the failing tests", [TESTS], {}, ()),
    ("don't stop until all unit tests pass", [TESTS], {}, ()),
    ("no test fails and no lint errors", [TESTS, LINT], {}, ()),
    ("tests pass, linting passes, types check, the code is formatted and it builds", [TESTS, LINT, TYPES, FORMAT, BUILD], {}, ()),
    ("no type errors", [TYPES], {}, ()),
    ("the build succeeds", [BUILD], {}, ()),
    ("the project still compiles", [BUILD], {}, ()),
    ("pytest passes and mypy is clean", [TESTS, TYPES], {}, ()),
    ("cargo test passes and cargo clippy is clean", ["cargo test", "cargo clippy -- -D warnings"], {}, ()),
    ("go vet has no complaints", ["go vet ./..."], {}, ()),
    ("until `npm run e2e` passes", ["npm run e2e"], {}, ()),
    ("graded by `./check.sh --all`", ["./check.sh --all"], {}, ()),
    ("until the links resolve", [ALL_LINKS], {}, ()),
    ("all links in docs and the README work", [("links", "docs/**/*.md", "README.md")], {}, ()),
    ("no broken links in docs/guide.md", [("links", "docs/guide.md")], {}, ()),
    ("fix all dead links in two rounds", [ALL_LINKS], {"max_iterations": 2}, ()),
    ("data/*.json match schemas/data.json", [("schema", "data/*.json", "schemas/data.json")], {}, ()),
    ("docs/guide.md exists", ["test -e docs/guide.md"], {}, ()),
    ("no TODOs left in src", ["git grep -n TODO -- src; test $? -eq 1"], {}, ()),
    ("tests pass and I approve", [TESTS, "human"], {}, ()),
    ("lint is clean, then my approval", [LINT, "human"], {}, ()),
    ("spend at most $2", [], {"max_cost": 2 * DOLLAR}, ()),
    ("tests pass for under 50 cents", [TESTS], {"max_cost": DOLLAR // 2}, ()),
    ("tests pass, budget $5, 3 iterations", [TESTS], {"max_cost": 5 * DOLLAR, "max_iterations": 3}, ()),
    ("a budget of two dollars", [], {"max_cost": 2 * DOLLAR}, ()),
    ("stop after $1.50 is spent", [], {"max_cost": DOLLAR * 3 // 2}, ()),
    ("it costs no more than 3 USD in total", [], {"max_cost": 3 * DOLLAR}, ()),
    ("tests green, $2, 4 rounds", [TESTS], {"max_cost": 2 * DOLLAR, "max_iterations": 4}, ()),
    ("at most 4 iterations", [], {"max_iterations": 4}, ()),
    ("fewer than 4 iterations", [], {"max_iterations": 3}, ()),
    ("try at most 5 times", [], {"max_iterations": 5}, ()),
    ("try it twice", [], {"max_iterations": 2}, ()),
    ("give it five tries", [], {"max_iterations": 5}, ()),
    ("no more than 6 attempts", [], {"max_iterations": 6}, ()),
    ("three rounds at most", [], {"max_iterations": 3}, ()),
    ("max_iterations = 7", [], {"max_iterations": 7}, ()),
    ("at most 9 rounds, at most 4 rounds", [], {"max_iterations": 4}, ()),
    ("stop when nothing changes for 3 rounds", [], {"no_progress": 3}, ()),
    ("give up after 2 rounds without progress", [], {"no_progress": 2}, ()),
    ("stop if it gets stuck", [], {"no_progress": 3}, ()),
    ("if there is no progress for four iterations, stop", [], {"no_progress": 4}, ()),
    ("use at most 500k tokens", [], {"max_tokens": 500_000}, ()),
    ("1.5 million tokens max", [], {"max_tokens": 1_500_000}, ()),
    ("give up after half an hour or 200,000 tokens", [], {"max_wall_s": 1800, "max_tokens": 200_000}, ()),
    ("work for at most 2 hours", [], {"max_wall_s": 7200}, ()),
    ("stop after 90 seconds", [], {"max_wall_s": 90}, ()),
    ("30 minutes max", [], {"max_wall_s": 1800}, ()),
    ("within 1h 30m", [], {"max_wall_s": 5400}, ()),
    ("at most 40 tool calls per iteration", [], {"max_tool_calls": 40}, ()),
    ("only touch src/", [("scope", "src/**")], {}, ()),
    ("change nothing outside src and docs", [("scope", "src/**", "docs/**")], {}, ()),
    ("stay in src, tests pass", [("scope", "src/**"), TESTS], {}, ()),
    ("keep changes to docs/ and README.md", [("scope", "docs/**", "README.md")], {}, ()),
    ("change at most 10 files and no more than 300 lines", [("scope", 10), ("scope", 300)], {}, ()),
    ("don't change tests/", [], {}, ("tests/**",)),
    ("don’t touch the tests, tests pass", [TESTS], {}, ("tests/**",)),
    ("leave the tests alone", [], {}, ("tests/**",)),
    ("never edit `setup.cfg` or pyproject.toml", [], {}, ("setup.cfg", "pyproject.toml")),
    ("keep docs/ unchanged and hands off the README", [], {}, ("docs/**", "README.md")),
    ("tests pass without changing the tests, $1", [TESTS], {"max_cost": DOLLAR}, ("tests/**",)),
]  # fmt: skip


@pytest.mark.req("S1-09", "S2-110")
@pytest.mark.parametrize(("sentence", "checks", "caps", "protect"), SENTENCES, ids=[one[0][:60] for one in SENTENCES])
def test_a_sentence_is_understood(sentence, checks, caps, protect):
    wish = understand(sentence, FACTS)
    assert [graded(check) for check in wish.checks] == checks
    assert wish.caps == Caps(**caps)
    assert wish.protect == protect
    assert wish.missed == ()
    assert wish.heard


@pytest.mark.parametrize(
    ("sentence", "missed"),
    [
        ("improve the documentation", ["improve the documentation"]),
        ("fix the parser so that all tests pass", ["fix the parser"]),
        ("make it nicer, tests pass, and ship it to production", ["make it nicer", "ship it to production"]),
        ("only touch the frobnicator", ["only touch the frobnicator"]),
        ("integration tests pass", ["integration"]),
        ("write a loop over the items", ["write a loop over the items"]),
        ("the client retries 3 times", ["the client retries 3 times"]),
        ("answers come within 2 seconds", ["answers come within 2 seconds"]),
        ("spend at most €5", ["spend at most €5"]),
        ("at most 0 iterations", ["at most 0 iterations"]),
        ("only touch ../other", ["only touch ../other"]),
        ("only touch /etc/passwd", ["only touch /etc/passwd"]),
        ("every day at 25:00", ["every day at 25:00"]),
    ],
)
def test_what_is_not_understood_is_named(sentence, missed):
    wish = understand(sentence, FACTS)
    assert [one.words for one in wish.missed] == missed
    assert all(one.why for one in wish.missed)


def test_what_the_repository_does_not_show_is_asked_for():
    wish = understand("all tests pass and lint is clean", Facts())
    assert wish.checks == ()
    assert [one.words for one in wish.missed] == ["all tests pass", "lint is clean"]
    assert "no test command" in wish.missed[0].why


def test_the_goal_is_the_sentence_without_its_caps():
    for sentence, goal in (
        ("all tests pass and lint is clean, stop after two passes", "All tests pass and lint is clean."),
        ("Keep going until `make e2e` passes, max 30 minutes", "`make e2e` passes."),
        ("spend at most $2, fix the parser, at most 3 rounds", "Fix the parser."),
        ("run every weekday at 7:30, no lint errors", "No lint errors."),
        ("at most 4 iterations", ""),
        ("", ""),
    ):
        assert understand(sentence, FACTS).goal == goal


def test_a_schedule_is_heard():
    assert understand("run every weekday at 7:30, tests pass", FACTS).cron == "30 7 * * 1-5"
    assert understand("nightly: links resolve", FACTS).cron == "0 2 * * *"
    assert understand("every monday at 6pm", FACTS).cron == "0 18 * * 1"
    assert understand("every 30 minutes", FACTS).every_s == 1800
    assert understand("hourly", FACTS).every_s == 3600
    assert shapes.cron(understand("every sunday", FACTS).cron) is None


VOCABULARY = (
    "all tests pass lint is clean and , stop after two passes at most $2 spend 4 iterations only touch src/ don't change docs the "
    "README . `make x` passes links resolve in until every 30 minutes $ % 7:30 500k tokens no progress for rounds ünïcode 'quoted' "
    "fix parser a/b.c except nothing exists there are files lines I approve"
)
WORDS = st.sampled_from(VOCABULARY.split())
TEXTS = st.lists(WORDS, max_size=25).map(" ".join) | st.text(max_size=120)


@given(TEXTS)
def test_no_word_is_dropped_in_silence(sentence):
    wish = understand(sentence, FACTS)
    assert understand(sentence, FACTS) == wish
    told = " ".join([*(words for words, _ in wish.heard), *(one.words for one in wish.missed)])
    for word in ("parser", "ünïcode", "%"):
        if word in sentence.split():
            assert word in told
    for number in re.findall(r"(?<![\w.])\d+(?![\w.])", " ".join(sentence.split())):
        assert number in told


@given(TEXTS)
def test_what_is_understood_can_be_written_into_a_loop_file(sentence):
    wish: Wish = understand(sentence, FACTS)
    assert len({check.name for check in wish.checks}) == len(wish.checks)
    for check in wish.checks:
        assert shapes.label(check.name) is None
        assert shapes.command(check.run) is None
        for glob in (*check.links, *(check.scope.paths if check.scope else ()), *wish.protect):
            assert shapes.path(glob) is None


def test_a_long_sentence_is_read_up_to_a_point_and_that_is_said():
    wish = understand("tests pass, " + "x" * 3 * MOST, FACTS)
    assert [graded(check) for check in wish.checks] == [TESTS]
    assert "characters" in wish.missed[-1].why
