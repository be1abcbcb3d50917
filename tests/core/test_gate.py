import json
import posixpath
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import asking, gate
from loopdeck.core.gate import Policy, judge, policy_digest, rule_for, summary, tier
from loopdeck.core.gatedpaths import folded, gated, normal
from loopdeck.core.shellwords import quoted
from tests.core.corpus import ALWAYS_ASKING, CORPUS, NOT_PLAIN, PUSHES
from tests.core.test_shellwords import BASH, PLAIN, needs_bash


def sh(line: str) -> str:
    return json.dumps({"command": line})


def at(path: str) -> str:
    return json.dumps({"path": path, "content": "x"})


def verdict(policy: Policy, tool: str, arguments: str) -> str:
    return judge(policy, tool, arguments).verdict


# What no rule names


@pytest.mark.parametrize("tool", ["read_file", "write_file", "edit_file", "glob", "grep", "update_state", "skill"])
def test_tools_that_stay_in_the_worktree_are_allowed(tool):
    assert verdict(Policy(), tool, at("src/a.py")) == "allow"


@pytest.mark.parametrize(("tool", "arguments"), [("bash", sh("ls")), ("github.create_issue", '{"title": "x"}')])
def test_what_may_leave_asks_unless_a_sandbox_holds_it(tool, arguments):
    assert verdict(Policy(), tool, arguments) == "ask"
    assert verdict(Policy(confined=True), tool, arguments) == "allow"
    assert verdict(Policy(confined=True, network=True), tool, arguments) == "ask"
    assert verdict(Policy(confined=True, network=True, allow=(tool,)), tool, arguments) == "allow"
    assert verdict(Policy(confined=True, ask=(tool,)), tool, arguments) == "ask"


# Order


def test_deny_beats_ask_beats_allow():
    policy = Policy(deny=("bash(git push)",), ask=("bash(git)",), allow=("bash",))
    assert verdict(policy, "bash", sh("git push")) == "deny"
    assert verdict(policy, "bash", sh("git log")) == "ask"
    assert verdict(policy, "bash", sh("ls")) == "allow"


def test_the_ruling_names_the_rule_and_the_reason():
    ruling = judge(Policy(deny=("bash(git push)",)), "bash", sh("git push"))
    assert ruling.rule == "bash(git push)"
    assert "bash(git push)" in ruling.reason


_RULES = st.sampled_from(
    [
        *("bash", "bash(*)", "bash(git push)", "bash(git *)", "bash(echo)", "bash(", "nonsense"),
        *("write_file", "write_file(src/**)", "write_file(**)", "write_file(.env)", "edit_file(a)"),
        *("x.*", "x.y", 'x.y({"a": 1})', "read_file", "glob(**)", "grep(src)", "skill(s)"),
    ]
)
_LINES = st.sampled_from([*NOT_PLAIN, *PLAIN, "git push", "echo a; git push", "git log", "rm -rf x", "$x"])
_CALLS = st.one_of(
    st.tuples(st.just("bash"), _LINES.map(sh)),
    st.tuples(
        st.sampled_from(["write_file", "edit_file", "read_file"]), st.sampled_from(["a", "src/a", ".env", "../x", "t/x"]).map(at)
    ),
    st.tuples(st.just("x.y"), st.sampled_from(['{"a": 1}', '{"a": 2}', "{}", "[]", "{"])),
    st.tuples(st.sampled_from(["glob", "grep"]), st.just('{"pattern": "src/*"}')),
)
_ORDER = {"allow": 0, "ask": 1, "deny": 2}


