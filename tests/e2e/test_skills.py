"""A loop's skills at work: listed by name, read when needed, their files at hand, and put back if a maker changes them."""

import pytest

from loopdeck.core import trace as tr
from tests.cli.loops import loop, turn
from tests.e2e.seat import Seat

SKILL = {
    ".agents/skills/style/SKILL.md": (
        "---\nname: style\ndescription: >-\n  How we write,\n  in two lines.\nlicense: MIT\n---\nBe brief. Run `scripts/count.sh`.\n"
    ),
    ".agents/skills/style/scripts/count.sh": "#!/bin/sh\necho counted by the skill\n",
    ".agents/skills/style/words.md": "Plain words.\n",
}
TAMPER = "chmod u+w .loop/skills/style/words.md && echo tampered > .loop/skills/style/words.md"


@pytest.mark.req("S2-015", "S2-056")
def test_the_files_of_a_skill_are_at_hand_and_not_to_be_changed(front):
    turns = [
        turn("Reads.", ("skill", {"name": "style"}), ("read_file", {"path": ".loop/skills/style/words.md"}), iteration=1),
        turn("Runs.", ("bash", {"command": ".loop/skills/style/scripts/count.sh"}), ("bash", {"command": TAMPER})),
        turn("Writes.", ("write_file", {"path": ".loop/skills/style/words.md", "content": "mine"})),
        turn("Done."),
        turn("Reads again.", ("read_file", {"path": ".loop/skills/style/words.md"}), iteration=2),
        turn("Done."),
    ]
    never = [{"name": "never", "run": "test -f never"}]
    end = {"max_iterations": 2, "no_progress": False}
    door: Seat = front(loop("said", turns, skills=["style"], checks=never, end=end, gates={"allow": ["bash"]}), SKILL)
    run = door.ended("said", 10)
    first = door.prompts("said", 1)[0]
    assert "- style: How we write, in two lines." in first["skills"]
    assert "Be brief" not in "".join(first.values()), "the text is read when it is needed"
    read, words, ran, _, refused, again = [one.output for one in door.trace("said") if isinstance(one, tr.ToolReturned)]
    assert "Be brief." in read
    assert "`.loop/skills/style/scripts/count.sh`, `.loop/skills/style/words.md`" in read
    assert "Plain words." in words
    assert "counted by the skill" in ran
    assert "Not run" in refused
    assert "Plain words." in again
    assert "tampered" not in again
    assert [one.files for one in run.iterations] == [0, 0], "nothing of it is the run's work"


@pytest.mark.req("S2-056")
def test_an_agent_of_ones_own_is_told_of_the_same_skill_and_finds_it(front):
    agent = (
        "import pathlib, sys\nprompt = sys.stdin.read()\n"
        "assert '- style: How we write, in two lines.' in prompt and 'Be brief' not in prompt, prompt\n"
        "assert '.loop/skills/NAME/SKILL.md' in prompt, prompt\n"
        "pathlib.Path('answer.txt').write_text(pathlib.Path('.loop/skills/style/SKILL.md').read_text())\n"
    )
    files = loop("said", [], maker={"agent": "command", "command": "python3 agent.py"}, skills=["style"],
                 checks=[{"name": "read", "run": "grep -q 'count.sh' answer.txt"}], end={"max_iterations": 1})  # fmt: skip
    files.pop(".loopdeck/loops/said/play.toml")
    path = ".loopdeck/loops/said/loop.toml"
    door: Seat = front(files | {path: files[path].replace('script = "play.toml"\n', ""), "agent.py": agent}, SKILL)
    door.done("said")


def test_a_skill_is_frozen_when_its_run_starts(front):
    turns = [turn("Waits.", ("bash", {"command": "true"})), turn("Reads.", ("skill", {"name": "style"})), turn("Done.")]
    door: Seat = front(loop("said", turns, skills=["style"], gates={"ask": ["bash"]}), SKILL)
    door.ok("start", "said")
    door.until("said", "asking")
    (door.repo / ".agents/skills/style/SKILL.md").write_text("---\nname: style\ndescription: x\n---\nBe long.\n")
    door.allow("said")
    door.until_ended("said")
    assert "Be brief." in door.outputs("said")[1]
