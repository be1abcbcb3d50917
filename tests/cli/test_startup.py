"""How light the verbs are: what they import, what they cost before they do anything."""

import json
import resource
import subprocess
import sys

import pytest

from loopdeck.cli.arguments import VERBS
from tests.cli.loops import fixer, waiting

HEAVY = {
    "asyncio",
    "textual",
    "rich",
    "anthropic",
    "openai",
    "git",
    "httpx",
    "pydantic",
    "jsonschema",
    "genai_prices",
    "psutil",
    "tomli_w",
}
MOST_CPU_S = 0.15
"""Seconds of CPU that a verb may take to start, as product work promises it on a quiet machine."""
_LOOKING = """
import json, sys
from loopdeck.cli.app import main
code = main(sys.argv[1:])
sys.stdout.write("\\n" + json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def imported(front, *args):
    """What a fresh interpreter has imported once the verb is done: its code and the top-level names."""
    command = [sys.executable, "-c", _LOOKING, *args]
    done = subprocess.run(command, cwd=front.repo, env=front.env, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    code, names = json.loads(done.stdout.splitlines()[-1])
    return code, set(names)


@pytest.fixture
def busy(front):
    """A deck with a run that has ended, and one that is going on."""
    door = front({**fixer(), **waiting()})
    door.ok("start", "waiting")
    door.ok("start", "fixer", "--wait")
    return door


def test_looking_imports_nothing_heavy(busy):
    for args in (
        ["status"],
        ["status", "--json"],
        ["show", "fixer"],
        ["trace", "fixer"],
        ["approvals"],
        ["where"],
        ["state", "fixer"],
        ["diff", "fixer"],
        ["nudge", "waiting", "a word"],
    ):
        code, names = imported(busy, *args)
        assert code == 0, args
        assert not names & HEAVY, (args, names & HEAVY)


def test_linting_loads_a_price_list_and_no_sdk(busy):
    code, names = imported(busy, "check")
    assert code == 0
    assert not names & {"anthropic", "openai", "git", "textual", "rich", "jsonschema"}


def test_runs_that_have_ended_are_told_without_understanding_them(front):
    door = front({**fixer("one"), **fixer("two"), **fixer("never")})
    door.ok("start", "one", "two", "--wait")
    before = door.ok("status", "--json").json
    for args in (["status"], ["status", "--json"]):
        code, names = imported(door, *args)
        assert code == 0
        assert not names & {*HEAVY, "msgspec", "subprocess", "dataclasses"}, args
    cards = list(door.base.glob("home/*/runs/*/*/card.json"))
    assert len(cards) == 2
    for each in cards:
        each.unlink()
    assert door.ok("status", "--json").json == before


def test_a_verb_is_not_imported_before_it_is_named():
    code = "import sys, loopdeck.cli.arguments as a; a.parser(); print([m for m in sys.modules if m.startswith('loopdeck.cli.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['loopdeck.cli.arguments']"


def cpu_of(command, **more) -> float:
    """Seconds of CPU that a process takes, the least of three."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True, **more)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(3))


def test_starting_a_verb_costs_little(front):
    """Measured against an interpreter that does nothing, so that a busy machine says the same as a quiet one."""
    door = front(fixer())
    bare = cpu_of([sys.executable, "-c", "pass"])
    slack = max(1.0, bare / 0.012)
    for args in (["--help"], ["status"], ["where"], ["show", "--help"]):
        taken = cpu_of([sys.executable, "-m", "loopdeck", *args], cwd=door.repo, env=door.env)
        assert taken <= 2 * MOST_CPU_S * slack, (args, taken, bare)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help(verb, capsys):
    from loopdeck.cli.app import main

    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"loopdeck {verb}" in said
    assert len(said.splitlines()) > 3


def test_a_reader_that_has_had_enough_is_no_error(front):
    door = front({})
    process = door.start("status")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(20) == 0
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.stdin is not None
    process.stdin.close()


def test_the_help_names_every_verb_and_alone_it_wants_a_terminal(front):
    door = front({})
    helped, alone = door.ok("--help").out, door.run()
    assert all(verb in helped for verb in VERBS)
    assert alone.code == 2
    assert "the room needs a terminal" in alone.err
    assert door.ok("--version").out.startswith("loopdeck ")
    assert not (door.repo / ".loopdeck").exists()