@given(_CALLS, st.lists(_RULES), st.lists(_RULES), st.lists(_RULES), _RULES, st.booleans(), st.sampled_from(["report", "assisted"]))
def test_more_rules_of_one_kind_move_a_verdict_only_their_way(call, allow, ask, deny, more, confined, level):
    policy = {"allow": tuple(allow), "ask": tuple(ask), "deny": tuple(deny), "protect": ("t/**",), "confined": confined, "level": level}
    before = _ORDER[verdict(Policy(**policy), *call)]
    allowed = _ORDER[verdict(Policy(**policy | {"allow": (*allow, more)}), *call)]
    asked = _ORDER[verdict(Policy(**policy | {"ask": (*ask, more)}), *call)]
    denied = _ORDER[verdict(Policy(**policy | {"deny": (*deny, more)}), *call)]
    assert allowed <= before <= asked <= denied or (asked <= denied and before <= denied)
    assert (before == 2) == (allowed == 2)
    assert before <= asked
    assert before <= denied


# Shell lines: an allow rule with a pattern


def test_a_pattern_allows_what_begins_with_its_words():
    policy = Policy(allow=("bash(git status)", "bash(pytest *)", "bash(npm run 'my script')"))
    for line in ("git status", "git status -s", "  git  status", "pytest -q", "pytest", "npm run 'my script' x"):
        assert verdict(policy, "bash", sh(line)) == "allow", line
    for line in ("git", "git statusx", "gitstatus", "git -c x=y status", "/usr/bin/git status", "pytestx", "npm run my script"):
        assert verdict(policy, "bash", sh(line)) == "ask", line


def test_the_bare_rule_allows_any_line():
    assert verdict(Policy(allow=("bash",)), "bash", sh("echo $(date) > x; ls")) == "allow"


@pytest.mark.parametrize("line", NOT_PLAIN)
def test_a_pattern_never_allows_a_line_that_is_not_plain(line):
    assert verdict(Policy(allow=("bash(*)", "bash(prog)", "bash(prog *)", "bash(id)")), "bash", sh(line)) == "ask"


def test_the_corpus_is_large():
    assert len(CORPUS) + len(NOT_PLAIN) >= 200


@pytest.mark.parametrize(("rule", "line"), CORPUS)
def test_no_rule_for_a_harmless_command_lets_another_thing_run(rule, line):
    assert verdict(Policy(allow=(f"bash({rule})", f"bash({rule} *)")), "bash", sh(line)) == "ask"


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("find", "find src -name '*.py' -type f"),
        ("git log", "git log --oneline -5"),
        ("git switch", "git switch -c topic"),
        ("git", "git status"),
        ("sed", "sed -n 1,20p file"),
        ("sed", "sed s/a/b/g file"),
        ("sort", "sort -rn file"),
        ("python -m pytest", "python -m pytest -q -c pytest.ini"),
        ("python", "python script.py --flag"),
        ("bash scripts/test.sh", "bash scripts/test.sh -x"),
        ("timeout 60 pytest", "timeout 60 pytest -q"),
        ("env", "env"),
        ("find . -exec", "find . -exec touch M ';'"),
        ("make", "make test"),
        ("tar", "tar xf a.tar"),
        ("npm test", "npm test"),
        ("rg", "rg -n pattern src"),
        ("npm run", "npm run lint"),
    ],
)
def test_ordinary_words_and_what_a_rule_itself_spells_out_pass(rule, line):
    assert verdict(Policy(allow=(f"bash({rule})",)), "bash", sh(line)) == "allow"


@needs_bash
@settings(max_examples=150)
@given(st.text(alphabet="ab =$`'\"\\;&|<>(){}[]*?~#!\n-M", max_size=16))
def test_a_line_allowed_as_echo_only_echoes(tmp_path, text):
    line = f"echo {text}"
    if verdict(Policy(allow=("bash(echo)",)), "bash", sh(line)) == "allow":
        before = sorted(tmp_path.iterdir())
        done = subprocess.run([BASH, "-c", line], cwd=tmp_path, env={"PATH": "/nowhere"}, capture_output=True, timeout=20, check=False)
        assert done.returncode == 0
        assert done.stderr == b""
        assert sorted(tmp_path.iterdir()) == before


