import os
import time

import pytest

from loopdeck.tools import listing, search
from loopdeck.tools.port import ToolOutcome


def refused(outcome: ToolOutcome) -> str:
    assert outcome.is_error
    assert outcome.problem == "tool_failed"
    return outcome.output


def paths(outcome: ToolOutcome) -> list[str]:
    assert not outcome.is_error
    return [line for line in outcome.output.splitlines() if not line.startswith("[")]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**/*.py", ["src/calc.py", "src/deep/er/util.py"]),
        ("src/*.py", ["src/calc.py"]),
        ("src/*", ["src/calc.py", "src/deep/"]),
        ("src/deep/**", ["src/deep/er/util.py"]),
        ("./docs/*.md", ["docs/guide.md"]),
        ("README.md", ["README.md"]),
        ("*.md", ["README.md"]),
        ("docs", ["docs/guide.md"]),
        ("node_modules/**/*.js", ["node_modules/x/index.js"]),
        ("nothing/**", ["No file matches."]),
        ("**/.git", ["No file matches."]),
        (".git", None),
        (".git/**", None),
        ("../*", None),
        ("/etc/*", None),
        ("src/../../*", None),
    ],
)
def test_files_are_found_by_path(call, pattern, found):
    outcome = call("glob", pattern=pattern)
    if found is None:
        refused(outcome)
    else:
        assert paths(outcome) == found


def test_what_is_left_out_is_said(call, worktree):
    assert "[not looked into: node_modules]" in call("glob", pattern="**/*.js").output
    for number in range(search.MOST_PATHS + 10):
        (worktree / f"f{number:04}.txt").touch()
    assert "[10 more; use a narrower pattern]" in call("glob", pattern="*.txt").output


def test_links_are_not_walked_into(call, worktree):
    (worktree / "up").symlink_to("..")
    (worktree / "self").symlink_to(".")
    (worktree / "out.txt").symlink_to("../secret.txt")
    assert paths(call("glob", pattern="**/*.txt")) == ["No file matches."]
    assert call("grep", pattern="outside").output.startswith("No line matches.")
    refused(call("glob", pattern="up/*"))
    refused(call("grep", pattern="outside", path="up"))
    refused(call("grep", pattern="outside", path="out.txt"))


def test_a_huge_tree_is_walked_within_bounds(call, monkeypatch):
    monkeypatch.setattr(listing, "_MOST_LOOKED_AT", 3)
    assert "too many files" in call("glob", pattern="**/*").output


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"pattern": "TODO"}, ["docs/guide.md:3:TODO two (a+b)", "src/deep/er/util.py:2:# TODO one"]),
        ({"pattern": "TODO", "glob": "**/*.py"}, ["src/deep/er/util.py:2:# TODO one"]),
        ({"pattern": "TODO", "path": "docs"}, ["docs/guide.md:3:TODO two (a+b)"]),
        ({"pattern": "TODO", "path": "docs/guide.md"}, ["docs/guide.md:3:TODO two (a+b)"]),
        ({"pattern": r"^def \w+"}, ["src/calc.py:1:def add(a, b):"]),
        ({"pattern": r"one$|two"}, ["docs/guide.md:3:TODO two (a+b)", "src/deep/er/util.py:2:# TODO one"]),
        ({"pattern": "(a+b"}, ["docs/guide.md:3:TODO two (a+b)"]),
        ({"pattern": "nothing like it"}, ["No line matches."]),
        ({"pattern": "n.thing like"}, ["No line matches."]),
        ({"pattern": "(?i)todo", "path": "src"}, ["src/deep/er/util.py:2:# TODO one"]),
    ],
)
def test_lines_are_found_by_text(call, given, found):
    assert paths(call("grep", **given)) == found


def test_a_pattern_that_is_none_is_searched_as_it_stands_and_that_is_said(call):
    assert "searched as it stands" in call("grep", pattern="(a+b").output


def test_searching_is_bounded(call, worktree):
    (worktree / "many.txt").write_text("hit\n" * 1000)
    (worktree / "wide.txt").write_text("hit" + "x" * 100_000)
    (worktree / "data.bin").write_bytes(b"\0hit\n")
    for pattern in ("hit", "h[i]t"):
        shown = call("grep", pattern=pattern).output
        assert len(shown.splitlines()) <= search.MOST_LINES + 3
        assert "more than 200 lines" in shown
        assert "data.bin" not in shown
    assert len(call("grep", pattern="hit", path="wide.txt").output) < 400


def test_a_pattern_that_never_ends_is_ended(call, worktree, monkeypatch):
    monkeypatch.setattr(search, "_MOST_SECONDS", 0.5)
    (worktree / "evil.txt").write_text("a" * 60 + "!\n")
    before = time.monotonic()
    assert "took longer" in refused(call("grep", pattern="(a+)+$", path="evil.txt"))
    assert time.monotonic() - before < 10


def test_what_is_not_a_file_is_not_opened(call, worktree):
    os.mkfifo(worktree / "pipe")
    assert paths(call("grep", pattern="TODO", path="docs")) == ["docs/guide.md:3:TODO two (a+b)"]
    assert call("grep", pattern="x", path="pipe").output == "No line matches."
    assert "does not exist" in refused(call("grep", pattern="x", path="none"))
    assert "empty" in refused(call("grep", pattern=""))


def test_letters_of_any_language_are_letters(call, worktree):
    (worktree / "de.txt").write_text("Straße\nüber\n")
    assert paths(call("grep", pattern=r"^\w{4}$", path="de.txt")) == ["de.txt:2:über"]
    assert paths(call("grep", pattern="Straße", path="de.txt")) == ["de.txt:1:Straße"]
