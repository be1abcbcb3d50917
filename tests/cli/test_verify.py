"""`loopdeck verify`: an untouched record is told from one that anybody changed, wherever they did."""

import os

import pytest

from loopdeck.deck.decks import Deck
from tests.cli.loops import fixer


@pytest.fixture
def ended(front):
    """A run that has ended, and its paths."""
    door = front(fixer())
    door.ok("start", "fixer", "--wait")
    return door, Deck.open(door.repo, door.env).resolve("fixer")


def edited(path, old, new):
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def test_a_run_that_nobody_touched_is_untouched(ended, inside):
    door, _ = ended
    said = inside(door, "verify", "fixer")
    assert said.code == 0
    assert "Untouched" in said.out
    told = inside(door, "verify", "fixer", "--json").json
    assert told["untouched"] is True
    assert {one["part"] for one in told["parts"]} == {"journal", "trace", "blobs", "spec"}
    assert all(one["wrong"] is None for one in told["parts"])


@pytest.mark.parametrize("which", ["journal", "trace"])
def test_a_changed_line_is_named(ended, inside, which):
    door, paths = ended
    edited(getattr(paths, which), b'"seq":3,', b'"seq":4,')
    told = inside(door, "verify", "fixer", "--json")
    assert told.code == 1
    (wrong,) = [one["wrong"] for one in told.json["parts"] if one["part"] == which]
    assert wrong.startswith(f"{which}.jsonl:")


def test_a_line_taken_out_of_the_middle_is_named(ended, inside):
    door, paths = ended
    lines = paths.journal.read_bytes().splitlines(keepends=True)
    paths.journal.write_bytes(b"".join(lines[:4] + lines[5:]))
    said = inside(door, "verify", "fixer")
    assert said.code == 1
    assert "journal.jsonl:5" in said.out


def test_a_changed_blob_is_named(ended, inside):
    door, paths = ended
    blob = next(paths.blobs.iterdir())
    blob.write_bytes(b"something else")
    told = inside(door, "verify", "fixer", "--json")
    assert told.code == 1
    assert blob.name[:16] in next(one["wrong"] for one in told.json["parts"] if one["part"] == "blobs")


def test_a_changed_loop_is_named(ended, inside):
    door, paths = ended
    spec = paths.dir / "spec.toml"
    os.chmod(spec, 0o600)  # noqa: PTH101 - it is read-only, and a tamperer does not mind
    edited(spec, b"max_iterations = 3", b"max_iterations = 9")
    told = inside(door, "verify", "fixer", "--json")
    assert told.code == 1
    assert next(one["wrong"] for one in told.json["parts"] if one["part"] == "spec")


def test_a_tail_that_a_kill_tore_is_no_tampering(ended, inside):
    door, paths = ended
    with paths.journal.open("ab") as file:
        file.write(b'{"seq":99,"at":"20')
    said = inside(door, "verify", "fixer")
    assert said.code == 0
    assert "unfinished line" in said.out
