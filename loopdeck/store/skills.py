"""Skills: folders with a SKILL.md, whose front matter says what they are called and when to use them.

They are looked for in the deck, and where other agents keep theirs; the first of a name wins. The open format holds: what it forbids
is a problem with its line, what only another agent understands is let be. Nothing a skill says about itself opens anything:
`allowed-tools` is checked for its shape and grants no call.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from loopdeck.core.skillhead import Entry, Head, read_head
from loopdeck.core.spec import Problem
from loopdeck.core.tables import nearest
from loopdeck.store.files import is_there
from loopdeck.store.texts import read_text

PLACES = (".loopdeck/skills", ".agents/skills", ".claude/skills")
MOST_FILES = 64
MOST_BYTES = 1 << 20
"""Files beside a SKILL.md, and what they may come to together: they are frozen with every run."""
_FILE = "SKILL.md"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MOST = {"name": 64, "description": 1024, "compatibility": 500}
_FENCE = "---"
_OPEN = ("name", "description", "license", "compatibility", "metadata", "allowed-tools")
_OTHERS = (
    "when_to_use", "argument-hint", "arguments", "disable-model-invocation", "user-invocable", "disallowed-tools", "model", "effort",
    "context", "agent", "background", "hooks", "paths", "shell", "version",
)  # fmt: skip
"""Keys beyond the open format that some agent understands; they have no effect here."""


class Skill(Struct, frozen=True, omit_defaults=True):
    """A skill. `path` is its SKILL.md, relative to the repository root; `text` is what follows the front matter.

    `warnings` are what a person should know and no run stumbles over.
    """

    name: str
    description: str
    path: str
    text: str
    license: str = ""
    compatibility: str = ""
    metadata: dict[str, str] = {}
    allowed_tools: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def whole(self) -> str:
        """The skill as it is frozen: name and description, a plain line each, above its text."""
        return f"---\nname: {self.name}\ndescription: {' '.join(self.description.split())}\n---\n{self.text}"


class Skills(Struct, frozen=True):
    """All skills by name, what is wrong with the others by the name of their folder, and the SKILL.md that each name hides."""

    found: dict[str, Skill]
    broken: dict[str, Problem]
    hidden: dict[str, tuple[str, ...]] = {}


def find_skills(root: Path) -> Skills:
    """The skills of the repository at `root`."""
    found: dict[str, Skill] = {}
    broken: dict[str, Problem] = {}
    hidden: dict[str, tuple[str, ...]] = {}
    for folder, shown in _folders(root):
        file = f"{shown}/{folder.name}/{_FILE}"
        read = read_text(folder / _FILE, file)
        skill = read if isinstance(read, Problem) else read_skill(read, file)
        if isinstance(skill, Problem):
            broken.setdefault(folder.name, skill)
        elif (winner := found.get(skill.name)) is None:
            found[skill.name] = skill
        elif winner.whole != skill.whole:
            hidden[skill.name] = (*hidden.get(skill.name, ()), file)
    return Skills(found, broken, hidden)


def read_skill(text: str, file: str) -> Skill | Problem:
    """The skill that the SKILL.md `text` is."""
    lines = text.split("\n")
    ends = [number for number, line in enumerate(lines) if line.rstrip() == _FENCE]
    if len(ends) < 2 or ends[0] != 0:
        remedy = "Begin it with a line `---`, then `name: …` and `description: …`, then `---` again."
        return Problem(file, 1, "has no front matter", remedy)
    head = read_head(lines[1 : ends[1]], 2)
    for key, entry in head.entries.items():
        if complaint := _complaint(key, entry):
            return Problem(file, entry.line, *complaint)
    for key in ("name", "description"):
        if key not in head.entries:
            return Problem(file, 1, f"its front matter has no {key}", f"Write `{key}: …` between the `---` lines.")
    body = "\n".join(lines[ends[1] + 1 :]).strip("\n")
    name = _text(head, "name")
    return Skill(
        name, _text(head, "description"), file, body,
        license=_text(head, "license"), compatibility=_text(head, "compatibility"), metadata=_pairs(head),
        allowed_tools=_tools(head.entries.get("allowed-tools")), warnings=tuple(_warnings(head, name, body, file, ends[1] + 2)),
    )  # fmt: skip


class Beside(Struct, frozen=True):
    """What lies beside a SKILL.md: texts by path in its folder, and what of it the maker does not get."""

    texts: dict[str, str]
    warnings: tuple[Problem, ...] = ()


def beside(root: Path, skill: Skill) -> Beside:
    """The files of a skill. Left out, and said, is what is no text, leads out of the folder, or is beyond the bounds."""
    folder = root / skill.path.removesuffix(f"/{_FILE}")
    home = os.path.realpath(folder)
    texts: dict[str, str] = {}
    told: list[Problem] = []
    size = 0
    for name in _files(folder):
        shown = f"{skill.path.removesuffix(_FILE)}{name}"
        if not os.path.realpath(folder / name).startswith(home + os.sep):
            told.append(_left_out(shown, "is a link that leads out of the skill's folder", "Put the file itself in its place."))
            continue
        text = read_text(folder / name, shown)
        if isinstance(text, Problem):
            told.append(_left_out(shown, text.what, text.remedy))
            continue
        size += len(text.encode())
        if len(texts) == MOST_FILES or size > MOST_BYTES:
            what = f"goes beyond the {MOST_FILES} files and {MOST_BYTES >> 20} MiB a skill may have beside it, with all after it"
            told.append(_left_out(shown, what, "Take out what the skill can do without."))
            break
        texts[name] = text
    return Beside(texts, tuple(told))


def _complaint(key: str, entry: Entry) -> tuple[str, str] | None:
    """What the open format has against the value of a key, and how to mend it."""
    value = entry.value
    match key:
        case "name" | "description" | "license" | "compatibility" if not isinstance(value, str) or not value.strip():
            return f"`{key}` is not one line of text", f"Write `{key}: …` on one line, in quotes if it begins with a special character."
        case "name" if not _NAME.fullmatch(str(value)) or len(str(value)) > _MOST[key]:
            fitting = "-".join(re.findall(r"[a-z0-9]+", str(value).lower()))[: _MOST[key]].strip("-") or "my-skill"
            return f"can't be a skill's name: {str(value)[:60]!r}", f"Use a-z, 0-9 and single `-`, at most 64: `name: {fitting}`."
        case "description" | "compatibility" if len(str(value)) > _MOST[key]:
            what = f"`{key}` has {len(str(value))} characters, more than the {_MOST[key]} it may"
            return what, "Say it in fewer words; what is long belongs below the front matter."
        case "metadata" if not isinstance(value, dict) and value != "":
            return "`metadata` is not a list of `key: text`", "Write each below it on a line of its own, two spaces in."
        case "allowed-tools" if not isinstance(value, str | tuple):
            return "`allowed-tools` is not a line of tools", "Write their names on one line, with spaces between."
        case _:
            return None


def _warnings(head: Head, name: str, body: str, file: str, begins: int) -> Iterator[Problem]:
    folder = file.rpartition("/")[0].rpartition("/")[2]
    if folder and folder != name:
        remedy = "Give both the same name: other agents take the folder's."
        yield Problem(file, head.entries["name"].line, f"skill {name!r} lies in a folder called {folder!r}", remedy, warning=True)
    for line in head.strays:
        remedy = "Write `key: text`, each key once."
        yield Problem(file, line, "this line of the front matter is not understood", remedy, warning=True)
    for key, entry in head.entries.items():
        if key not in _OPEN and key not in _OTHERS:
            remedy = nearest(key, _OPEN) or "Put what is your own below `metadata`."
            yield Problem(file, entry.line, f"no agent knows the key {key!r}", remedy, warning=True)
    if not body.strip():
        yield Problem(file, begins, f"skill {name!r} has no text", "Write below the front matter what is to be done.", warning=True)


def _text(head: Head, key: str) -> str:
    entry = head.entries.get(key)
    return entry.value if entry is not None and isinstance(entry.value, str) else ""


def _pairs(head: Head) -> dict[str, str]:
    entry = head.entries.get("metadata")
    return entry.value if entry is not None and isinstance(entry.value, dict) else {}


def _tools(entry: Entry | None) -> tuple[str, ...]:
    """The tools named: by spaces or commas, but not by those within brackets (`Bash(git add:*) Read`)."""
    value: str | tuple[str, ...] | Mapping[str, str] | None = entry.value if entry is not None else ""
    if isinstance(value, tuple):
        return value
    return tuple(re.findall(r"[^\s,(]+(?:\([^)]*\))?", value)) if isinstance(value, str) else ()


def _left_out(shown: str, what: str, remedy: str) -> Problem:
    return Problem(shown, 1, f"{what}: the maker does not get it", remedy, warning=True)


def _files(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one != "__pycache__")
        inner = Path(place).relative_to(folder)
        yield from (name for file in sorted(files) if not file.startswith(".") and (name := (inner / file).as_posix()) != _FILE)


def _folders(root: Path) -> Iterator[tuple[Path, str]]:
    for place in PLACES:
        try:
            folders = sorted(root.joinpath(place).iterdir())
        except OSError:
            continue
        yield from ((folder, place) for folder in folders if is_there(folder / _FILE))