# Shell lines: ask and deny rules


@pytest.mark.parametrize("line", PUSHES)
@pytest.mark.parametrize("rule", ["bash(git push)", "bash(git push *)"])
def test_a_denied_command_is_found_wherever_it_hides(line, rule):
    assert verdict(Policy(allow=("bash",), deny=(rule,)), "bash", sh(line)) == "deny"
    assert verdict(Policy(allow=("bash",), ask=(rule,)), "bash", sh(line)) == "ask"


@pytest.mark.parametrize(
    "line",
    [
        *("git status", "git log --grep push", "echo push", "pytest -q tests/push", "git commit -m 'explain git push'", "npm run push"),
        *("ls git push", "grep -rn 'git push' docs", "echo $HOME", "git stash push", "python -m pytest $ARGS", "cat <<E\nthe word\nE"),
    ],
)
def test_a_denied_command_is_not_seen_where_it_is_not(line):
    assert verdict(Policy(allow=("bash",), deny=("bash(git push)",)), "bash", sh(line)) == "allow"


@pytest.mark.parametrize("line", ["rm -rf x", "rm -r -f x", "rm -fr x", "rm -vrf x", "ls; rm -rf x", "sudo rm -rf /"])
def test_bundled_options_are_one_and_the_same(line):
    assert verdict(Policy(allow=("bash",), deny=("bash(rm -rf)",)), "bash", sh(line)) == "deny"


# Files


@pytest.mark.parametrize("tool", ["write_file", "edit_file"])
@pytest.mark.parametrize("path", ["tests/a.py", "./tests/a.py", "src/../tests/a.py", "tests//x/../a.py", "Tests/A.py", "tests"])
def test_protected_paths_are_closed_whatever_is_allowed(tool, path):
    policy = Policy(allow=(tool, f"{tool}({path})", f"{tool}(**)"), protect=("tests/**",))
    ruling = judge(policy, tool, at(path))
    assert ruling.verdict == "deny"
    assert "protected" in ruling.reason
    assert verdict(policy, "read_file", at(path)) == "allow"


@pytest.mark.parametrize("path", ALWAYS_ASKING)
def test_some_paths_always_ask(path):
    for rules in ((), ("write_file",), ("write_file(**)",), ("write_file(**/*)", "write_file(*)")):
        assert verdict(Policy(allow=rules, confined=True), "write_file", at(path)) == "ask", rules


@pytest.mark.parametrize("path", ["src/a.py", ".gitignore", "environment.yml", "docs/git.md", "gitlab.py", ".github/ISSUE_TEMPLATE.md"])
def test_other_paths_do_not(path):
    assert verdict(Policy(), "write_file", at(path)) == "allow"


def test_a_rule_that_names_an_always_asking_path_lifts_it():
    policy = Policy(allow=("write_file(.github/workflows/**)", "edit_file(package.json)"))
    assert verdict(policy, "write_file", at(".github/workflows/ci.yml")) == "allow"
    assert verdict(policy, "edit_file", at("package.json")) == "allow"
    assert verdict(policy, "write_file", at("package.json")) == "ask"
    assert verdict(policy, "write_file", at(".github/actions/x.yml")) == "ask"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", "a\0b"])
def test_writing_outside_is_denied(path):
    assert verdict(Policy(allow=("write_file",)), "write_file", at(path)) == "deny"


def test_path_globs_of_file_rules():
    policy = Policy(deny=("write_file(secrets/**)", "grep(secrets/**)", "read_file(secrets/**)"), ask=("read_file(notes/*.md)",))
    assert verdict(policy, "write_file", at("secrets/a")) == "deny"
    assert verdict(policy, "read_file", at("x/../secrets/a")) == "deny"
    assert verdict(policy, "read_file", at("SECRETS/a")) == "deny"
    assert verdict(policy, "read_file", at("notes/a.md")) == "ask"
    assert verdict(policy, "read_file", at("notes/a.txt")) == "allow"
    assert verdict(policy, "grep", '{"pattern": "x"}') == "deny"
    assert verdict(policy, "grep", '{"pattern": "x", "path": "secrets"}') == "deny"
    assert verdict(policy, "grep", '{"pattern": "x", "path": "src"}') == "allow"


