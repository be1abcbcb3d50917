"""Commands run as real processes in real folders."""

import hashlib
import shlex
import sys
import time

import msgspec
import pytest

from loopdeck.checks.command import run_command
from loopdeck.core.findings import Verdict
from loopdeck.core.spec import CheckSpec
from tests.checks.room import context, grade, verdict, write

CALC = {
    "calc.py": "def add(a, b):\n    return a + b - 1\n",
    "test_calc.py": 'from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5, f"expected 5, got {add(2, 3)}"\n',
}


def command(run: str, **fields) -> CheckSpec:
    return CheckSpec(name="it", run=run, **fields)


@pytest.mark.req("S2-029")
def test_exit_code_zero_passes_with_its_evidence(tmp_path) -> None:
    said, output = grade(command("echo fine; pwd"), context(tmp_path))
    assert said.passed
    assert said.kind == "command"
    assert said.findings == ()
    assert output.decode() == f"fine\n{tmp_path}\n"
    evidence = said.evidence
    assert (evidence.command, evidence.exit_code) == ("echo fine; pwd", 0)
    assert evidence.output_hash == hashlib.sha256(output).hexdigest()
    assert evidence.tail.startswith("fine")
    assert said.seconds > 0


@pytest.mark.req("S2-094")
@pytest.mark.req("S0-23")
def test_a_failed_test_is_a_finding_with_place_code_and_words(tmp_path) -> None:
    write(tmp_path, CALC)
    said = verdict(command("python -m pytest -q -p no:cacheprovider", severity="blocker"), context(tmp_path))
    assert said.outcome == "failed"
    (one,) = said.findings
    assert one.location == "test_calc.py:5"
    assert one.criterion == "test_calc.py::test_add"
    assert one.severity == "blocker"
    assert one.status == "new"
    assert "expected 5, got 4" in one.message
    assert "expected 5, got 4" in one.evidence
    assert ">" in one.snippet
    assert "assert add(2, 3) == 5" in one.snippet
    assert said.evidence.exit_code == 1


def test_the_same_failure_in_another_checkout_has_the_same_fingerprint(tmp_path) -> None:
    prints = set()
    for name, head in (("a", ""), ("b", "# a line more\n")):
        where = write(tmp_path / name, {**CALC, "test_calc.py": head + CALC["test_calc.py"]})
        said = verdict(command("python -m pytest -q -p no:cacheprovider"), context(where))
        prints.add(said.findings[0].fingerprint)
    assert len(prints) == 1


def test_absolute_paths_in_the_checkout_become_relative(tmp_path) -> None:
    write(tmp_path, {"src/a.c": "int main() {\n  return x;\n}\n"})
    said = verdict(command(f"echo {shlex.quote(str(tmp_path))}/src/a.c:2:10: error: x undeclared; exit 1"), context(tmp_path))
    (one,) = said.findings
    assert one.location == "src/a.c:2"
    assert "> 2 |   return x;" in one.snippet


def test_paths_of_a_folder_the_command_went_to_are_found(tmp_path) -> None:
    write(tmp_path, {"web/src/app.ts": "let a\n"})
    said = verdict(command('cd web && echo "src/app.ts(1,5): error TS1: no"; exit 2'), context(tmp_path))
    assert said.findings[0].location == "web/src/app.ts:1"


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside.py", "leak.py", "missing.py", "pipe.py"])
def test_a_place_outside_of_the_checkout_is_never_shown(tmp_path, path: str) -> None:
    write(tmp_path, {"outside.py": "secret = 1\n", "in/here.py": ""})
    inside = tmp_path / "in"
    (inside / "leak.py").symlink_to(tmp_path / "outside.py")
    said = verdict(command(f"mkfifo pipe.py; echo '{path}:1: error: look here'; exit 1"), context(inside))
    (one,) = said.findings
    assert one.path == ""
    assert one.snippet == ""
    assert "look here" in one.evidence
    assert "secret" not in str(said)


def test_output_without_a_place_is_one_finding_with_its_end(tmp_path) -> None:
    said = verdict(command("seq 1 3000; echo the reason is this; exit 3"), context(tmp_path))
    (one,) = said.findings
    assert "exit code 3" in one.message
    assert one.evidence.endswith("the reason is this")
    assert len(one.evidence) <= 1510
    assert said.evidence.tail.endswith("the reason is this")
    assert len(said.evidence.tail) <= 2010


@pytest.mark.req("S2-092", "S2-094")
def test_output_without_a_place_is_told_by_its_last_words(tmp_path) -> None:
    def mark(said: str, folder: str = "a") -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        run = "cat said.txt; pwd; echo 'make: *** [Makefile:2: all] Error 1'; false"
        write(tmp_path / folder, {"said.txt": f"building\n{said}\n"})
        [found] = verdict(command(run), context(tmp_path / folder)).findings
        assert "Error 1" in found.message
        return found.fingerprint

    assert mark("no rule for apples") != mark("no rule for bread")
    assert mark("no rule for apples after 3.1 s") == mark("no rule for apples after 14.7 s")
    assert mark("no rule for apples\n\n") == mark("no rule for apples")


