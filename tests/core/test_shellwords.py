"""The reading of shell lines, held against what bash itself does with them."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core.shellwords import commands, plain, quoted
from tests.core.corpus import NOT_PLAIN

BASH = next(
    (path for path in ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/opt/homebrew/bin/bash") if Path(path).exists()), ""
)
needs_bash = pytest.mark.skipif(not BASH, reason="bash is not here")
# Every word that bash can't find is told to us instead of being run; PATH leads nowhere, so nothing is found.
_TELL = "command_not_found_handle() { printf '%s\\0' \"$@\"; printf '\\1\\0'; }; "


def ran(line: str, folder: Path) -> list[list[str]]:
    """The commands that bash would have run for `line`, builtins apart."""
    script = f"{_TELL}\n{line}"
    done = subprocess.run(
        [BASH, "-c", script], cwd=folder, env={"PATH": "/nowhere", "HOME": "/h"}, capture_output=True, timeout=20, check=False
    )
    whole = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    told: list[list[str]] = [[]]
    for word in whole:
        if word == "\1":
            told.append([])
        else:
            told[-1].append(word)
    return told[:-1]


PLAIN = {
    "git push": ("git", "push"),
    "  git\t push  ": ("git", "push"),
    "prog 'a b' \"c d\"": ("prog", "a b", "c d"),
    "prog a'b'c\"d\"": ("prog", "abcd"),
    "prog '' \"\"": ("prog", "", ""),
    "prog \\$HOME \\; a\\ b": ("prog", "$HOME", ";", "a b"),
    'prog "\\$x \\` \\" \\\\ \\n"': ("prog", '$x ` " \\ \\n'),
    "prog '$(id) `id` ; & | > <'": ("prog", "$(id) `id` ; & | > <"),
    "prog a=b --x=y -o:z a,b @c %d +e": ("prog", "a=b", "--x=y", "-o:z", "a,b", "@c", "%d", "+e"),
    "prog 'ä ö'": ("prog", "ä ö"),
    "prog '#no comment' '~' '*' '{a,b}' '!x'": ("prog", "#no comment", "~", "*", "{a,b}", "!x"),
    "prog if then done": ("prog", "if", "then", "done"),
}


@pytest.mark.parametrize(("line", "words"), PLAIN.items())
def test_literal_words_are_known(line, words):
    assert plain(line) == words


@needs_bash
@pytest.mark.parametrize("line", PLAIN)
def test_bash_agrees_about_literal_words(line, tmp_path):
    assert [tuple(one) for one in ran(line, tmp_path)] == [plain(line)]


@pytest.mark.parametrize("line", NOT_PLAIN)
def test_nothing_else_is_plain(line):
    assert plain(line) is None


_TEXT = st.text(alphabet="ab =$`'\"\\;&|<>(){}[]*?~#!\n\t-+%@,.:/^1é", max_size=14)


@needs_bash
@settings(max_examples=250)
@given(_TEXT)
def test_what_is_plain_runs_as_it_is_read(tmp_path, text):
    line = f"prog {text}"
    words = plain(line)
    if words is not None:
        assert ran(line, tmp_path) == [list(words)]


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=12), min_size=1))
def test_quoting_is_undone_by_reading(words):
    first = ("prog", *words)
    assert plain(quoted(first)) == first


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        ("git push", ["git", "push"]),
        ("a; git push", ["git", "push"]),
        ("a && git push origin", ["git", "push", "origin"]),
        ("a\ngit push", ["git", "push"]),
        ("echo $(git push)", ["git", "push"]),
        ("echo `git push`", ["git", "push"]),
        ('echo "x $(git push) y"', ["git", "push"]),
        ("echo ${x:-$(git push)}", ["git", "push"]),
        ("cat <(git push)", ["git", "push"]),
        ("if true; then git push; fi", ["git", "push"]),
        ("for x in a; do git push; done", ["git", "push"]),
        ("case x in x) git push;; esac", ["git", "push"]),
        ("f() { git push; }; f", ["git", "push"]),
        ("X=1 Y=$(z) git push", ["git", "push"]),
        ("! git push", ["git", "push"]),
        ("{ git push; }", ["git", "push"]),
        ("(git push)", ["git", "push"]),
        (">f git push", ["git", "push"]),
        ("2>f git push", ["git", "push"]),
        ("git <f push", ["git", "push"]),
        ("g'i't \"push\"", ["git", "push"]),
        ("\\git push", ["git", "push"]),
        ("git pu\\\nsh", ["git", "push"]),
        ("echo a # it's\ngit push # it's", ["git", "push"]),
        ("cat <<E\nit's\nE\ngit push # '", ["git", "push"]),
        ("cat <<E\n$(git push)\nE", ["git", "push"]),
        ("$((1)); git push", ["git", "push"]),
        ("coproc git push", ["git", "push"]),
    ],
)
def test_every_place_where_a_command_may_start_is_seen(line, begins):
    found = [[word.begin for word in command] for command in commands(line)]
    assert any(command[: len(begins)] == begins for command in found), found


def test_what_is_computed_is_known_to_be_unknown():
    (command,) = commands("a$x \"b$y\" 'c$z' d*e ~ {f,g}")
    assert [(word.begin, word.end, word.known, word.splits) for word in command] == [
        ("a", "", False, True), ("b", "", False, False), ("c$z", "c$z", True, False), ("d", "e", False, True), ("", "", False, True),
        ("", "f,g}", False, True),
    ]  # fmt: skip


@given(st.text(alphabet="ab $`'\"\\;&|<>(){}#\n", max_size=200))
def test_nonsense_is_read_to_its_end(text):
    assert isinstance(commands(text), tuple)


def test_deep_and_long_nonsense_is_read_in_time():
    for text in ("$(" * 5_000, "((((" * 2_000, "`" * 9_999, '"$(' * 3_000, "${a:-" * 3_000, "a <<E\n" * 2_000, "'" * 5_001):
        commands(text)
