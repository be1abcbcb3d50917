"""Malformed loop files: each mistake is named with its file, its exact line, what is wrong and how to mend it.

Every case also says how many problems there are, so that one mistake never rains others.
"""

import pytest

from loopdeck.core.loopfile import DeckFile, read_deck, read_loop

CONNECTOR = "[[maker.connector]]"

GOOD = """\
goal = "All tests pass."
[maker]
agent = "anthropic"
model = "m"
[[check]]
run = "pytest -q"
[exit]
max_iterations = 4
max_cost_usd = 2.0
"""
TOP, MAKER, CHECK, EXIT = 1, 4, 6, 9

EVERYWHERE = """\
goal = 1
[maker]
agent = 2
[[check]]
run = 3
[exit]
max_iterations = "4"
max_tokens = 0
"""


def put(after, *lines):
    """GOOD with `lines` put in after line `after`."""
    rows = GOOD.splitlines()
    return "\n".join([*rows[:after], *lines, *rows[after:]]) + "\n"


def swap(line, *lines):
    """GOOD with line `line` replaced."""
    rows = GOOD.splitlines()
    return "\n".join([*rows[: line - 1], *lines, *rows[line:]]) + "\n"


CASES = [
    # What every loop must have.
    ("nothing at all", "", [(1, "no goal"), (1, "no [maker]"), (1, "no [[check]]"), (1, "no [exit]")]),
    ("no goal", swap(1, ""), [(1, "no goal")]),
    ("an empty goal", swap(1, 'goal = "  "'), [(1, "is empty")]),
    ("no maker", GOOD.replace('[maker]\nagent = "anthropic"\nmodel = "m"\n', ""), [(1, "no [maker]")]),
    ("no check", GOOD.replace('[[check]]\nrun = "pytest -q"\n', ""), [(1, "no [[check]]")]),
    ("an empty list of checks", "check = []\n" + GOOD.replace('[[check]]\nrun = "pytest -q"\n', ""), [(1, "no [[check]]")]),
    ("no exit", "\n".join(GOOD.splitlines()[:6]), [(1, "no [exit]")]),
    ("an exit that says nothing", "\n".join(GOOD.splitlines()[:7]), [(7, "no max_iterations"), (7, "neither max_cost_usd")]),
    ("no max_iterations", swap(8), [(7, "no max_iterations")]),
    ("no cap on cost or tokens", swap(9), [(7, "neither max_cost_usd nor max_tokens")]),
    ("a maker without an agent", swap(3), [(2, "names no agent")]),
    ("a maker without a model", swap(4), [(2, "no model")]),
    ("a scripted maker without a script", swap(3, 'agent = "scripted"'), [(2, "no script")]),
    # Not TOML.
    ("text without quotes", swap(4, "model = claude"), [(4, "not valid TOML")]),
    ("an open string", swap(1, 'goal = "All tests'), [(1, "not valid TOML")]),
    ("an open list", put(MAKER, "tools = ['bash',"), [(6, "not valid TOML")]),
    ("an open table", put(EXIT, "[gates"), [(10, "not valid TOML")]),
    ("an unfinished end", GOOD + "x =", [(10, "not valid TOML")]),
    ("a key twice", put(EXIT, "max_iterations = 5"), [(10, "not valid TOML")]),
    ("a table twice", put(EXIT, "[maker]"), [(10, "not valid TOML")]),
    ("a control character", swap(1, 'goal = "a\x07b"'), [(1, "not valid TOML")]),
    ("JSON", '{\n"goal": "x"\n}', [(1, "not valid TOML")]),
    ("YAML", "goal: x\n", [(1, "not valid TOML")]),
    ("lists without end", "x = " + "[" * 9000, [(1, "nested too deeply")]),
    ("a number without end", put(EXIT, "max_tokens = " + "9" * 6000), [(10, "too many digits")]),
    ("a date that isn't", put(EXIT, "[trigger]", "until = 2026-13-41"), [(11, "not valid TOML")]),
    # Unknown and misplaced keys.
    ("a misspelled table", swap(7, "[exitt]"), [(1, "no [exit]"), (7, "unknown key 'exitt'")]),
    ("a misspelled key", swap(8, "max_iteration = 4"), [(7, "no max_iterations"), (8, "unknown key 'max_iteration'")]),
    ("a misspelled key of a check", put(CHECK, 'severty = "minor"'), [(7, "unknown key 'severty'")]),
    ("a misspelled kind of check", swap(6, 'rn = "pytest"'), [(5, "checks nothing"), (6, "unknown key 'rn'")]),
    ("a key of another table", put(MAKER, "max_turn = 3", "max_tokens = 5"), [(5, "'max_turn'"), (6, "'max_tokens'")]),
    ("the deck's table", put(EXIT, "[deck]", "max_runs = 3"), [(10, "unknown key 'deck'")]),
    ("a key of the API", put(MAKER, 'api_key = "sk-1"'), [(5, "unknown key 'api_key'")]),
    ("a model for a command", put(CHECK, 'model = "m"'), [(7, "unknown key 'model'")]),
    ("an unknown key in an inline table", swap(6, "scope = {path = ['src/**']}"), [(6, "unknown key 'path'")]),
    # Wrong types.
    ("a goal that is a number", swap(1, "goal = 3"), [(1, "must be text, not a whole number")]),
    ("a goal that is a list", swap(1, "goal = [", '"a"]'), [(1, "must be text, not a list")]),
    ("maker as text", GOOD.partition("[maker]")[0] + 'maker = "m"\n' + GOOD[GOOD.index("[[check]]"):], [(2, "a table, not text")]),
    ("an exit that is a list", swap(7, "[[exit]]"), [(7, "must be a table, not a list")]),
    ("one check in single brackets", swap(5, "[check]"), [(5, "must be a list of tables, not a table")]),
    ("a cap in quotes", swap(8, 'max_iterations = "4"'), [(8, "a whole number, not text")]),
    ("a cap that is true", swap(8, "max_iterations = true"), [(8, "a whole number, not true")]),
    ("a cap with a point", swap(8, "max_iterations = 4.0"), [(8, "a whole number, not a number")]),
    ("a cost in words", swap(9, 'max_cost_usd = "$2"'), [(9, "a number, not text")]),
    ("tools in one text", put(MAKER, 'tools = "bash"'), [(5, "a list of texts, not text")]),
    ("a tool that is a number", put(MAKER, "tools = [", '  "bash",', "  3,", "]"), [(7, "item 2 is a whole number")]),
    ("a duration as a number", put(CHECK, "timeout = 90"), [(7, "a duration")]),
    ("a duration with a word", put(CHECK, 'timeout = "90 seconds"'), [(7, "a duration")]),
    ("final_pass in words", put(EXIT, 'final_pass = "yes"'), [(10, "true or false, not text")]),
    ("a date for a name", put(CHECK, "name = 2026-01-01"), [(7, "must be text, not a date")]),
    ("no_progress is true", put(EXIT, "no_progress = true"), [(10, "no_progress")]),
    ("a network that is text", put(EXIT, "[sandbox]", 'network = "pypi.org"'), [(11, "false, true or a list")]),
    # Wrong words.
    ("an unknown agent", swap(3, 'agent = "antropic"'), [(3, "must be one of")]),
    ("an agent in capitals", swap(3, 'agent = "Anthropic"'), [(3, "must be one of")]),
    ("an unknown level", 'level = "yolo"\n' + GOOD, [(1, "must be one of")]),
    ("an unknown context", 'context = "full"\n' + GOOD, [(1, "must be one of")]),
    ("an unknown severity", put(CHECK, 'severity = "critical"'), [(7, "must be one of")]),
    ("an unknown floor", put(EXIT, 'severity_floor = "mayor"'), [(10, "must be one of")]),
    ("an unknown when", put(CHECK, 'when = "never"'), [(7, "must be one of")]),
    ("an unknown tool", put(MAKER, 'tools = ["bash", "readfile"]'), [(5, "names no tool: 'readfile'")]),
    ("an unknown agent of a role", put(EXIT, "[models]", 'check = "antropic:m"'), [(11, "names no agent")]),
    # Absurd numbers.
    ("no iterations", swap(8, "max_iterations = 0"), [(8, "from 1 to 100,000, not 0")]),
    ("fewer than no iterations", swap(8, "max_iterations = -1"), [(8, "not -1")]),
    ("a million iterations", swap(8, "max_iterations = 1_000_000"), [(8, "not 1000000")]),
    ("a cost of nothing", swap(9, "max_cost_usd = 0"), [(9, "max_cost_usd")]),
    ("a negative cost", swap(9, "max_cost_usd = -0.5"), [(9, "not -0.5")]),
    ("a cost that isn't a number", swap(9, "max_cost_usd = nan"), [(9, "not nan")]),
    ("a cost without end", swap(9, "max_cost_usd = inf"), [(9, "not inf")]),
    ("a cost of a state", swap(9, "max_cost_usd = 1e12"), [(9, "not 1e+12")]),
    ("a hundred digits", put(EXIT, "max_tokens = " + "9" * 100), [(10, "many digits")]),
    ("no turns", put(MAKER, "max_turns = 0"), [(5, "max_turns")]),
    ("no time", put(CHECK, 'timeout = "0s"'), [(7, "timeout")]),
    ("too much time", put(EXIT, 'max_wall = "999999h"'), [(10, "max_wall")]),
    ("no progress within nothing", put(EXIT, "no_progress = 0"), [(10, "no_progress")]),
    # Paths that lead out.
    ("a script elsewhere", swap(3, 'agent = "scripted"', 'script = "/etc/passwd"'), [(4, "is not relative")]),
    ("a script further up", swap(3, 'agent = "scripted"', 'script = "../../x.toml"'), [(4, "leads outside")]),
    ("a system prompt at home", put(MAKER, 'system = "~/prompt.md"'), [(5, "is not relative")]),
    ("a rubric further up", swap(6, 'rubric = "a/../../R.md"'), [(6, "leads outside")]),
    ("a path with NUL", put(EXIT, "[workspace]", 'copy = ["a\\u0000b"]'), [(11, "can't be printed")]),
    ("a path with a backslash", put(EXIT, "[workspace]", "link = ['a\\b']"), [(11, "backslash")]),
    ("a path on a drive", put(EXIT, "[workspace]", 'copy = ["C:/x"]'), [(11, "is not relative")]),
    ("git's own folder", put(EXIT, "[workspace]", 'copy = [".env",', '".git/config"]'), [(12, "git's own folder")]),
    ("a glob that climbs", put(EXIT, "[workspace]", 'protect = ["tests/../../**"]'), [(11, "leads outside")]),
    ("a schema elsewhere", swap(6, 'schema = {files = ["a.json"], schema = "/s.json"}'), [(6, "is not relative")]),
    ("links elsewhere", swap(6, 'links = ["/docs/**"]'), [(6, "is not relative")]),
    ("a path of a kilometre", put(MAKER, f'system = "{"a" * 2000}"'), [(5, "2000 characters")]),
    ("a sandbox open to everything", put(EXIT, "[sandbox]", 'write = ["/"]'), [(11, "opens everything")]),
    ("a base that is an option", put(EXIT, "[workspace]", 'base = "--exec=sh"'), [(11, "not a git branch")]),
    ("a base that is a range", put(EXIT, "[workspace]", 'base = "a..b"'), [(11, "not a git branch")]),
    ("a skill elsewhere", 'skills = ["../x"]\n' + GOOD, [(1, "not a plain name")]),
    # Checks.
    ("two checks in one", put(CHECK, "human = true"), [(7, "one thing")]),
    ("a check of nothing", put(CHECK, "[[check]]", 'name = "x"'), [(7, "checks nothing")]),
    ("a check that is false", swap(6, "human = false"), [(6, "checks nothing")]),
    ("one name twice", put(CHECK, 'name = "t"', "[[check]]", 'run = "b"', 'name = "t"'), [(10, "used twice")]),
    ("a name of loopdeck's own", put(CHECK, 'name = "protected paths"'), [(7, "loopdeck's own")]),
    ("a name of two lines", put(CHECK, 'name = "a\\nb"'), [(7, "printable line")]),
    ("a schema without files", swap(6, 'schema = {schema = "s.json"}'), [(6, "has no files")]),
    ("a schema check without its schema", swap(6, 'schema = {files = ["a.json"]}'), [(6, "has no schema")]),
    ("a schema that is a path", swap(6, 'schema = "s.json"'), [(6, "must be a table, not text")]),
    ("a scope of nothing", swap(6, "scope = {}"), [(6, "bounds nothing")]),
    ("links of nothing", swap(6, "links = []"), [(6, "empty list")]),
    ("only minor checks", put(CHECK, 'severity = "minor"'), [(7, "none counts")]),
    ("only checks below the floor", put(EXIT, 'severity_floor = "blocker"'), [(5, "none counts")]),
    ("a command with NUL", swap(6, 'run = "a\\u0000"'), [(6, "NUL")]),
    # The maker grading itself.
    ("the maker as judge", swap(6, 'rubric = "R.md"', 'agent = "maker"'), [(7, "self-grading")]),
    ("the maker's own session", swap(6, 'rubric = "R.md"', 'session = "maker"'), [(7, "self-grading")]),
    ("a session of choice", swap(6, 'rubric = "R.md"', 'session = "abc"'), [(7, "always has one of its own")]),
    # Gates.
    ("a gate of no tool", put(EXIT, "[gates]", 'ask = ["bsh"]'), [(11, "names no tool")]),
    ("a gate not closed", put(EXIT, "[gates]", 'deny = ["bash(git push"]'), [(11, "not a rule")]),
    ("a gate of nothing", put(EXIT, "[gates]", 'allow = ["bash()"]'), [(11, "empty pattern")]),
    ("a gate over two commands", put(EXIT, "[gates]", 'allow = ["bash(cd x && make)"]'), [(11, "'&&'")]),
    ("a star in the middle", put(EXIT, "[gates]", 'allow = ["bash(git * push)"]'), [(11, "before the last word")]),
    ("a gate that leads out", put(EXIT, "[gates]", 'allow = ["read_file", "read_file(../**)"]'), [(11, "leads outside")]),
    ("gates in one text", put(EXIT, "[gates]", 'allow = "bash"'), [(11, "a list of texts")]),
    # Triggers.
    ("a schedule without a cost cap", swap(9, "max_tokens = 5", "[trigger]", 'every = "1h"'), [(10, "no cost cap")]),
    ("a cron line of four", put(EXIT, "[trigger]", 'cron = "0 7 * *"'), [(11, "4 fields")]),
    ("an hour that isn't", put(EXIT, "[trigger]", 'cron = "0 25 * * *"'), [(11, "no valid hour")]),
    ("a range backwards", put(EXIT, "[trigger]", 'cron = "0 7 * * fri-mon"'), [(11, "no valid day of week")]),
    ("a step of nothing", put(EXIT, "[trigger]", 'cron = "*/0 * * * *"'), [(11, "no valid minute")]),
    ("a zone that isn't", put(EXIT, "[trigger]", 'cron = "0 7 * * *"', 'timezone = "../etc"'), [(12, "not a time zone")]),
    ("an event without a webhook", put(EXIT, "[trigger]", 'every = "1h"', 'on = ["push"]'), [(12, "needs a webhook")]),
    ("after itself", put(EXIT, "[trigger]", 'after = "fix"'), [(10, "this loop itself")]),
    ("a trigger of nothing", put(EXIT, "[trigger]", "enabled = true"), [(10, "nothing that starts")]),
    ("an end that isn't", put(EXIT, "[trigger]", 'every = "1h"', 'until = "tomorrow"'), [(12, "not a date")]),
    # Not in this version.
    ("unattended", 'level = "unattended"\n' + put(EXIT, "[gates]", 'allow = ["bash"]'), [(1, "warnings open: 1 warning, the first")]),
    ("a metric", swap(6, 'metric = {run = "x", pattern = "v: (.*)", at_most = 1}'), [(6, "check metric is not available")]),
    ("an experiment", put(EXIT, "[experiment]", 'run = "x"', 'metric = {json = "a"}'), [(10, "`experiment` is not available")]),
    # Connectors.
    ("a connector without a name", put(MAKER, CONNECTOR, 'command = "c"'), [(5, "a connector has no name")]),
    ("a connector's odd name", put(MAKER, CONNECTOR, 'name = "a.b"', 'command = "c"'), [(6, "not a plain name")]),
    ("a connector of nothing", put(MAKER, CONNECTOR, 'name = "n"'), [(5, "one of `command` and `url`")]),
    ("a connector twice told", put(MAKER, CONNECTOR, 'name = "n"', 'command = "c"', 'url = "http://x"'), [(7, "one of")]),
    ("a connector's address", put(MAKER, CONNECTOR, 'name = "n"', 'url = "file:///x"'), [(7, "not an http address")]),
    ("a connector's tool", put(MAKER, CONNECTOR, 'name = "n"', 'command = "c"', 'tools = ["n.x"]'), [(8, "can't be a tool")]),
    ("namesakes", put(MAKER, *2 * (CONNECTOR, 'name = "n"', 'command = "c"')), [(9, "two connectors are called 'n'")]),
    ("a tool of no server", put(MAKER, 'tools = ["n.x"]', CONNECTOR, 'name = "m"', 'command = "c"'), [(5, "no tool: 'n.x'")]),
    # The rest.
    ("a key in the address", put(MAKER, 'base_url = "https://u:p@host/v1"'), [(5, "user or password")]),
    ("an address of a file", put(MAKER, 'base_url = "file:///x"'), [(5, "not an http address")]),
    ("a variable with its value", put(EXIT, "[sandbox]", 'env = ["A=b"]'), [(11, "not a variable's name")]),
    ("a list of all hosts", put(EXIT, "[sandbox]", 'network = ["*"]'), [(11, "not a host")]),
    ("a host with a path", put(EXIT, "[sandbox]", 'network = ["https://pypi.org/x"]'), [(11, "not a host")]),
    ("mistakes everywhere", EVERYWHERE, [(1, "text"), (3, "one of"), (5, "text"), (7, "whole"), (8, "from 1")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.req("S0-13")
def test_a_malformed_loop_file_is_refused_with_line_what_and_remedy(text, expected):
    file = ".loopdeck/loops/fix/loop.toml"
    reading = read_loop("fix", text, file, DeckFile())
    assert reading.spec is None
    errors = reading.errors
    found = [(problem.line, problem.what) for problem in errors]
    assert len(found) == len(expected), found
    for line, word in expected:
        assert any(line == at and word in what for at, what in found), (line, word, found)
    for problem in errors:
        assert problem.file == file
        assert len(problem.remedy) > 5
        assert f"{file}:{problem.line}: " in str(problem)
        assert str(problem).isprintable() or "\n  " in str(problem)


def test_there_are_more_than_sixty_of_them_with_names_of_their_own():
    assert len({case[0] for case in CASES}) == len(CASES) > 60


def test_what_they_are_made_from_is_a_good_file():
    reading = read_loop("fix", GOOD, "loop.toml", DeckFile())
    assert reading.spec is not None
    assert reading.problems == ()


NEAREST = [
    (swap(8, "max_iteration = 4"), "max_iterations"),
    (swap(3, 'agent = "antropic"'), "anthropic"),
    (put(MAKER, 'tools = ["readfile"]'), "read_file"),
    (put(CHECK, 'severity = "mayor"'), "major"),
    (put(EXIT, "[gates]", 'ask = ["bsh"]'), "bash"),
    (put(EXIT, "[gates]", 'aks = ["bash"]'), "ask"),
    (put(EXIT, "[sandbx]"), "sandbox"),
    (put(CHECK, "[[checks]]"), "check"),
    (swap(6, "scope = {max_file = 1}"), "max_files"),
    (put(EXIT, "[models]", 'check = "antropic:m"'), "anthropic"),
    (put(MAKER, "max_iterations = 3"), "[exit]"),
    (put(EXIT, 'goal = "x"'), "the top"),
    (put(EXIT, "[notify]"), "deck.toml"),
    (put(MAKER, 'api_key = "x"'), "keyring"),
    (put(CHECK, 'model = "x"'), "rubric"),
]


@pytest.mark.parametrize(("text", "word"), NEAREST)
def test_the_remedy_names_the_nearest_word_or_the_right_place(text, word):
    assert any(word in problem.remedy for problem in read_loop("fix", text, "loop.toml", DeckFile()).errors)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "A", "ä", "-a", ".a", "a..b", "a.lock", "a.", "a b", "a\n", "a\0", "a" * 65, "a:b"],
)
def test_a_name_that_can_not_be_a_folder_or_branch_is_refused(name):
    reading = read_loop(name, GOOD, "loop.toml", DeckFile())
    assert reading.spec is None
    assert [one.line for one in reading.errors] == [1]
    assert "can't be a loop's name" in reading.errors[0].what
    assert reading.errors[0].remedy


@pytest.mark.parametrize("name", ["a", "0", "fix-tests", "v1.2_x", "a" * 64])
def test_a_plain_name_is_taken(name):
    assert read_loop(name, GOOD, "loop.toml", DeckFile()).spec is not None


DECKS = [
    ("[exit]\nmax_iterations = 0\n", 2, "from 1"),
    ("[maker]\nagent = 'anthropik'\n", 2, "one of"),
    ("goal = 'x'\n", 1, "unknown key 'goal'"),
    ("[[check]]\nrun = 'x'\n", 1, "unknown key 'check'"),
    ("[trigger]\nevery = '1h'\n", 1, "unknown key 'trigger'"),
    ("[deck]\nmax_run = 3\n", 2, "unknown key 'max_run'"),
    ("[deck]\nmax_runs = 0\n", 2, "from 1"),
    ("[deck]\nmax_cost_usd_per_day = -1\n", 2, "max_cost_usd_per_day"),
    ("[prices.m]\ninput = 1\n", 1, "no output"),
    ("[prices.m]\ninput = 1\noutput = nan\n", 3, "not nan"),
    ("[prices]\nm = 3\n", 2, "must be a table"),
    ("[notify]\nbell = 1\n", 2, "true or false"),
    ("[gates]\nallow = ['sh']\n", 2, "names no tool"),
    ("[workspace]\nprotect = ['/x']\n", 2, "not relative"),
    ("[sandbox\n", 1, "not valid TOML"),
    ("maker = 3\n", 1, "must be a table"),
]


@pytest.mark.parametrize(("text", "line", "word"), DECKS)
def test_a_malformed_deck_is_named_once_and_refuses_every_loop(text, line, word):
    deck, problems = read_deck(text, ".loopdeck/deck.toml")
    assert [(one.file, one.line) for one in problems] == [(".loopdeck/deck.toml", line)]
    assert word in problems[0].what
    assert problems[0].remedy
    reading = read_loop("fix", GOOD, "loop.toml", deck)
    assert reading.spec is None
    assert reading.errors == problems
