"""The shell policy against bash itself: what a rule lets through runs as it was read, and nothing else with it."""

import json
import random

import pytest

from loopdeck.core.gate import Policy, judge
from loopdeck.core.shellwords import plain
from tests.core.corpus import rows
from tests.core.shellroom import BASH, Room
from tests.core.shellstrings import LINES

pytestmark = pytest.mark.skipif(not BASH, reason="bash is not here")

_LOOKING = """
ls, echo, cat, head, tail, wc, sed, gsed, rg, find, fd, fdfind, sort, uniq, shuf, split, grep, awk, mawk, gawk, python3
perl, make, curl, wget, ping, dig, nslookup, git, git log, git status, git diff, git show, git config user.email, test
[, printf, declare, typeset, local, export, readonly, let, read, unset, mapfile, compgen, complete, history, jobs
getopts, wait, enable, set, shopt, hash, alias, cd, pushd, pwd, env, nice, timeout, xargs, nohup, stdbuf, setsid, exec
command, builtin, source, ., eval, trap, bash, sh, dash, busybox, prog, time, npm, yarn, pip, ssh, nc, f, id, true, :
evil, coproc
"""
LOOKING = tuple(name for row in rows(_LOOKING) for name in row.split(", "))
"""Commands that somebody may have allowed for looking around, or without thinking."""
POLICY = Policy(allow=(*(f"bash({name})" for name in LOOKING), *(f"bash({name} *)" for name in LOOKING), "bash(*)"))


def allowed(line: str, policy: Policy = POLICY) -> bool:
    return judge(policy, "bash", json.dumps({"command": line})).verdict == "allow"


NARROW = Policy(allow=tuple(rule for rule in POLICY.allow if rule != "bash(*)"))
_MEANT = """
dd if=x of=M
tar -cf M x
tar cf M x
touch M
mkdir M
mkfifo M
rm x
cp x M
mv x M
ln x M
ln -s x M
install x M
truncate -s1 M
tee M
"""
MEANT = frozenset(rows(_MEANT))
"""Lines that do just what their first word says."""


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path)


def stands(room: Room, line: str, policy: Policy = NARROW) -> bool:
    """True if the line was allowed, and bash ran its words, nothing else, and nothing came of it."""
    if not allowed(line, policy):
        return False
    words = plain(line)
    assert words is not None
    assert room.ran(line) == [list(words)], line
    assert not room.changed(), line
    return True


@pytest.mark.req("S2-099")
def test_there_are_hundreds_of_them_and_each_class_is_there():
    assert len(LINES) >= 300


def test_what_a_rule_lets_through_bash_runs_as_it_was_read(room):
    through = [line for line in LINES if stands(room, line)]
    # What is left are lines that look like an attack and are none.
    assert len(through) < 40, through


def test_the_rule_for_any_plain_command_lets_through_plain_commands_only(room):
    for line in LINES:
        if allowed(line) and line not in MEANT:
            words = plain(line)
            assert words is not None
            assert room.ran(line) == [list(words)], line
            assert not room.changed(), line
            room.fresh()


def acting(room: Room, lines: list[str]) -> list[str]:
    """Those of `lines` that change something when bash runs them."""
    found = []
    for line in lines:
        room.run(line)
        if room.changed():
            found.append(line)
            room.fresh()
    return found


def test_the_lines_do_what_they_are_feared_for_and_are_not_let_through(room):
    harmful = acting(room, list(LINES[::8]))
    assert len(harmful) > 25
    assert [line for line in harmful if allowed(line, NARROW)] == []
    assert [line for line in harmful if allowed(line) and line not in MEANT] == []


@pytest.mark.chaos
def test_all_of_the_lines_do_what_they_are_feared_for_or_fail_and_none_is_let_through(room):
    harmful = acting(room, list(LINES))
    assert len(harmful) > 250
    assert [line for line in harmful if allowed(line, NARROW)] == []
    assert [line for line in harmful if allowed(line) and line not in MEANT] == []


# Made up by chance


_PIECES = (
    *("echo", "printf", "test", "ls", "cat", "git log", "git", "sed", "find .", "sort", "declare", "export", "cd", "pwd", "head"),
    *("touch M", "x", "M", "-n", "-v", "-c", "-o", "--output=M", "-exec", "1p", "s/a/b/", "a[$(touch M)]", "a[0]", "evil", "./evil"),
    *("=", "a=b", "..", "'", '"', "\\", "`", "$", "$(", ")", "${", "}", "((", "))", "[[", "]]", "[", "]", "{", ",", "!", "#", "~", "*"),
    *("?", "^", "@", "%", ";", "&", "&&", "|", "||", ">", ">>", "<", "<<", "<<<", ">|", "<(", ">(", "&>", "2>", "|&", ";;", "\n"),
    *("\\\n", "\t", "  ", "\r", "\v", "$'", '$"', "$IFS", "${IFS}", "$x", "$0", "$$", "$!", "if", "then", "fi", "do", "done", "time"),
    *("coproc", "function", "in", "case", "é", "\u00a0", "\u2028", "\u202e", "\x1b", "\x7f", "\ufeff", "！", "；", "＞", "touch"),
    *("eval", "'touch M'", '"touch M"', "\\M"),
)


def made_up(rng: random.Random) -> str:
    """A line that begins like an allowed command, or one of ours with a few characters changed."""
    if rng.random() < 0.4:
        line = list(rng.choice(LINES))
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(line) + 1)
            line[at : at + rng.randint(0, 2)] = rng.choice(_PIECES)
        return "".join(line)
    glue = rng.choice((" ", " ", ""))
    return rng.choice(_PIECES[:15]) + " " + glue.join(rng.choices(_PIECES, k=rng.randint(1, 6)))


def through(room: Room, seed: int, count: int) -> int:
    """How many of `count` made-up lines are let through, each of which is run."""
    rng = random.Random(seed)
    passed = 0
    for _ in range(count):
        line = made_up(rng)
        if "\0" not in line and line.split()[:1] != ["touch"] and allowed(line, NARROW):
            assert stands(room, line), line
            passed += 1
    return passed


@pytest.mark.parametrize("seed", range(2))
def test_made_up_lines_that_are_let_through_run_as_they_were_read(room, seed):
    assert through(room, seed, 400) > 10


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_made_up_lines(room, seed):
    assert through(room, 100 + seed, 1000) > 50
