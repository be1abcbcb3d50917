"""Odd arguments: whatever is typed, an exit code and a sentence come back, nothing else, and nothing is broken by it."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.cli.app import main
from loopdeck.cli.arguments import VERBS
from tests.cli.loops import fixer
from tests.kit.front import opened
from tests.kit.hostile import FAMILIES, harm_in
from tests.kit.repos import git

# What starts processes that live on, watches for ever or fills folders has tests of its own.
TRIED = sorted(set(VERBS) - {"start", "once", "serve", "demo", "gameday", "init", "new", "discard", "merge", "clean"})
ODD = st.one_of(
    st.sampled_from([
        "", " ", "-", "--", "---", "-x", "--json", "--json=1", "--jso", "--why", "--edit", "--history", "--stat", "--now", "--help-me",
        ".", "..", "/", "~", "*", "fixer", "fixer ", "FIXER", "2", "20", "nothing", "../../../etc/passwd", "a" * 5000, "\n", "0", "-1",
        "1e9", "NaN", "pass", "fail", "max_iterations", "null", "{}", '{"a":', "'", '"', "\\", "%s%n", "{0}", "$(touch pwned)",
        "; touch pwned", "\udcff\udcfe", "--iteration", "--kind", "--follow", "é", "日本語", *FAMILIES.values(),
    ]),
    st.text(max_size=12).filter(lambda text: "\0" not in text),
)  # fmt: skip
CODES = {0, 1, 2, 14}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """A deck with a run that has ended."""
    with opened(tmp_path_factory.mktemp("mistakes"), {"README.md": "# A project\n", **fixer()}) as door:
        door.ok("start", "fixer", "--wait")
        yield door
        assert git(door.repo, "status", "--porcelain") == ""


@settings(max_examples=100)
@given(verb=st.sampled_from(TRIED), words=st.lists(ODD, max_size=4))
def test_no_words_break_a_verb(door, verb, words, monkeypatch, capsys):
    if "--watch" in words or "--wat" in words:
        return
    with monkeypatch.context() as patch:
        patch.chdir(door.repo)
        for name, value in door.env.items():
            patch.setenv(name, value)
        for name in ("EDITOR", "VISUAL"):
            patch.delenv(name, raising=False)
        try:
            code: object = main([verb, *words])
        except SystemExit as ended:
            code = ended.code
    said = capsys.readouterr()
    assert code in CODES, (verb, words, said)
    assert not harm_in(said.out + said.err), (verb, words, harm_in(said.out + said.err))
    assert code == 0 or said.err or verb == "check", (verb, words)


def test_arguments_that_are_no_text(door):
    for args in ([b"show", b"\xff\xfe"], [b"\xff"], [b"state", b"\x80"], [b"new", b"a\xffb"], [b"trace", b"fixer", b"--kind", b"\xff"]):
        command = [os.fsencode(sys.executable), b"-m", b"loopdeck", *args]
        done = subprocess.run(command, cwd=door.repo, env=door.env, capture_output=True, check=False)
        assert done.returncode in CODES
        assert b"Traceback" not in done.stderr
        done.stderr.decode("utf-8")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_of_another_time_gets_numbers_for_signs(door, encoding):
    for args in (["show", "fixer"], ["show", "日本語"]):
        said = subprocess.run(
            [sys.executable, "-m", "loopdeck", *args], cwd=door.repo, env={**door.env, "PYTHONIOENCODING": encoding},
            capture_output=True, check=False,
        )  # fmt: skip
        assert said.returncode in (0, 2)
        assert b"Traceback" not in said.stderr
        said.stdout.decode(encoding)


def test_a_closed_output_is_no_traceback(door):
    for place in ("1>&-", "2>&-", "1>&- 2>&- <&-", "1>/dev/full"):
        for args in ("status", "show nothing", "--help"):
            line = f'"{sys.executable}" -m loopdeck {args} {place}'
            done = subprocess.run(["/bin/sh", "-c", line], cwd=door.repo, env=door.env, capture_output=True, check=False)
            assert b"Traceback" not in done.stderr + done.stdout, (line, done)


def test_a_home_that_cant_be_made_is_said(door):
    for home in ("/dev/null/x", "/proc/x", str(door.repo / "README.md")):
        said = door.run("start", "fixer", env={"LOOPDECK_HOME": home})
        assert said.code in (2, 14), said
        assert "Traceback" not in said.err
        assert home.rstrip("x").rstrip("/") in said.err
        assert door.run("status", env={"LOOPDECK_HOME": home}).code in (0, 14)


def test_a_folder_that_has_gone_is_said(door, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f'rmdir "{gone}"; "{sys.executable}" -m loopdeck status'
    done = subprocess.run(["/bin/sh", "-c", line], cwd=gone, env=door.env, capture_output=True, check=False)
    assert done.returncode == 2, done
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(("typed", "meant"), [("statsu", "status"), ("stop", "set"), ("aprove", "approve"), ("lst", "")])
def test_a_word_that_is_no_verb_has_the_nearest_one_named(capsys, typed, meant):
    assert main([typed]) == 2
    said = capsys.readouterr().err
    assert f"there is no verb '{typed}'" in said
    assert (f"Did you mean `loopdeck {meant}`?" in said) is bool(meant)
    assert "loopdeck --help" in said
