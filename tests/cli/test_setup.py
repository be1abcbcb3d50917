"""`init`, `new` and `check`: a deck and its loops, and nothing that was there is touched."""

import re
import tomllib

import pytest

from loopdeck import shipped
from tests.cli.loops import fixer
from tests.kit.repos import git, make_repo


def test_init_makes_a_deck_once(front, inside):
    door = front({})
    first = inside(door, "init", "--json").json
    file = door.repo / ".loopdeck" / "deck.toml"
    assert first["files"] == [".loopdeck/deck.toml"]
    assert file.read_text(encoding="utf-8") == shipped.deck_template()
    file.write_text("# mine\n", encoding="utf-8")
    again = inside(door, "init")
    assert "nothing was changed" in again.out
    assert inside(door, "init", "--json").json["files"] == []
    assert file.read_text(encoding="utf-8") == "# mine\n"


def test_init_says_what_comes_next(front, inside):
    door = front({})
    said = inside(door, "init").out
    assert "loopdeck new" in said
    assert all(name in said for name in shipped.templates())
    inside(door, "new", "first")
    assert "loopdeck check" in inside(door, "init").out


@pytest.mark.parametrize("template", shipped.templates())
def test_new_makes_a_loop_that_lints(front, inside, template):
    door = front({})
    made = inside(door, "new", "mine", "--template", template, "--json").json
    assert made["loop"] == "mine"
    assert [one for one in made["problems"] if not one["warning"]] == []
    assert made["files"][0] == ".loopdeck/loops/mine/loop.toml"
    assert all((door.repo / file).is_file() for file in made["files"])
    spec = tomllib.loads((door.repo / made["files"][0]).read_text(encoding="utf-8"))
    for skill in spec.get("skills", ()):
        assert f".loopdeck/skills/{skill}/SKILL.md" in made["files"]
    assert inside(door, "check", "mine").code == 0


def test_a_skill_of_ones_own_is_not_replaced(front, inside):
    text = "---\nname: fixing-tests\ndescription: Mine.\n---\nMine.\n"
    door = front({".claude/skills/fixing-tests/SKILL.md": text})
    made = inside(door, "new", "mine", "--template", "fix-tests", "--json").json
    assert made["files"] == [".loopdeck/loops/mine/loop.toml"]


def test_new_names_the_five_decisions_with_their_lines(front, inside):
    door = front({})
    said = inside(door, "new", "mine").out
    text = (door.repo / ".loopdeck/loops/mine/loop.toml").read_text(encoding="utf-8").splitlines()
    for number, step in enumerate(("task", "check", "stop", "budget", "schedule"), 1):
        assert f"{number}. {step}" in said
    lines = [int(part.split(")")[0]) for part in said.split("(line ")[1:]]
    assert [text[line - 1].split(" ")[0] for line in lines] == ["goal", "[[check]]", "max_iterations", "max_cost_usd"]


def test_bad_names_make_nothing(front, inside):
    door = front({})
    for name in ("", ".", "..", "a/b", "../up", "A", "a b", "-x", "a..b", "x.lock", "é", "n" * 65, "a\nb", "\x1b[31m"):
        said = inside(door, "new", "--", name)
        assert said.code == 2, name
        assert "can't be a loop's name" in said.err
        assert "Use up to 64" in said.err
        assert not (door.repo / ".loopdeck").exists()


def test_new_refuses_what_is_there_and_unknown_templates(front, inside):
    door = front(fixer("mine"))
    before = git(door.repo, "status", "--porcelain", "--ignored")
    there = inside(door, "new", "mine")
    assert (there.code, "already" in there.err) == (2, True)
    wrong = inside(door, "new", "other", "--template", "minmal")
    assert (wrong.code, "Did you mean minimal?" in wrong.err) == (2, True)
    assert git(door.repo, "status", "--porcelain", "--ignored") == before


def test_a_link_or_file_in_the_way_is_not_followed(front, inside, tmp_path):
    door = front({})
    loops = door.repo / ".loopdeck" / "loops"
    loops.mkdir(parents=True)
    (loops / "linked").symlink_to(tmp_path / "elsewhere")
    assert inside(door, "new", "linked").code == 2
    assert not (tmp_path / "elsewhere").exists()
    (loops / "file").write_text("")
    assert inside(door, "new", "file").code == 2