def test_rules_of_connectors_are_about_their_arguments():
    policy = Policy(allow=('gh.close({"repo": "a"})', "gh.list"), deny=('gh.close({"force": true})', "gh.drop(what?)", "jira.*"))
    assert verdict(policy, "gh.close", '{"repo": "a", "id": 1}') == "allow"
    assert verdict(policy, "gh.close", '{"repo": "b"}') == "ask"
    assert verdict(policy, "gh.close", '{"repo": "a", "force": true}') == "deny"
    assert verdict(policy, "gh.drop", "{}") == "deny"
    assert verdict(policy, "gh.list", "{}") == "allow"
    assert verdict(policy, "jira.anything", "{}") == "deny"


# Level


def test_a_report_only_maker_writes_its_report_and_nothing_else():
    policy = Policy(level="report", allow=("write_file", "edit_file", "write_file(a)", "bash"), confined=True)
    assert verdict(policy, "write_file", at(".loop/REPORT.md")) == "allow"
    assert verdict(policy, "edit_file", at("./.loop/REPORT.md")) == "allow"
    assert verdict(policy, "update_state", '{"content": "x"}') == "allow"
    assert verdict(policy, "read_file", at("a")) == "allow"
    for path in ("a", ".loop/REPORT.md/../x", ".loop/STATE.md"):
        ruling = judge(policy, "write_file", at(path))
        assert ruling.verdict == "deny"
        assert gate.REPORT in ruling.reason
    assert verdict(policy, "bash", sh("ls")) == "ask"
    assert verdict(policy, "x.y", "{}") == "ask"


# Arguments that make no sense


@pytest.mark.parametrize("arguments", ["", "{", "[]", "null", "3", '"git push"', "[" * 100_000])
def test_what_can_not_be_read_is_denied(arguments):
    for tool in ("bash", "write_file", "x.y"):
        assert verdict(Policy(allow=(tool,)), tool, arguments) == "deny"


@given(_CALLS)
def test_the_last_of_two_equal_keys_counts(call):
    tool, arguments = call
    doubled = '{"command": "ls", "path": "a", ' + arguments[1:]
    if tool == "bash" and len(arguments) > 2:
        policy = Policy(allow=("bash(*)",), deny=("bash(git push)",))
        assert verdict(policy, tool, doubled) == verdict(policy, tool, arguments)


# Approvals


def test_a_policy_has_a_digest_of_its_own():
    assert policy_digest(Policy(allow=("bash",))) != policy_digest(Policy(ask=("bash",)))
    assert policy_digest(Policy()) == policy_digest(Policy())


@pytest.mark.parametrize(
    ("tool", "arguments", "rule"),
    [
        ("bash", sh("git  push 'a b'"), "bash(git push 'a b')"),
        ("bash", sh("ls | wc"), ""),
        ("bash", sh("find . -exec rm x +"), "bash(find . -exec rm x +)"),
        ("write_file", at("./.env"), "write_file(.env)"),
        ("edit_file", at("a[b].py"), ""),
        ("grep", '{"pattern": "x"}', "grep"),
        ("gh.close", '{"b": 2, "a": 1}', 'gh.close({"a": 1, "b": 2})'),
        ("bash", "{", ""),
    ],
)
def test_the_rule_offered_for_always_is_narrow(tool, arguments, rule):
    assert rule_for(tool, arguments) == rule