def test_a_silent_failure_says_so(tmp_path) -> None:
    (one,) = verdict(command("exit 4"), context(tmp_path)).findings
    assert "exit code 4 and said nothing" in one.message


def test_too_many_findings_are_counted_in_the_last(tmp_path) -> None:
    write(tmp_path, {"a.py": "x\n" * 100})
    said = verdict(command('for n in $(seq 1 57); do echo "a.py:$n:1: F401 name$n unused"; done; exit 1'), context(tmp_path))
    assert len(said.findings) == 20
    assert "38 more" in said.findings[-1].message
    assert said.findings[18].location == "a.py:19"


def test_errors_come_before_warnings(tmp_path) -> None:
    write(tmp_path, {"a.c": "x\n" * 9})
    said = verdict(command("printf 'a.c:1:1: warning: hm\\na.c:2:1: error: no\\n'; exit 1"), context(tmp_path))
    assert [one.line for one in said.findings] == [2, 1]


def test_taking_too_long_is_failed_and_named(tmp_path) -> None:
    began = time.monotonic()
    said = verdict(command("echo begun; sleep 30", timeout_s=0.5), context(tmp_path))
    assert time.monotonic() - began < 5
    assert said.outcome == "failed"
    assert "timed out after 0.5 s" in said.findings[0].message
    assert "begun" in said.findings[0].evidence
    assert said.evidence.exit_code is None


@pytest.mark.parametrize("run", ["no-such-program-here --flag", "./not-there.sh"])
def test_a_command_that_is_not_there_is_an_error(tmp_path, run: str) -> None:
    said = verdict(command(run), context(tmp_path))
    assert said.outcome == "error"
    assert "command not found" in said.findings[0].message


def test_a_command_that_can_not_be_executed_is_an_error(tmp_path) -> None:
    write(tmp_path, {"check.sh": "#!/bin/sh\nexit 0\n"})
    assert verdict(command("./check.sh"), context(tmp_path)).outcome == "error"


def test_a_checkout_that_is_gone_is_an_error(tmp_path) -> None:
    said = verdict(command("true"), context(tmp_path / "gone"))
    assert said.outcome == "error"
    assert "could not be started" in said.findings[0].message


@pytest.mark.parametrize("run", ["kill -SEGV $$", "sh -c 'kill -SEGV $$'; exit $?"])
def test_the_signal_that_killed_it_is_named(tmp_path, run: str) -> None:
    said = verdict(command(run), context(tmp_path))
    assert said.outcome == "failed"
    assert "SIGSEGV" in said.findings[0].message


def test_hostile_output_is_plain_in_the_verdict(tmp_path) -> None:
    write(tmp_path, {"a.py": "x\n"})
    program = r"""
import sys
out = sys.stdout.buffer
out.write(b'\x1b[2J\x1b]0;title\x07\x00\xff\xfe\na.py:1:1: error: \x1b[31mred\x1b[0m \x9b31m\xe2\x80\xae evil\n')
out.write(b'\xc2\x9b' * 1000 + b'\n' + b'z' * 200000 + b'\n')
sys.exit(1)
"""
    write(tmp_path, {"noise.py": program})
    said = verdict(command("python noise.py"), context(tmp_path))
    encoded = msgspec.json.encode(said)
    assert msgspec.json.decode(encoded, type=Verdict) == said
    text = encoded.decode()
    assert not any(mark in text for mark in ("\\u001b", "\x1b", "\x9b", "\u202e", "\\u0000"))
    assert said.findings[0].location == "a.py:1"
    assert len(text) < 20_000


def test_ten_megabytes_of_output_are_taken_in_seconds(tmp_path) -> None:
    began = time.monotonic()
    said, output = grade(
        command(f"{shlex.quote(sys.executable)} -c 'import sys; sys.stdout.write(\"a.py:1: error: no\\n\" * 600000); sys.exit(1)'"),
        context(tmp_path),
    )
    assert time.monotonic() - began < 10
    assert said.outcome == "failed"
    assert len(output) < 2_000_000
    assert said.evidence.output_hash == hashlib.sha256(b"a.py:1: error: no\n" * 600_000).hexdigest()


def test_the_command_sees_only_the_given_environment(tmp_path) -> None:
    said, output = grade(command('echo "$GREETING,$HOME,$USER"'), context(tmp_path, env={"PATH": "/usr/bin:/bin", "GREETING": "hello"}))
    assert said.passed
    assert output.decode().startswith("hello,,")


def test_a_verdict_is_made_for_the_name_it_was_asked_for(tmp_path) -> None:
    import asyncio

    said, _ = asyncio.run(run_command(CheckSpec("other", run="exit 1", severity="minor"), context(tmp_path)))
    assert (said.check, said.severity, said.findings[0].severity) == ("other", "minor", "minor")
    assert [one.id for one in said.criteria] == ["other"]
