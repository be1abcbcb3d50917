"""New loops: their files made in the operator's checkout, by a verb and by the room's form alike.

Invariant: nothing that is there is ever written to, and what a form would write is linted by the same reader before it is written.
"""

import json
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

from msgspec import Struct

from loopdeck import shipped
from loopdeck.core.loopfile import Reading, read_loop
from loopdeck.core.loopfile.write import Answers, loop_text
from loopdeck.core.shapes import loop_name
from loopdeck.core.spec import Problem
from loopdeck.deck.decks import Deck
from loopdeck.errors import UsageError, WorkspaceError
from loopdeck.store import specs
from loopdeck.store.deckfiles import FOLDER, LOOP_FILE, LOOPS, loop_dir

REHEARSAL = "play.toml"
PYTEST = "pytest -q"
"""How the templates have tests run."""
_DULL = frozenset(
    ["a", "an", "the", "all", "every", "each", "is", "are", "and", "or", "in", "of", "to", "that", "be", "so", "with", "no", "it",
     "make", "sure", "until", "please", "stop", "at", "most", "after", "on", "by", "not", "don", "t", "for"]
)  # fmt: skip
_NAME_WORDS = 3


class Made(Struct, frozen=True):
    """A loop that was made: its files below the repository's root, and what a linter says of them."""

    files: tuple[str, ...]
    reading: Reading


def make(deck: Deck, name: str, files: Mapping[str, str]) -> Made:
    """Make the loop `name` of `files` (name in its folder → text), and the shipped skills it names and the repository lacks.

    Raises UsageError for a name that can't be one or is taken, WorkspaceError if the system refuses.
    """
    if complaint := loop_name(name):
        raise UsageError(complaint[0], remedy=complaint[1])
    folder = loop_dir(deck.root, name)
    shown = f"{LOOPS}/{name}"
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"there is a loop '{name}' already", where=shown, remedy="Take another name, or edit what is there.")
    made = {f"{shown}/{file}": text for file, text in files.items()}
    written = write_new(deck.root, made | _skills(deck.root, files[LOOP_FILE]))
    return Made(tuple(written), specs.load_loop(deck.root, name))


def files_of(answers: Answers) -> dict[str, str]:
    """The files of the loop that `answers` describe; a scripted one gets an example of a script to rehearse with."""
    files = {LOOP_FILE: loop_text(answers)}
    return files | {answers.script: shipped.play_template(answers.name)} if answers.agent == "scripted" and answers.script else files


def fitted(files: Mapping[str, str], name: str, tests: str, agent: str, model: str) -> dict[str, str]:
    """A template's `files` made to fit: its tests run by the command `tests`, if the repository shows one, its maker another.

    The scripted agent gets an example of what it plays.
    """
    text = files[LOOP_FILE]
    if tests and tests != PYTEST:
        text = text.replace(f'run = "{PYTEST}"', f"run = {json.dumps(tests)}")
        text = text.replace('allow = ["bash(pytest *)"', f'allow = [{json.dumps(f"bash({tests})")}, "bash(pytest *)"')
    if not agent:
        return {**files, LOOP_FILE: text}
    old = f'agent = "{shipped.DEFAULTS["agent"]}"\nmodel = "{shipped.DEFAULTS["model"]}"'
    if agent == "scripted":
        played = {REHEARSAL: shipped.play_template(name)}
        return {**files, LOOP_FILE: text.replace(old, f'agent = "scripted"\nscript = "{REHEARSAL}"', 1), **played}
    named = f"\nmodel = {json.dumps(model)}" if model else ""
    return {**files, LOOP_FILE: text.replace(old, f'agent = "{agent}"{named}', 1)}


def linted(deck: Deck, answers: Answers) -> Reading:
    """What a linter will say of the loop, before anything is written."""
    name, file = answers.name, f"{LOOPS}/{answers.name}/{LOOP_FILE}"
    reading = read_loop(name, loop_text(answers), file, specs.load_deck(deck.root))
    folder = loop_dir(deck.root, name)
    if loop_name(name) is None and (folder.exists() or folder.is_symlink()):
        reading = reading.also(Problem(file, 1, f"there is a loop '{name}' already", "Take another name."))
    return reading


def named_after(goal: str, taken: Collection[str]) -> str:
    """A name for a loop with that goal which none of `taken` is."""
    words = [word for word in re.findall(r"[a-z0-9]+", goal.lower()) if word not in _DULL]
    name = "-".join(words[:_NAME_WORDS])[:40].strip("-") or "loop"
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))) if one not in taken)


def write_new(root: Path, files: Mapping[str, str], *, skip: bool = False) -> list[str]:
    """Make `files` (path below `root` → text), and name those made. One that is there is an error, or with `skip` left alone."""
    made: list[str] = []
    for name, text in files.items():
        target = root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError as error:
            if skip and target.is_file():
                continue
            raise UsageError("something is there already", where=str(error.filename or target), remedy="Move it away first.") from error
        except OSError as error:
            raise WorkspaceError(f"can't be made: {error.strerror}", where=str(target)) from error
        made.append(name)
    return made


def _skills(root: Path, text: str) -> dict[str, str]:
    """The shipped skills that the loop file `text` names and the repository lacks."""
    lacking = set(tomllib.loads(text).get("skills", ())) - set(specs.find_skills(root).found)
    return {f"{FOLDER}/skills/{name}/{file}": text for name in sorted(lacking) for file, text in shipped.skill(name).items()}