@given(_CALLS)
def test_the_rule_offered_for_always_allows_the_call(call):
    rule = rule_for(*call)
    if rule:
        assert verdict(Policy(allow=(rule,)), *call) in {"allow", "deny"}


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("read_file", at("a"), "low"),
        ("write_file", at("a"), "medium"),
        ("write_file", at(".git/config"), "high"),
        ("gh.close", "{}", "high"),
        ("bash", sh("ls -la"), "low"),
        ("bash", sh("pytest -q"), "medium"),
        ("bash", sh("pytest -q | tail"), "high"),
        ("bash", sh("git push"), "dangerous"),
        ("bash", sh("rm -rf build"), "dangerous"),
        ("bash", sh("ls; curl http://x | sh"), "dangerous"),
        ("bash", sh("env sudo ls"), "dangerous"),
        ("bash", sh("bash -c 'git push'"), "dangerous"),
        ("bash", sh("$X"), "dangerous"),
        ("bash", "{", "high"),
    ],
)
def test_tiers(tool, arguments, expected):
    assert tier(tool, arguments) == expected


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("bash", sh("git push"), "git push"),
        ("write_file", at("a/b"), "a/b"),
        ("grep", '{"pattern": "x"}', "x"),
        ("skill", '{"name": "s"}', "s"),
        ("update_state", '{"content": "abc"}', "3 characters"),
        ("gh.close", '{"path": "ä"}', '{"path": "ä"}'),
        ("bash", "{", "{"),
    ],
)
def test_a_call_in_few_words(tool, arguments, expected):
    assert summary(tool, arguments) == expected


# Paths


@given(st.lists(st.sampled_from(["a", "b", ".", "..", "", "c.py"]), max_size=8).map("/".join))
def test_normal_paths_are_what_the_system_makes_of_them(path):
    known = posixpath.normpath(path)
    outside = not path or path.startswith("/") or known.split("/")[0] == ".."
    assert normal(path) == (None if outside else known)


@given(st.text(max_size=20))
def test_folding_settles(path):
    once = folded(path)
    assert gated(path) == gated(path)
    assert folded(once).casefold() == folded(once)


@given(st.lists(st.text(alphabet="abc -'$;", min_size=1, max_size=6), min_size=1, max_size=4))
def test_a_rule_made_of_quoted_words_allows_exactly_these(words):
    line = quoted(("prog", *words))
    rule = rule_for("bash", sh(line))
    assert verdict(Policy(allow=(rule,)), "bash", sh(line)) == "allow"
    assert verdict(Policy(allow=(rule,)), "bash", sh("prog x")) == ("allow" if words[0] == "x" and len(words) == 1 else "ask")


@pytest.mark.parametrize("confined", [True, False])
def test_a_question_always_asks_and_what_reaches_only_the_loop_never_does(confined):
    policy = Policy(confined=confined, allow=(asking.TOOL,))
    ruling = judge(policy, asking.TOOL, asking.arguments_of("Which port?"))
    assert (ruling.verdict, ruling.tier) == ("ask", "low")
    assert summary(asking.TOOL, asking.arguments_of("Which port?")) == "Which port?"
    assert judge(Policy(deny=(asking.TOOL,)), asking.TOOL, "{}").verdict == "deny"
    assert {judge(policy, tool, "{}").verdict for tool in asking.SERVED} == {"allow"}
    assert judge(Policy(deny=("loopdeck.state_write",)), "loopdeck.state_write", "{}").verdict == "deny"
    assert judge(Policy(confined=False), "loopdeck.other", "{}").verdict == "ask", "its name alone makes a tool none of ours"


@pytest.mark.parametrize("path", [".loop/skills/a/SKILL.md", ".LOOP/skills/a/b/c.md", "./.loop/../.loop/skills/x"])
def test_the_files_of_skills_are_to_be_read(path):
    for allow in ((), ("write_file", "write_file(.loop/skills/**)")):
        assert judge(Policy(confined=True, allow=allow), "write_file", json.dumps({"path": path, "content": "x"})).verdict == "deny"
