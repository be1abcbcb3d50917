"""Loop files that hold: every key of the product page, the deck's defaults below, self-grading, and the warnings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.loopfile import DeckFile, Reading, read_deck, read_loop
from loopdeck.core.loopfile.available import NO_EFFECT_YET, NOT_YET
from loopdeck.core.spec import (
    TOOL_NAMES,
    CheckSpec,
    Deck,
    Exit,
    Gates,
    LoopSpec,
    Maker,
    Models,
    Price,
    RubricCheck,
    Sandbox,
    SchemaCheck,
    ScopeCheck,
    Trigger,
    Workspace,
)
from loopdeck.core.tables import nearest

SMALLEST = """\
goal = "All tests pass and lint is clean."

[maker]
agent = "anthropic"                # anthropic | openai | claude | codex | acp | command | scripted
model = "claude-sonnet-4-5"

[[check]]
run = "pytest -q"

[[check]]
run = "ruff check ."

[exit]
max_iterations = 4
max_cost_usd = 2.00
"""

EVERYTHING = """\
goal = "All tests pass."
skills = ["house-style", "testing"]
context = "rich"
level = "report"

[trigger]
cron = "0 7 * * 1-5"
timezone = "Europe/Berlin"
every = "30m"
watch = ["docs/**"]
webhook = "github"
on = ["pull_request.opened"]
message = "#docs-plz"
after = "other-loop"
git = "main"
overlap = "queue"
missed = "never"
until = 2026-12-31
jitter = "90s"
enabled = false

[maker]
agent = "openai"
model = "gpt-5"
command = "x"
base_url = "http://127.0.0.1:8080/v1"
script = "play.toml"
tools = ["read_file", "bash"]
system = "SYSTEM.md"
max_turns = 7
max_output_tokens = 1000

[models]
triage = "a"
draft = "llama3:8b"
check = "anthropic:claude-haiku-4-5"
review = "c"
fallback = "d"

[[check]]
name = "tests"
run = "pytest -q"
severity = "blocker"
timeout = "1h30m"
when = "others_pass"

[[check]]
links = ["docs/**/*.md"]

[[check]]
schema = {files = ["data/*.json"], schema = "schema.json"}

[[check]]
scope = {paths = ["src/**"], max_files = 10, max_lines = 400}
severity = "minor"

[[check]]
rubric = "RUBRIC.md"
agent = "openai"
model = "gpt-5"
base_url = "http://localhost/v1"

[[check]]
rubric = "OTHER.md"
agent = "scripted"
script = "judge.toml"
when = "always"

[[check]]
human = true

[workspace]
base = "main~1"
setup = "npm ci"
copy = [".env"]
link = ["node_modules"]
sparse = ["src"]
protect = ["tests/**"]

[exit]
max_iterations = 9
max_cost_usd = 0.1
max_tokens = 500_000
max_wall = "2h"
max_tool_calls = 40
no_progress = false
severity_floor = "blocker"
final_pass = true

[gates]
allow = ["bash(pytest *)", "edit_file(src/**)"]
ask = ["web.fetch"]
deny = ["bash(git push)"]

