"""Which programs are trusted: those at an absolute place that no maker and nobody else can change."""

import json

import pytest

from loopdeck.core.gate import Policy, judge
from loopdeck.tools.programs import Programs


@pytest.fixture
def place(tmp_path):
    for name in ("trusted", "tree", "tree/bin"):
        (tmp_path / name).mkdir()
    for name in ("trusted/git", "tree/bin/git", "tree/bin/evil"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def programs(place, *path):
    return Programs({"PATH": ":".join(path)}, (place / "tree",))


def test_the_first_one_on_the_path_counts(place):
    found = programs(place, f"{place}/none", f"{place}/trusted")
    assert found.found("git") == (f"{place}/trusted/git", "")
    assert found.doubt("git") == ""
    assert found.doubt(f"{place}/trusted/git") == ""


@pytest.mark.parametrize(
    ("path", "word", "said"),
    [
        (("{}/tree/bin", "{}/trusted"), "git", "its maker can change it"),
        (("", "{}/trusted"), "git", "wherever the command runs"),
        ((".", "{}/trusted"), "git", "wherever the command runs"),
        (("bin", "{}/trusted"), "git", "wherever the command runs"),
        (("{}/trusted",), "evil", "there is no program"),
        (("{}/trusted",), "./git", "in the worktree"),
        (("{}/trusted",), "bin/git", "in the worktree"),
        (("{}/trusted",), "{}/tree/bin/git", "its maker can change it"),
        (("{}/trusted",), "{}/trusted/../tree/bin/git", "its maker can change it"),
        (("{}/trusted",), "/none/git", "there is no program"),
    ],
)
def test_what_is_not_trusted(place, path, word, said):
    found = programs(place, *(one.format(place) for one in path))
    assert said in found.doubt(word.format(place))


def test_a_link_into_the_worktree_is_the_worktree(place):
    (place / "trusted" / "git").unlink()
    (place / "trusted" / "git").symlink_to(place / "tree" / "bin" / "git")
    assert "its maker can change it" in programs(place, f"{place}/trusted").doubt("git")


@pytest.mark.parametrize("loose", ["trusted", "trusted/git"])
def test_what_anybody_may_write_is_not_trusted(place, loose):
    (place / loose).chmod(0o777)
    assert "can be changed by others" in programs(place, f"{place}/trusted").doubt("git")


def test_a_rule_lets_only_a_trusted_program_through(place):
    policy = Policy(allow=("bash(git status)", "bash(*)"))

    def said(command, *path):
        found = programs(place, *path)
        return judge(policy, "bash", json.dumps({"command": command}), found.doubt)

    assert said("git status", f"{place}/trusted").verdict == "allow"
    assert said("cd src", f"{place}/trusted").verdict == "allow"
    there = f"{place}/trusted"
    for command, path in (("git status", f"{place}/tree/bin"), ("./bin/git status", there), ("evil", there), ("git status", ".")):
        ruling = said(command, path)
        assert ruling.verdict == "ask", command
        assert "names it, but" in ruling.reason
    assert judge(Policy(allow=("bash",)), "bash", '{"command": "./x"}', programs(place, ".").doubt).verdict == "allow"
    assert judge(Policy(allow=("bash(*)",), confined=True), "bash", '{"command": "./x"}', programs(place, ".").doubt).verdict == "allow"
