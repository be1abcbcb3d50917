"""Loop files on disk: `.loopdeck/` as it lies in the operator's checkout, uncommitted edits too.

Only this room knows where the operator's files are. What the texts mean is for `core.loopfile` to say; here it is
seen to that they can be read, stay inside the repository, and that the files they name are there.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from loopdeck.core.loopfile import DeckFile, Reading, Use, named, read_deck, read_loop
from loopdeck.core.script import Script, read_script
from loopdeck.core.shapes import loop_name
from loopdeck.core.spec import LoopSpec, Problem
from loopdeck.core.tables import nearest
from loopdeck.errors import UsageError
from loopdeck.store.deckfiles import DECK, FOLDER, LOOP_FILE, LOOPS, list_loops, loop_dir
from loopdeck.store.files import is_there
from loopdeck.store.frozen import Frozen, exit_hash_of, freeze, harness_of, hash_of, thaw
from loopdeck.store.skills import Skill, Skills, beside, find_skills
from loopdeck.store.texts import read_text

__all__ = [
    "DECK",
    "LOOPS",
    "Frozen",
    "Skill",
    "Skills",
    "Used",
    "exit_hash_of",
    "find_skills",
    "freeze",
    "gather",
    "harness_of",
    "hash_of",
    "initial_state",
    "list_loops",
    "load_deck",
    "load_loop",
    "loop_dir",
    "thaw",
    "used",
]

_PROMPT, _STATE = "PROMPT.md", "STATE.initial.md"


def load_deck(root: Path) -> DeckFile:
    """The deck.toml of the repository at `root`, its problems in it; without one, all defaults."""
    if not is_there(root / DECK):
        return DeckFile()
    text = _inside(root, DECK)
    return DeckFile(problems=(text,)) if isinstance(text, Problem) else read_deck(text, DECK)[0]


def load_loop(root: Path, name: str, *, deck: DeckFile | None = None, allow_self_grading: bool = False) -> Reading:
    """The loop `name` of the repository at `root`, with every problem of its files; `deck` saves reading deck.toml again.

    Never raises: a loop that isn't there, or can't be read, is a problem too.
    """
    file = f"{LOOPS}/{name}/{LOOP_FILE}"
    if complaint := loop_name(name):
        return Reading(None).also(Problem(file, 1, *complaint))
    if not is_there(root / file):
        return Reading(None).also(_no_loop(root, name, file))
    text, prompt, *others = (_optional(root, f"{LOOPS}/{name}/{part}") for part in (LOOP_FILE, _PROMPT, _STATE))
    unread = [one for one in (text, prompt, *others) if isinstance(one, Problem)]
    if isinstance(text, Problem):
        return Reading(None).also(*unread)
    reading = read_loop(
        name,
        text,
        file,
        load_deck(root) if deck is None else deck,
        prompt="" if isinstance(prompt, Problem) else prompt,
        allow_self_grading=allow_self_grading,
    )
    skills = find_skills(root) if any(use.key.startswith("skill:") for use in reading.uses) else Skills({}, {})
    named_files = (problem for use in reading.uses for problem in _problems(root, name, use, skills))
    return reading.also(*unread, *named_files)


class Used(NamedTuple):
    """A file that a loop stands on: `Use.key`, its path relative to the root (empty if nobody knows it), and its text."""

    key: str
    path: str
    text: str | Problem


def used(root: Path, spec: LoopSpec) -> Iterator[Used]:
    """The files that `spec` names, as they are now."""
    skills = find_skills(root) if spec.skills else Skills({}, {})
    for key, path, _ in named(spec):
        use = Use(key, path)
        if key.startswith("skill:"):
            found = skills.found.get(key.partition(":")[2])
            yield Used(key, found.path if found else "", _skill(skills, use))
            if found is not None:
                folder = found.path.rpartition("/")[0]
                yield from (Used(f"{key}/{name}", f"{folder}/{name}", text) for name, text in beside(root, found).texts.items())
        else:
            file = _file(root, spec.name, use)
            yield Used(key, file, _inside(root, file))


def gather(root: Path, spec: LoopSpec) -> dict[str, str]:
    """The texts that `spec` stands on, by `Use.key`, to be frozen with it. Raises UsageError if one can't be read."""
    texts: dict[str, str] = {}
    for key, _, text in used(root, spec):
        if isinstance(text, Problem):
            raise UsageError(text.what, where=text.file, remedy=text.remedy)
        texts[key] = text
    return texts