[sandbox]
read = ["/opt/data", "~/.cache/pip"]
write = ["build"]
network = false
setup_network = true
env = ["CI"]
"""


def read(text, deck="", name="fix", **more) -> Reading:
    return read_loop(name, text, "loop.toml", read_deck(deck, "deck.toml")[0], **more)


def spec_of(text, deck="", **more) -> LoopSpec:
    reading = read(text, deck, **more)
    assert reading.spec is not None, reading.problems
    return reading.spec


@pytest.mark.req("S2-012")
def test_the_smallest_one_is_read_without_a_word_of_warning():
    reading = read(SMALLEST)
    assert reading.problems == ()
    assert reading.spec == LoopSpec(
        name="fix",
        goal="All tests pass and lint is clean.",
        maker=Maker(agent="anthropic", model="claude-sonnet-4-5", tools=TOOL_NAMES),
        checks=(CheckSpec("pytest -q", run="pytest -q"), CheckSpec("ruff check .", run="ruff check .")),
        exit=Exit(4, max_cost=2 * 10**12),
    )


def test_every_key_is_read_and_typed():
    spec = spec_of(EVERYTHING, prompt="At length.")
    assert (spec.prompt, spec.skills, spec.context, spec.level) == (
        "At length.",
        ("house-style", "testing"),
        "rich",
        "report",
    )
    assert spec.trigger == Trigger(
        cron="0 7 * * 1-5",
        timezone="Europe/Berlin",
        every_s=1800,
        watch=("docs/**",),
        webhook="github",
        on=("pull_request.opened",),
        message="#docs-plz",
        after="other-loop",
        git="main",
        overlap="queue",
        missed="never",
        until="2026-12-31",
        jitter_s=90,
        enabled=False,
    )
    assert spec.maker == Maker(
        "openai",
        "gpt-5",
        "x",
        "http://127.0.0.1:8080/v1",
        "play.toml",
        ("read_file", "bash"),
        "SYSTEM.md",
        7,
        1000,
    )
    assert spec.models == Models("a", "llama3:8b", "anthropic:claude-haiku-4-5", "c", "d")
    assert spec.checks == (
        CheckSpec("tests", "blocker", 5400, "others_pass", run="pytest -q"),
        CheckSpec("links", links=("docs/**/*.md",)),
        CheckSpec("schema", schema=SchemaCheck(("data/*.json",), "schema.json")),
        CheckSpec("scope", "minor", scope=ScopeCheck(("src/**",), 10, 400)),
        CheckSpec(
            "rubric",
            when="others_pass",
            rubric=RubricCheck("RUBRIC.md", "openai", "gpt-5", "http://localhost/v1"),
        ),
        CheckSpec("rubric (2)", rubric=RubricCheck("OTHER.md", "scripted", script="judge.toml")),
        CheckSpec("human", when="others_pass", human=True),
    )
    assert spec.workspace == Workspace("main~1", "npm ci", (".env",), ("node_modules",), ("src",), ("tests/**",))
    assert spec.exit == Exit(9, 10**11, 500_000, 7200, 40, 0, "blocker", True)
    assert spec.gates == Gates(("bash(pytest *)", "edit_file(src/**)"), ("web.fetch",), ("bash(git push)",))
    assert spec.sandbox == Sandbox(("/opt/data", "~/.cache/pip"), ("build",), False, True, ("CI",))


def test_what_has_no_effect_yet_is_said_once_each():
    assert [problem.what for problem in read(EVERYTHING).problems] == ["`trigger`: this version starts loops only by hand"]


@pytest.mark.req("S0-16")
def test_one_loop_file_says_floor_final_pass_cap_and_a_rule():
    spec = spec_of(SMALLEST.replace("max_iterations = 4", 'max_iterations = 2\nseverity_floor = "major"\nfinal_pass = true'))
    assert (spec.exit.max_iterations, spec.exit.severity_floor, spec.exit.final_pass) == (2, "major", True)
    assert [check.run for check in spec.checks] == ["pytest -q", "ruff check ."]


DECK = """\
[maker]
agent = "openai"
model = "gpt-5"
max_turns = 9
[exit]
max_cost_usd = 1.5
max_iterations = 3
[gates]
allow = ["bash(pytest)"]
deny = ["bash(git push)"]
[workspace]
protect = ["tests/**"]
[deck]
max_runs = 8
max_cost_usd_per_day = 50.0
max_unread_lines = 100
[prices."my-local-model"]
input = 0.0
output = 0.5
cache_read = 0.1
[notify]
bell = false
"""


def test_a_deck_has_settings_and_prices():
    deck, problems = read_deck(DECK, "deck.toml")
    assert not problems
    assert deck.deck == Deck(8, 50 * 10**12, 100, bell=False, desktop=True)
    assert deck.prices == {"my-local-model": Price(0, 0.5, 0.1, 0)}


def test_a_loops_own_key_wins_over_the_decks_and_gates_add_up():
    spec = spec_of(
        'goal = "x"\n[maker]\nmax_turns = 2\n[[check]]\nrun = "a"\n[exit]\nmax_iterations = 7\n'
        '[gates]\nallow = ["bash(make)", "bash(pytest)"]\n',
        DECK,
    )
    assert spec.maker == Maker("openai", "gpt-5", max_turns=2)
    assert spec.exit == Exit(7, max_cost=15 * 10**11)
    assert spec.gates == Gates(allow=("bash(pytest)", "bash(make)"), deny=("bash(git push)",))
    assert spec.workspace == Workspace(protect=("tests/**",))
    assert spec.prices == {"my-local-model": Price(0, 0.5, 0.1, 0)}


def test_a_loop_may_have_maker_and_exit_from_the_deck_alone():
    assert spec_of('goal = "x"\n[[check]]\nrun = "a"\n', DECK).exit.max_iterations == 3


def test_what_the_deck_gets_wrong_is_told_with_the_decks_line():
    reading = read(SMALLEST, "[maker]\nmax_turns = 0\n[gates]\nask = ['bsh']\n")
    assert [(one.file, one.line) for one in reading.errors] == [("deck.toml", 2), ("deck.toml", 4)]


def test_names_of_checks_are_the_commands_and_never_twice():
    checks = "".join(f"[[check]]\nrun = '''{run}'''\n" for run in ("a  b\n c", "a b c", "x" * 99, "a b c"))
    text = f'goal = "g"\n[maker]\nagent = "openai"\nmodel = "m"\n{checks}[[check]]\nname = "a b c (2)"\nrun = "z"\n'
    spec = spec_of(text + "[exit]\nmax_iterations = 1\nmax_tokens = 9\n")
    assert [check.name for check in spec.checks] == [
        "a b c",
        "a b c (3)",
        "x" * 59 + "…",
        "a b c (4)",
        "a b c (2)",
    ]


RUBRIC = """\
goal = "All claims have a source."
[maker]
agent = "scripted"
script = "maker.toml"
[[check]]
rubric = "RUBRIC.md"
{}
[[check]]
run = "make"
[exit]
max_iterations = 1
max_tokens = 10
{}
"""


@pytest.mark.req("S0-10")
@pytest.mark.req("S0-06")
@pytest.mark.parametrize(
    ("check", "more", "line"),
    [
        ('agent = "maker"', "", 7),
        ('agent = "self"', "", 7),
        ('model = "maker"', "", 7),
        ('session = "maker"', "", 7),
        ('session = "Same"', "", 7),
        ('agent = "scripted"\nscript = "maker.toml"', "", 8),
        ('agent = "scripted"\nscript = "./maker.toml"', "", 8),
        ('script = "maker.toml"', "", 7),
        ("", "", 6),
        ('agent = "scripted"', "", 6),
        ("", '[models]\ncheck = "scripted:m"', 6),
        ("", '[models]\ncheck = "maker"', 6),
    ],
)
def test_a_maker_that_grades_itself_is_refused_by_name_unless_let_through(check, more, line):
    text = RUBRIC.format(check, more)
    reading = read(text)
    assert reading.spec is None
    assert [(one.line, one.what[:14]) for one in reading.errors] == [(line, "self-grading: ")]
    assert reading.errors[0].remedy
    let = read(text, allow_self_grading=True)
    assert let.spec is not None
    assert [(one.line, one.what[:14]) for one in let.warnings] == [(line, "self-grading: ")]


@pytest.mark.parametrize(
    ("check", "more"),
    [
        ('agent = "scripted"\nscript = "judge.toml"', ""),
        ('script = "judge.toml"', ""),
        ('agent = "anthropic"\nmodel = "m"', ""),
        ("", '[models]\ncheck = "openai:m"'),
    ],
)
def test_a_judge_of_its_own_is_taken(check, more):
    assert read(RUBRIC.format(check, more)).problems == ()


def test_a_judge_of_the_makers_model_in_a_session_of_its_own_is_taken():
    text = RUBRIC.replace('agent = "scripted"\nscript = "maker.toml"', 'agent = "openai"\nmodel = "m"')
    assert read(text.format("", "")).problems == ()


def test_a_scripted_judge_of_another_maker_needs_a_script():
    text = RUBRIC.replace('agent = "scripted"\nscript = "maker.toml"', 'agent = "openai"\nmodel = "m"')
    reading = read(text.format('agent = "scripted"', ""))
    assert [one.what for one in reading.errors] == ["a scripted rubric has no script"]


@pytest.mark.req("S2-085")
def test_a_schedule_needs_a_cost_cap_and_tokens_are_none():
    scheduled = SMALLEST + '[trigger]\ncron = "0 7 * * mon-fri"\n'
    assert read(scheduled).spec is not None
    reading = read(scheduled.replace("max_cost_usd = 2.00", "max_tokens = 100"))
    assert reading.spec is None
    assert [(one.line, one.remedy) for one in reading.errors] == [(16, "Write `max_cost_usd = 2.00` in `[exit]`.")]
    assert read(scheduled.replace("max_cost_usd = 2.00", "max_tokens = 100"), "[exit]\nmax_cost_usd = 1\n").spec


@pytest.mark.req("S3-12")
@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("[exit]\nmax_iterations = 4\nmax_cost_usd = 2.00\n", "", "no [exit]"),
        ('[[check]]\nrun = "pytest -q"\n\n[[check]]\nrun = "ruff check ."\n', "", "no [[check]]"),
        # Feedback is what the checks say: if none of them counts, nobody tells the maker to go on.
        ("[[check]]", '[[check]]\nseverity = "minor"', "none counts"),
    ],
)
def test_stopping_verification_and_feedback_are_all_three_needed(old, new, what):
    reading = read(SMALLEST.replace(old, new))
    assert reading.spec is None
    assert [what in one.what for one in reading.errors] == [True]


@pytest.mark.req("S2-018")
@pytest.mark.parametrize(
    ("goal", "check", "more", "words"),
    [
        ("Improve the docs.", "human = true", "", ["'Improve'"]),
        ("Clean up etc.", "human = true", "", ["'Clean up'"]),
        ("Make the code better.", 'run = "true"', "", ["can't fail", "'better'"]),
        ("Improve the docs.", 'run = "make docs"', "", []),
        ("No broken link.", 'links = ["docs/**"]', "", []),
        ("All claims hold.", 'rubric = "R.md"', "", ["opinion"]),
        ("All claims hold.", 'rubric = "R.md"\n[[check]]\nhuman = true', "", []),
        ("All claims hold.", 'scope = {paths = ["a"]}', "", ["no check can tell"]),
        ("Tests pass.", 'run = "a"', '[trigger]\nevery = "1h"', ["by hand", "no bounds"]),
        ("Tests pass.", 'run = "a"', '[trigger]\nevery = "1h"\n[workspace]\nprotect = ["tests"]', ["by hand"]),
        ("Tests pass.", 'run = "a"', '[gates]\nallow = ["bash"]', ["every shell command"]),
        ("Tests pass.", 'run = "a"', '[gates]\nallow = ["bash(make)"]', []),
        ("A goodness test passes.", "human = true", "", []),
    ],
)
def test_sloppiness_is_warned_about_and_never_refused(goal, check, more, words):
    text = (
        f'goal = "{goal}"\n[maker]\nagent = "openai"\nmodel = "m"\n[[check]]\n{check}\n'
        f"[exit]\nmax_iterations = 1\nmax_cost_usd = 1\n{more}\n"
    )
    reading = read(text)
    assert reading.errors == ()
    assert reading.spec is not None
    assert len(reading.warnings) == len(words), reading.warnings
    for word in words:
        assert any(word in one.what and one.remedy and one.line > 0 for one in reading.warnings), word


def test_what_is_not_there_yet_is_one_table_with_a_way_out():
    assert all(remedy.endswith(".") for remedy in NOT_YET.values())
    assert set(NO_EFFECT_YET) == {"trigger"}


def test_the_nearest_word_is_near():
    assert nearest("max_iteration", ["max_iterations", "max_wall"]) == "Did you mean `max_iterations`?"
    assert nearest("zzz", ["max_iterations"]) == ""
    assert nearest(3, ["max_iterations"]) == ""


_fragments = st.sampled_from(
    [*EVERYTHING.splitlines(), *DECK.splitlines(), "[[check]]", "= 3", '"""', "x.y.z = [{a = 1}]", "[trigger.cron]"]
)


