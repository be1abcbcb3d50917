import os
from pathlib import Path

import pytest

from loopdeck.checks.reading import Checkout
from tests.checks.room import write


@pytest.fixture
def checkout(tmp_path):
    outside = write(tmp_path / "outside", {"secret.txt": "password\n"})
    inside = write(tmp_path / "inside", {"src/a.py": "".join(f"line {n}\n" for n in range(1, 11)), ".git": "gitdir: elsewhere\n"})
    (inside / "leak").symlink_to(outside)
    (inside / "leak.txt").symlink_to(outside / "secret.txt")
    (inside / "same").symlink_to("src")
    (inside / "loop").symlink_to("pool")
    (inside / "pool").symlink_to("loop")
    os.mkfifo(inside / "pipe")
    return Checkout(inside)


def test_names_become_relative_to_the_checkout(checkout) -> None:
    assert checkout.relative("src/a.py") == "src/a.py"
    assert checkout.relative("./src/../src/a.py") == "src/a.py"
    assert checkout.relative(f"{checkout.root}/src/a.py") == "src/a.py"


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../outside/secret.txt", "src/../../x", "..", ".", "a\x00b"])
def test_names_outside_are_none(checkout, name: str) -> None:
    assert checkout.relative(name) is None


def test_a_link_to_the_checkout_is_the_same_place(tmp_path) -> None:
    write(tmp_path / "real", {"a.py": "x\n"})
    (tmp_path / "alias").symlink_to("real")
    checkout = Checkout(tmp_path / "alias")
    assert checkout.relative(f"{tmp_path}/real/a.py") == "a.py"
    assert checkout.relative(f"{tmp_path}/alias/a.py") == "a.py"
    assert checkout.text("a.py") == "x\n"


@pytest.mark.parametrize("name", ["leak/secret.txt", "leak.txt", "loop", "pipe", "src", "missing", "x" * 5000, "../outside/secret.txt"])
def test_nothing_is_read_that_is_no_file_of_the_checkout(checkout, name: str) -> None:
    assert checkout.read(name) is None
    assert checkout.snippet(name, 1) == ""


def test_kinds(checkout) -> None:
    kinds = {name: checkout.kind(name) for name in ("src/a.py", "src", "same", "leak", "leak.txt", "pipe", "missing")}
    assert kinds == {
        "src/a.py": "file", "src": "folder", "same": "folder", "leak": "outside", "leak.txt": "outside", "pipe": "other", "missing": "",
    }  # fmt: skip
    assert checkout.kind("loop") in {"", "outside"}


def test_a_snippet_is_five_numbered_lines_with_the_one_marked(checkout) -> None:
    assert checkout.snippet("src/a.py", 5).split("\n") == [
        "  3 | line 3", "  4 | line 4", "> 5 | line 5", "  6 | line 6", "  7 | line 7",
    ]  # fmt: skip
    assert checkout.snippet("src/a.py", 1).split("\n")[0] == "> 1 | line 1"
    assert checkout.snippet("src/a.py", 11) == ""
    assert checkout.snippet("src/a.py", 0) == ""


def test_a_snippet_of_hostile_bytes_is_plain_and_narrow(tmp_path) -> None:
    write(tmp_path, {"a.txt": b"\x1b[2J\xff\n" + b"y" * 100_000, "b.bin": b"\x00\x01\n" * 50})
    checkout = Checkout(tmp_path)
    snippet = checkout.snippet("a.txt", 2)
    assert "\x1b" not in snippet
    assert len(snippet) < 600
    assert checkout.snippet("b.bin", 2) == ""


def test_matching_walks_no_link_and_not_git(checkout) -> None:
    assert checkout.matching(["**"]) == ["leak.txt", "loop", "pipe", "pool", "src/a.py"]
    assert checkout.matching(["src/*.py", "src/**"]) == ["src/a.py"]
    assert checkout.matching(["leak/**", ".git", "nowhere/**"]) == ["leak"]


def test_a_folder_reached_by_a_link_inside_is_named_as_the_glob_has_it(checkout) -> None:
    assert checkout.matching(["same/*.py"]) == ["same/a.py"]


def test_named_finds_the_only_file_with_that_end(tmp_path: Path) -> None:
    checkout = Checkout(write(tmp_path, {"web/src/a.ts": "", "api/src/b.ts": "", "api/x/a.ts": ""}))
    assert checkout.named("src/a.ts") == "web/src/a.ts"
    assert checkout.named("b.ts") == "api/src/b.ts"
    assert checkout.named("a.ts") is None
    assert checkout.named("c.ts") is None