def test_outside_of_a_repository_the_remedy_is_named(front, tmp_path):
    door = front({})
    outside = tmp_path / "outside"
    outside.mkdir()
    for args in (["init"], ["new", "x"], ["check"], ["status"], ["where"]):
        said = door.run(*args, cwd=outside)
        assert said.code == 2
        assert "not inside a git repository" in said.err
        assert "git init" in said.err
        assert said.out == ""
    assert list(outside.iterdir()) == []


def test_verbs_work_in_any_folder_of_the_repository(front):
    door = front({"deep/er/file.txt": "x", **fixer()})
    assert door.run("status", "--json", cwd=door.repo / "deep" / "er").json["loops"][0]["loop"] == "fixer"
    door.run("new", "mine", cwd=door.repo / "deep")
    assert (door.repo / ".loopdeck/loops/mine/loop.toml").is_file()
    assert not (door.repo / "deep" / ".loopdeck").exists()


def test_another_repository_is_another_deck(front, tmp_path):
    door = front(fixer())
    other = make_repo(tmp_path / "other" / "repo", {"x": "y"})
    mine, theirs = door.ok("where", "--json").json, door.ok("where", "--json", cwd=other).json
    assert mine["home"] != theirs["home"]
    assert door.ok("status", "--json", cwd=other).json["loops"] == []


def test_check_says_file_line_and_remedy(front, inside):
    door = front({**fixer("good"), ".loopdeck/loops/bad/loop.toml": 'goal = "x"\nmakr = 1\n'})
    said = inside(door, "check")
    assert said.code == 2
    assert "good: fine" in said.out
    assert ".loopdeck/loops/bad/loop.toml:2:" in said.out
    one = next(entry for entry in inside(door, "check", "bad", "--json").json["loops"][0]["problems"] if entry["line"] == 2)
    assert "maker" in one["remedy"]
    assert inside(door, "check", "good").code == 0
    assert inside(door, "check", "goood").code == 2


@pytest.mark.parametrize("template", ["minimal", "fix-tests"])
def test_new_takes_the_command_that_runs_the_tests_that_are_there(front, inside, template):
    door = front({"test_a.py": "import unittest\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        pass\n"})
    inside(door, "new", "mine", "--template", template)
    spec = tomllib.loads((door.repo / ".loopdeck/loops/mine/loop.toml").read_text(encoding="utf-8"))
    assert spec["check"][0]["run"] == "python3 -m unittest"
    assert "bash(python3 -m unittest)" in spec.get("gates", {}).get("allow", ["bash(python3 -m unittest)"])
    assert inside(door, "check", "mine").code == 0


def test_a_new_scripted_loop_plays_an_example_that_can_be_edited(front, inside):
    door = front({"test_a.py": "import unittest\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.fail()\n"})
    said = inside(door, "new", "mine", "--agent", "scripted")
    assert said.code == 0
    assert "asks no model: it plays .loopdeck/loops/mine/play.toml" in said.out
    play = door.repo / ".loopdeck/loops/mine/play.toml"
    play.write_text(re.sub(r"(?m)^delay_s = .*$", "delay_s = 0.0", play.read_text("utf-8")), "utf-8")
    assert inside(door, "check", "mine").out.count("error") == 0
    assert door.run("start", "mine", "--wait").code == 12
    entry = door.entry("mine")
    assert (entry["reason"], entry["iteration"] > 1, entry["usage"]["cost_usd"] > 0) == ("no_progress", True, True)
    assert "Replace this play by a real agent" in inside(door, "state", "mine").out


@pytest.mark.parametrize(("agent", "named"), [("openai", True), ("claude", False), ("codex", False)])
def test_another_maker_brings_its_model_unless_it_chooses_one_itself(front, inside, agent, named):
    door = front({})
    assert inside(door, "new", "mine", "--agent", agent).code == 0
    spec = tomllib.loads((door.repo / ".loopdeck/loops/mine/loop.toml").read_text(encoding="utf-8"))
    assert (spec["maker"]["agent"], "model" in spec["maker"]) == (agent, named)
