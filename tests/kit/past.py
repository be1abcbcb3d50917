"""A deck with a past: loops that were run to their ends by the scripted agent, for tests of what is read and shown afterwards.

`climber` needs three iterations: two checks fail in the first, one in the second, none in the third; it writes its state each time.
`stuck` fails the same way until a detector ends it. `asker` waits for an approval. `fresh` has no run, but skill, rubric and prompt.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.loops import loop, turn, write
from tests.kit.front import Front, opened

ONE_TWO = (
    {"name": "one", "run": "grep -q one answer.txt"},
    {"name": "two", "run": "grep -q two answer.txt || { echo 'answer.txt:1: two is missing'; exit 1; }"},
    {"name": "tidy", "run": "! grep -q TODO answer.txt || { echo 'answer.txt:1: a TODO is left'; exit 1; }"},
)


def _round(number: int, text: str) -> list[dict[str, object]]:
    state = ("update_state", {"content": f"# State\n\nwritten in iteration {number}\n"})
    first = turn(f"Writing, the {number}. time.", write("answer.txt", text), state, iteration=number)
    return [first, turn("Done.")]


def climber(name: str = "climber") -> dict[str, str]:
    """Done in its third iteration."""
    turns = [*_round(1, "one TODO\n"), *_round(2, "one two TODO\n"), *_round(3, "one two\n")]
    return loop(name, turns, checks=ONE_TWO, end={"max_iterations": 5})


def stuck(name: str = "stuck") -> dict[str, str]:
    """Ends by no progress."""
    turns = [one for number in (1, 2, 3) for one in _round(number, "one TODO\n")]
    return loop(name, turns, checks=ONE_TWO, end={"max_iterations": 9, "no_progress": 2})


def asker(name: str = "asker") -> dict[str, str]:
    """Waits for a person before its first command."""
    turns = [turn("May I?", ("bash", {"command": "echo hello > answer.txt"})), turn("Done.")]
    return loop(name, turns, checks=[{"name": "answered", "run": "test -f answer.txt"}], gates={"ask": ["bash"]})


def fresh(name: str = "fresh") -> dict[str, str]:
    """Never run; stands on a skill, a prompt and a rubric."""
    rubric = {"name": "judge", "rubric": "RUBRIC.md", "agent": "scripted", "script": "judge.toml"}
    files = loop(name, [turn("Done.")], checks=[{"name": "there", "run": "test -f answer.txt"}, rubric], skills=["tidying"])
    folder = f".loopdeck/loops/{name}"
    skill = "---\nname: tidying\ndescription: How to tidy up.\n---\nPut things back.\n"
    return files | {
        f"{folder}/PROMPT.md": "At length.\n",
        f"{folder}/RUBRIC.md": "# Rubric\n\n- clear: It is clear.\n",
        f"{folder}/judge.toml": 'model = "claude-sonnet-4-5"\n[[turn]]\ntext = "{}"\n',
        ".loopdeck/skills/tidying/SKILL.md": skill,
    }


@contextmanager
def past_deck(base: Path) -> Iterator[Front]:
    """The deck of these four, their runs started and, but for the one that asks, ended."""
    with opened(base, {"README.md": "# A project\n", **climber(), **stuck(), **asker(), **fresh()}) as front:
        front.ok("start", "climber", "stuck", "asker")
        front.until_ended("climber")
        front.until_ended("stuck")
        front.until("asker", "asking")
        yield front