@given(st.text(), st.text(), st.text())
def test_any_text_gives_a_spec_or_problems(name, text, deck):
    reading = read_loop(name, text, "loop.toml", read_deck(deck, "deck.toml")[0])
    assert reading.spec is None
    assert reading.errors


@given(st.lists(_fragments, max_size=12), st.lists(_fragments, max_size=6))
def test_any_lines_of_loop_files_give_a_spec_or_problems_that_can_be_shown(lines, deck_lines):
    text = "\n".join(lines)
    reading = read_loop("fix", text, "loop.toml", read_deck("\n".join(deck_lines), "deck.toml")[0])
    assert (reading.spec is None) == bool(reading.errors)
    for problem in reading.problems:
        assert 1 <= problem.line <= max(len(lines), len(deck_lines), 1)
        assert problem.remedy


_scalars = st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
_trees = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["run", "name", "x"]), inner),
    max_leaves=6,
)


@given(
    st.sampled_from(["maker", "models", "check", "exit", "gates", "workspace", "sandbox", "trigger", "experiment"]),
    st.data(),
)
def test_any_value_for_any_key_is_typed_or_told(table, data):
    import tomli_w

    keys = sorted({line.partition(" =")[0] for line in EVERYTHING.splitlines() if " = " in line})
    values = data.draw(st.dictionaries(st.sampled_from(keys), _trees, max_size=4))
    document = {table: data.draw(st.sampled_from([values, [values]]))}
    reading = read_loop("fix", tomli_w.dumps(document), "loop.toml", DeckFile())
    assert reading.spec is None
    assert reading.errors


def test_a_deck_bounds_its_runs_by_agent_and_memory_and_says_when_its_supervisor_leaves():
    text = '[deck]\nmax_runs_per_agent = {claude = 2, openai = 3}\nmin_free_memory_mb = 1\nsupervisor_idle = "1m30s"\n'
    deck, problems = read_deck(text, "deck.toml")
    assert problems == ()
    assert deck.deck == Deck(max_runs_per_agent={"claude": 2, "openai": 3}, min_free_memory=1 << 20, supervisor_idle_s=90.0)
    wrong, problems = read_deck('[deck]\nmax_runs_per_agent = {cloud = 2, claude = 0}\nsupervisor_idle = "soon"\n', "deck.toml")
    assert [problem.line for problem in problems] == [2, 2, 3]
    assert "claude" in problems[-2].remedy + problems[-3].remedy
    assert wrong.deck == Deck()
