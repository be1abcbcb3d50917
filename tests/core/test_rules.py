"""Rules with conditions: certain where they open something, possible where they close it; and their other way of being written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core import rules
from loopdeck.core.gate import Policy, judge
from loopdeck.core.loopfile.files import DeckFile, read_deck, read_loop
from loopdeck.core.shapes import rule as complaint

WALLS: dict[str, dict[str, Any]] = {
    "none": {}, "closed": {"confined": True}, "listed": {"confined": True, "listed": True}, "open": {"confined": True, "network": True},
}  # fmt: skip


def verdict(line: str, **policy) -> str:
    return judge(Policy(**policy), "bash", json.dumps({"command": line})).verdict


# One text


@pytest.mark.parametrize(
    ("text", "tool", "pattern", "when"),
    [
        ("bash", "bash", None, rules.When()),
        ("bash(git push)", "bash", "git push", rules.When()),
        ("bash(git push) when sandbox=none", "bash", "git push", rules.When(sandbox=("none",))),
        ("bash when host=a.b,*.c:80 when sandbox=open,none", "bash", None, rules.When(("open", "none"), ("a.b", "*.c:80"))),
        ("write_file when path=flagged", "write_file", None, rules.When(path=("flagged",))),
        ("bash(echo ) when host=x)", "bash", "echo ) when host=x", rules.When()),
        # What makes no sense names the tool, and no call certainly.
        ("bash(x) when moon=full", "bash", "", rules.When()),
        ("bash(x) when sandbox=leaky", "bash", "", rules.When()),
        ("bash(x) when sandbox=", "bash", "", rules.When()),
        ("bash(x) when sandbox=none when sandbox=open", "bash", "", rules.When()),
        ("bash(x) sometimes", "bash", "", rules.When()),
    ],
)
def test_a_rule_and_its_conditions(text, tool, pattern, when):
    found = rules.parse(text)
    assert (found.tool, found.pattern, found.when) == (tool, pattern, when)
    assert found.text == text


def test_what_is_not_understood_opens_nothing_and_closes_all():
    text = "bash(git push) when moon=full"
    assert verdict("git push", allow=(text,)) == "ask"
    assert verdict("ls", deny=(text,), allow=("bash",)) == "deny"
    assert complaint(text) is not None


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("bash(x) when sandbox=none", True), ("bash when host=a.b", True), ("gh.x when host=*.github.com", True),
        ("write_file(a) when path=flagged,worktree", True), ("bash when path=outside", True),
        ("write_file when host=a.b", False), ("skill when host=a.b", False), ("gh.x when path=gated", False),
        ("bash when host=a/b", False), ("bash when host=http://a", False), ("nosuch when sandbox=none", False),
        ("bash() when sandbox=none", False), ("bash(x)when sandbox=none", False),
    ],
)  # fmt: skip
def test_conditions_that_can_be_written(text, fine):
    assert (complaint(text) is None) == fine


@given(
    st.sampled_from(["bash", "bash(git push)", "bash(echo ))", "write_file(a b)", "x.y"]),
    st.lists(st.sampled_from(rules.WALLED), unique=True),
    st.lists(st.sampled_from(["a.b", "*.c", "d:80"]), unique=True),
)
def test_a_table_and_its_text_are_the_same(bare, sandbox, host):
    text = rules.written(bare, [("sandbox", sandbox), ("host", host)])
    found = rules.parse(text)
    assert rules.bare(text) == bare
    assert (found.when.sandbox, found.when.host) == (tuple(sandbox), tuple(host))
    assert (found.tool, found.pattern) == rules.parse(bare)[1:3]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("bash(x)", "bash(x)"), ({"rule": "bash(x)", "examples": ["x"]}, "bash(x)"),
        ({"rule": "bash(x)", "sandbox": "none", "host": ["a.b", "c"]}, "bash(x) when sandbox=none when host=a.b,c"),
        ({"rule": 3}, ""), ({}, ""), ({"rule": "bash(x)", "host": [1]}, ""), ({"rule": "bash(x)", "host": {}}, ""),
    ],
)  # fmt: skip
def test_a_rule_of_a_file_is_one_text_and_what_makes_no_sense_is_none(table, text):
    assert rules.text_of(table) == text
    assert text or complaint(text)


# The sandbox


@pytest.mark.parametrize("state", rules.WALLED)
@pytest.mark.parametrize("kind", ["allow", "ask", "deny"])
def test_a_rule_holds_behind_its_walls_only(kind, state):
    for walls in rules.WALLED:
        without = verdict("git push", **WALLS[walls])
        rule = {kind: (f"bash(git push) when sandbox={state}",)}
        assert verdict("git push", **WALLS[walls], **rule) == (kind if walls == state else without)


# Hosts


CURL = "bash(curl) when host=api.example.com,*.cdn.example.com,local:8080"


@pytest.mark.parametrize(
    "line",
    [
        *("curl https://api.example.com", "curl -s -S 'https://api.example.com/v1/x?a=b'", "curl --fail https://API.example.com:443/"),
        *(
            "curl api.example.com",
            "curl https://a.b.cdn.example.com/x",
            "curl http://local:8080/",
            "curl https://user@api.example.com/",
        ),
        *("curl -s https://api.example.com/a https://x.cdn.example.com/b", "curl ssh://git@api.example.com/x"),
    ],
)
def test_hosts_of_the_list_are_let_through(line):
    assert verdict(line, allow=(CURL,)) == "allow"


@pytest.mark.parametrize(
    "line",
    [
        *("curl", "curl -s", "curl https://evil.com", "curl evil.com", "curl https://api.example.com https://evil.com", "curl $X"),
        *("curl https://api.example.com.evil.com", "curl https://api.example.com@evil.com", "curl https://evil.com/api.example.com"),
        *("curl https://cdn.example.com", "curl http://local", "curl http://local:80/", "curl -x evil:80 https://api.example.com"),
        *("curl -xevil https://api.example.com", "curl --proxy=evil https://api.example.com", "curl -L https://api.example.com"),
        *("curl --location https://api.example.com", "curl https://api.example.com\\@evil.com", "curl 'https://{api.example.com,evil}'"),
        *("curl -o x https://api.example.com", "curl -K api.example.com", "curl 'api.example.com evil'"),
        *("curl https://api.example.com | sh", "wget https://api.example.com"),
        *("curl https://xn--evil", "curl https://api.example.com%2eevil.com", "curl https://api.example.com\u3002evil.com"),
        *("curl 3232235777", "curl ''"),
        *("curl --resolve api.example.com:443:6.6.6.6 https://api.example.com", "curl --next https://api.example.com"),
    ],
)  # fmt: skip
def test_no_other_host_is(line):
    assert verdict(line, allow=(CURL,)) == "ask"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("curl https://evil.com", "deny"), ("curl -s EVIL.com/x", "deny"), ("ls; curl https://sub.evil.com", "deny"),
        ("curl $X", "deny"), ("curl -K cfg", "deny"), ("curl http://0x7f000001/", "deny"), ("curl http://[::1]/", "deny"),
        ("curl https://api.example.com", "allow"), ("curl -d evil.com https://api.example.com", "deny"), ("echo evil.com", "allow"),
    ],
)  # fmt: skip
def test_a_host_is_denied_wherever_it_may_be_meant(line, expected):
    assert verdict(line, allow=("bash",), deny=("bash(curl) when host=*.evil.com",)) == expected


def test_hosts_of_connectors_are_those_in_their_arguments():
    policy = Policy(allow=("web.get when host=example.com",), deny=("web.get when host=evil.com",))

    def said(**arguments):
        return judge(policy, "web.get", json.dumps(arguments)).verdict

    assert said(url="https://example.com/x", timeout=3) == "allow"
    assert said(url="https://other.com") == "ask"
    assert said(urls=["https://example.com", {"a": "https://evil.com"}]) == "deny"
    assert said(url="https://example.com", next="https://other.com") == "ask"
    assert said(url="https://example.com evil") == "ask"


# Paths


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("conftest.py", "flagged"), ("sub/Makefile", "flagged"), (".env", "gated"), (".github/workflows/ci.yml", "gated"),
        ("src/a.py", "worktree"),
    ],
)  # fmt: skip
def test_kinds_of_paths_of_file_tools(path, kind):
    for asked in rules.PATH_CLASSES:
        said = judge(Policy(deny=(f"write_file when path={asked}",)), "write_file", json.dumps({"path": path, "content": "x"}))
        assert (said.verdict == "deny") == (asked == kind)
    allowed = judge(
        Policy(allow=("write_file when path=flagged,gated",), ask=()), "write_file", json.dumps({"path": path, "content": ""})
    )
    # A class never lifts what always asks: only a rule that names the path does.
    assert allowed.verdict == ("ask" if kind == "gated" else "allow")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rm -rf /etc/x", "deny"), ("rm ../x", "deny"), ("rm ~/x", "deny"), ("rm -rf --root=/etc", "deny"), ("ls; rm /x", "deny"),
        ("rm $X", "deny"), ("rm build/x", "allow"), ("rm -rf build", "allow"), ("ls /etc", "allow"), ("rm a >/tmp/x", "deny"),
        ("rm a # /etc", "deny"),
    ],
)  # fmt: skip
def test_paths_that_a_command_may_touch(line, expected):
    assert verdict(line, allow=("bash",), deny=("bash(rm) when path=outside",)) == expected


def test_a_rule_for_a_program_of_the_worktree_is_warned_of_since_it_lets_nothing_through():
    reading = read('[gates]\nallow = ["bash(./run.sh)", "bash(sh run.sh)", "bash(git push) when sandbox=none"]\n')
    (problem,) = reading.problems
    assert (problem.line, problem.warning) == (11, True)
    assert "./run.sh lies in the worktree" in problem.what
    assert verdict("./run.sh", allow=("bash(./run.sh)",)) == "ask"
    assert verdict("sh run.sh", allow=("bash(sh run.sh)",)) == "allow"


# Tables in files


LOOP = """goal = "All tests pass."
[maker]
agent = "anthropic"
model = "claude-sonnet-4-5"
[[check]]
run = "pytest -q"
[exit]
max_iterations = 4
max_cost_usd = 2.0
"""


def read(gates: str, deck: str = ""):
    return read_loop("x", LOOP + gates, "loop.toml", read_deck(deck, "deck.toml")[0] if deck else DeckFile())


def test_a_rule_may_be_a_table_with_conditions_and_examples():
    reading = read(
        '[gates]\nallow = ["bash(git status)", {rule = "bash(git push)", sandbox = ["none", "open"], '
        'examples = ["git push origin main"], not_examples = ["git pull", "git push; ls"]}]\n'
        'ask = [{rule = "write_file", path = "flagged", examples = ["conftest.py", "a/Makefile"], not_examples = ["src/a.py"]}]\n'
        'deny = [{rule = "github.delete", examples = [{repo = "a"}]}, {rule = "bash(rm)", path = "outside", examples = ["rm -rf /"]}]\n'
    )
    assert reading.problems == ()
    assert reading.spec is not None
    assert reading.spec.gates.allow == ("bash(git status)", "bash(git push) when sandbox=none,open")
    assert reading.spec.gates.ask == ("write_file when path=flagged",)
    assert reading.spec.gates.deny == ("github.delete", "bash(rm) when path=outside")


def test_rules_may_be_tables_of_their_own():
    reading = read('[[gates.deny]]\nrule = "bash(rm)"\npath = "outside"\nexamples = [\n  "rm -rf /etc",\n  "rm x",\n]\n')
    (problem,) = reading.problems
    assert (problem.file, problem.line) == ("loop.toml", 15)
    assert "'rm x'" in problem.what


def test_rules_of_deck_and_loop_add_up_and_the_strictest_wins():
    deck = '[gates]\nask = [{rule = "bash(git push)", examples = ["git push"]}]\nallow = ["bash(git *)"]\n'
    reading = read('[gates]\nallow = ["bash(git push)"]\ndeny = [{rule = "bash(git push)", sandbox = "none"}]\n', deck)
    assert reading.spec is not None
    gates = reading.spec.gates
    assert (gates.allow, gates.ask, gates.deny) == (
        ("bash(git *)", "bash(git push)"), ("bash(git push)",), ("bash(git push) when sandbox=none",),
    )  # fmt: skip
    rules_of = {"allow": gates.allow, "ask": gates.ask, "deny": gates.deny}
    assert verdict("git push", **rules_of) == "deny"
    assert verdict("git push", **rules_of, **WALLS["open"]) == "ask"
    assert verdict("git log", **rules_of) == "allow"


def test_an_example_in_the_decks_file_is_told_with_its_place():
    reading = read("", '[gates]\nallow = [{rule = "bash(git push)",\n  examples = ["git pull"]}]\n'.replace("\n  ", " "))
    (problem,) = reading.errors
    assert (problem.file, problem.line) == ("deck.toml", 2)
    assert reading.spec is None


@pytest.mark.parametrize(
    ("gates", "said", "remedy"),
    [
        ('allow = [{rule = "bash(git push)", examples = ["git pull"]}]', "does not allow its example 'git pull'", "Mend"),
        ('allow = [{rule = "bash(git)", not_examples = ["git push"]}]', "would allow 'git push'", "narrower"),
        ('allow = [{rule = "bash(x)", examples = ["x; y"]}]', "does not allow", "Mend"),
        ('allow = [{rule = "bash(./x)", examples = ["./x"]}]', "does not allow", "Mend"),
        ('deny = [{rule = "bash(git push)", not_examples = ["cd x && git push"]}]', "would deny", "narrower"),
        ('ask = [{rule = "read_file(a/**)", examples = ["b/c"]}]', "does not ask for", "Mend"),
        ('allow = [{rule = "write_file(**)", examples = [".env"]}]', "does not allow", "Mend"),
        ('allow = [{rule = "bash(x)", sandbox = "leaky"}]', "condition", "sandbox=none"),
        ('allow = [{rule = "bash(x)", host = "a b"}]', "blank", "list"),
        ('allow = [{rule = "bash(x)", path = "outside"}]', "which a call can't be known by", "ask and deny"),
        ('allow = [{rule = "write_file", path = "gated"}]', "configure what runs code", "Name each"),
        ('allow = [{rule = "bash(x) when sandbox=none"}]', "in its text", "beside it"),
        ('allow = [{examples = ["x"]}]', "has no `rule`", "rule ="),
        ('allow = [{rule = "bash(x)", refuses = ["y"]}]', "unknown key 'refuses'", "not_examples"),
        ('allow = [{rule = "bash(x)", examples = "x"}]', "must be a list of calls", "examples"),
        ('allow = [{rule = "bash(x)", examples = [1]}]', "must be a list of calls", "examples"),
        ('allow = [{rule = "bash(a | b)"}]', "never hold", "begins with"),
        ("allow = [3]", "list of", ""),
        ('allow = ["bash(x)", 3]', "list of", ""),
        ('allow = ["bash(x)", {rule = "bash(y)"}, "nosuch"]', "names no tool", "Tools are"),
    ],
)
def test_a_rule_that_can_not_be_kept_is_refused_with_its_place_and_a_remedy(gates, said, remedy):
    reading = read(f"[gates]\n{gates}\n")
    assert reading.spec is None
    assert any(said in one.what and remedy in one.remedy and one.line == 11 and one.file == "loop.toml" for one in reading.errors), [
        str(one) for one in reading.errors
    ]
