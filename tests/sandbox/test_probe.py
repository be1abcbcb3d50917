"""Walls are tried, not believed: with the bubblewrap of this machine, and with programs that only say they are one."""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

import pytest

from loopdeck.sandbox import bubble
from loopdeck.sandbox import probe as probing
from loopdeck.sandbox.probe import facts, find, proof
from tests.kit.walled import bwrap, walled


def found(kept: Path | None = None) -> probing.Proof:
    return asyncio.run(proof(kept))


@pytest.fixture
def pretending(tmp_path, monkeypatch):
    """A bubblewrap that does what the test says, and no other."""

    def pretend(does: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "bwrap"
        program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "bubblewrap 0.9.9"; exit; }}\n{does}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return pretend


def test_facts_are_sentences():
    holds, said = facts()
    assert len(said) == 2
    assert all(fact.strip() and "\n" not in fact for fact in said)
    assert "bubblewrap" in said[0]
    assert holds == bool(bwrap()), said


@walled
def test_the_walls_of_this_machine_hold(tmp_path):
    kept = tmp_path / "walls.json"
    first = found(kept)
    assert first.holds, first
    assert first.program == find()
    assert json.loads(kept.read_text())["version"] == first.version


@walled
def test_a_proof_is_kept_and_holds_for_nothing_else(tmp_path, monkeypatch):
    kept = tmp_path / "walls.json"
    assert found(kept).holds

    async def refused(program: str) -> str:
        return "tried again"

    monkeypatch.setattr(probing, "_breach", refused)
    assert found(kept).holds
    for key in ("", "[]", json.loads(kept.read_text())["key"].replace("loopdeck", "x") + " "):
        kept.write_text(json.dumps({"key": key, "version": "1"}))
        assert "tried again" in found(kept).why
    kept.write_text("{")
    assert "tried again" in found(kept).why
    monkeypatch.setattr(probing, "_PROFILE", 0)
    assert "tried again" in found(kept).why


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ('echo "no permission to make namespaces"; exit 1', "no permission to make namespaces"),
        ("exit 0", "the sandbox could not be made"),
        ("exec sleep 60", ""),
    ],
)
def test_one_that_makes_no_sandbox_is_not_taken(pretending, monkeypatch, does, says):
    monkeypatch.setattr(probing, "_MOST_SECONDS", 0.3)
    monkeypatch.setattr(bubble, "_START_S", 0.5)
    pretending(does)
    told = found()
    assert not told.holds
    assert says in told.why
    assert "0.9.9" in told.why


# As the true one, with a hole: what a machine with another kernel, or a patched bubblewrap, could have. Options end with a NUL each.
HOLES = {
    "the network can be reached": ("--unshare-all", "--unshare-pid\0--unshare-uts"),
    "processes outside can be seen": ("--unshare-all", "--unshare-net\0--unshare-uts"),
    "a file outside can be written": ("--remount-ro\0/\0", "--bind\0{base}\0{base}\0"),
}
HOLED = """#!{python} -IS
import os, sys
if sys.argv[1] == "--version":
    print("bubblewrap 0.9.9")
    sys.exit()
said = os.read(int(sys.argv[2]), 1 << 20).replace({takes!r}, {gives!r})
handle = os.memfd_create("x", 0)
os.write(handle, said)
os.lseek(handle, 0, 0)
os.execv({real!r}, [{real!r}, "--args", str(handle), *sys.argv[3:]])
"""


@walled
@pytest.mark.parametrize("hole", HOLES)
def test_a_hole_is_found_and_named(tmp_path, monkeypatch, hole):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    takes, gives = (text.format(base=tmp_path).encode() for text in HOLES[hole])
    program = tmp_path / "bwrap"
    program.write_text(HOLED.format(python=sys.executable, takes=takes, gives=gives, real=bwrap()))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    # Of one in which processes outside can be seen the first process is never told.
    monkeypatch.setattr(bubble, "_START_S", 1.0)
    assert hole in found().why


def test_one_that_is_too_old_is_not_taken(tmp_path, monkeypatch):
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho bubblewrap 0.4.1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "0.4.1" in found().why
    assert "too old" in found().why


def test_a_machine_without_any(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    assert find() == ""
    assert "can't be confined" in found().why
