"""`doctor`: what the machine offers, what it doesn't, and never the value of a key."""

import json
import os
import shutil
import stat

import pytest

from tests.cli.loops import fixer
from tests.kit.repos import git

KEY = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.usefixtures("without_walls")
def test_it_says_what_is_there(front):
    door = front({**fixer(), ".loopdeck/loops/bad/loop.toml": 'goal = "x"\n'})
    said = door.ok("doctor", "--json").json
    assert said["git"]["ok"]
    assert {one["agent"]: bool(one["key"]) for one in said["agents"]} == {"anthropic": False, "openai": False, "scripted": True}
    assert all(one["sdk"] for one in said["agents"] if one["agent"] != "scripted")
    assert not said["sandbox"]["confines"]
    assert "unsandboxed" in " ".join(said["sandbox"]["facts"])
    deck = said["deck"]
    assert deck["loops"] == ["bad", "fixer"]
    assert {one["file"] for one in deck["problems"]} == {".loopdeck/loops/bad/loop.toml"}
    assert deck["free_bytes"] > 0
    assert deck["max_runs"] >= 1
    text = door.ok("doctor").out
    for wanted in ("git", "agent anthropic", "no key", "unsandboxed", str(door.repo), "loops", "problems", "runs at once"):
        assert wanted in text


def test_a_key_is_named_by_its_place_and_never_shown(front):
    door = front({})
    env = {"ANTHROPIC_API_KEY": KEY, "MY_SERVICE_TOKEN": "qP7-hush-hush-zz91", "PLAIN": "hello"}
    for args in (["doctor"], ["doctor", "--json"]):
        said = door.run(*args, env=env)
        assert "key from ANTHROPIC_API_KEY" in said.out or '"key": "ANTHROPIC_API_KEY"' in said.out
        assert all(value not in said.out + said.err for value in (KEY, KEY[:20], "hush"))
    seen = door.run("doctor", "--json", env=env).json["environment"]
    assert set(seen["redacted"]) == {"ANTHROPIC_API_KEY", "MY_SERVICE_TOKEN"}
    assert {"anthropic", "github", "private_key"} <= set(seen["redacted_kinds"])
    assert len(seen["redacted_kinds"]) >= 18
    assert not {"ANTHROPIC_API_KEY", "MY_SERVICE_TOKEN", "PLAIN"} & set(seen["seen"])
    assert {"PATH", "HOME"} <= set(seen["seen"])


def programs(folder, **scripts):
    """A PATH with these before the usual one."""
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (folder / name).chmod(stat.S_IRWXU)
    return folder


def test_agents_with_loops_of_their_own_are_named_with_what_they_can_and_can_not_show(front, tmp_path):
    door = front({})
    folder = programs(
        tmp_path / "bin", claude="echo '2.1.329 (Claude Code)'", codex="echo wondering; sleep 600 & exit 3", gemini="echo v0.61.0"
    )
    env = {"PATH": os.pathsep.join([str(folder), door.env["PATH"]])}
    claude, codex, gemini = door.run("doctor", "--json", env=env).json["outside"]
    assert (claude["agent"], claude["path"], claude["version"]) == ("claude", str(folder / "claude"), "2.1.329")
    assert "puts every call before the gate first" in claude["says"]
    assert claude["lacks"] == claude["hides"] == []
    assert codex["version"] == ""
    assert any("edited arguments" in one for one in codex["lacks"])
    assert (gemini["agent"], gemini["program"], gemini["version"]) == ("acp", "gemini", "0.61.0")
    assert gemini["hides"]
    text = door.run("doctor", env=env).out
    assert "agent claude     claude 2.1.329" in text
    assert "agent codex      codex of an unknown version" in text
    assert "but it takes no edited arguments" in text
    assert "agent acp        acp: gemini 0.61.0" in text
    assert "not seen: reading, searching" in text
    assert "no key in the environment or a keyring: it goes by its own login" in text


def test_agents_that_are_not_there_are_named_as_what_a_loop_could_have(front, tmp_path):
    door = front({})
    folder = programs(tmp_path / "bin", claude="echo 2.1.329")
    for name in ("git", "sh"):
        (folder / name).symlink_to(shutil.which(name))
    text = door.run("doctor", env={"PATH": str(folder), "ANTHROPIC_API_KEY": "k"}).out
    assert "key from ANTHROPIC_API_KEY, which it never sees" in text
    assert "agent codex      not installed: there is no `codex` on the PATH" in text
    assert "agent acp        not installed: none of opencode, gemini, qwen" in text
    assert "agent command    any program of yours" in text


def test_without_git_it_ends_with_14_and_the_remedy(front, tmp_path):
    door = front({})
    empty = tmp_path / "empty"
    empty.mkdir()
    said = door.run("doctor", env={"PATH": str(empty)})
    assert said.code == 14
    assert "Install git" in said.out
    assert json.loads(door.run("doctor", "--json", env={"PATH": str(empty)}).out)["git"]["ok"] is False
    assert door.run("status", env={"PATH": str(empty)}).code == 0


def test_outside_of_a_repository_it_still_answers(front, tmp_path):
    door = front({})
    outside = tmp_path / "outside"
    outside.mkdir()
    assert "not inside a git repository" in door.ok("doctor", cwd=outside).out
    assert door.ok("doctor", "--json", cwd=outside).json["deck"] is None


def test_a_home_that_cant_be_used_is_said(front):
    door = front(fixer())
    door.ok("start", "fixer", "--wait")
    home = door.ok("where", "--json").json["home"]
    os.chmod(home, 0o777)  # noqa: PTH101 - a path out of a document
    said = door.ok("doctor", "--json").json["deck"]["home_problem"]
    os.chmod(home, 0o700)  # noqa: PTH101 - a path out of a document
    assert "others may write" in said


def test_filters_of_the_repository_are_listed_and_said_to_be_off_for_makers(front):
    door = front({})
    git(door.repo, "config", "filter.lfs.process", "git-lfs filter-process")
    git(door.repo, "config", "merge.mine.driver", "true")
    said = door.ok("doctor").out
    assert "filter lfs, merge mine: off wherever a maker has written" in said
    assert {"kind": "filter", "name": "lfs"} in door.ok("doctor", "--json").json["deck"]["drivers"]