def initial_state(root: Path, name: str) -> str:
    """The text of the loop's STATE.initial.md; empty if it has none. Raises UsageError if it can't be read."""
    text = _optional(root, f"{LOOPS}/{name}/{_STATE}")
    if isinstance(text, Problem):
        raise UsageError(text.what, where=text.file, remedy=text.remedy)
    return text


def _optional(root: Path, file: str) -> str | Problem:
    return _inside(root, file) if is_there(root / file) else ""


def _inside(root: Path, file: str) -> str | Problem:
    """The text of `file`, which may be a link only to somewhere in the repository or the deck's folder."""
    path = root / file
    try:
        real = path.resolve()
    except (OSError, RuntimeError):
        return read_text(path, file)
    if any(real.is_relative_to(home.resolve()) for home in (root, root / FOLDER)):
        return read_text(path, file)
    return Problem(file, 1, "is a link that leads out of the repository", "Put the file itself in its place.")


def _no_loop(root: Path, name: str, file: str) -> Problem:
    loops = list_loops(root)
    known = f"Loops here: {', '.join(loops)}." if loops else f"Make it with `loopdeck new {name}`."
    remedy = nearest(name, loops) or known
    return Problem(file, 1, f"there is no loop {name!r}", remedy)


def _file(root: Path, name: str, use: Use) -> str:
    """The path of a used file, relative to the root. A schema may also lie beside the loop file."""
    beside = f"{LOOPS}/{name}/{use.path}"
    if use.key.startswith("schema:") and (is_there(root / use.path) or not is_there(root / beside)):
        return use.path
    return beside


def _problems(root: Path, name: str, use: Use, skills: Skills) -> list[Problem]:
    """What is wrong with a used file: at the line that names it if it can't be read, else at its own lines."""
    kind, _, _ = use.key.partition(":")
    if kind == "skill":
        text = _skill(skills, use)
        return [text] if isinstance(text, Problem) else _said_of_skill(root, use, skills)
    file = _file(root, name, use)
    text = _inside(root, file)
    if isinstance(text, Problem):
        return [Problem(use.file, use.line, f"{kind} file {file} {text.what}", text.remedy)]
    match kind:
        case "script":
            script = read_script(text, file)
            return [] if isinstance(script, Script) else list(script)
        case "schema" if file.endswith(".json"):
            return _json(text, file)
        case _ if not text.strip():
            return [Problem(use.file, use.line, f"{kind} file {file} is empty", "Write it, or don't name it.")]
        case _:
            return []


def _skill(skills: Skills, use: Use) -> str | Problem:
    name = use.key.partition(":")[2]
    if name in skills.found:
        return skills.found[name].whole
    if name in skills.broken:
        problem = skills.broken[name]
        return Problem(problem.file, problem.line, f"skill {name!r}: {problem.what}", problem.remedy)
    remedy = nearest(name, tuple(skills.found)) or f"Make {FOLDER}/skills/{name}/SKILL.md, or take it out."
    return Problem(use.file, use.line, f"there is no skill {name!r}", remedy)


def _said_of_skill(root: Path, use: Use, skills: Skills) -> list[Problem]:
    """What a person should know of a skill that can be used: its own warnings, files the maker won't see, namesakes it hides."""
    skill = skills.found[use.key.partition(":")[2]]
    remedy = "Take one of them out, or give it another name."
    hidden = skills.hidden.get(skill.name, ())
    namesakes = [
        Problem(use.file, use.line, f"skill {skill.name!r} is {skill.path}; {other} is hidden by it", remedy, warning=True)
        for other in hidden
    ]
    return [*namesakes, *skill.warnings, *beside(root, skill).warnings]


def _json(text: str, file: str) -> list[Problem]:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return [Problem(file, error.lineno, f"is not JSON: {error.msg}", f"Mend it near column {error.colno}.")]
    except (ValueError, RecursionError):
        return [Problem(file, 1, "is no JSON that can be read", "It holds a number or nesting beyond all bounds.")]
    return []
