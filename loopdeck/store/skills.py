"""Skills: folders with a SKILL.md, whose front matter says what they are called and when to use them.

They are looked for in the deck, and where other agents keep theirs; the first of a name wins. Of the front matter
only flat `key: value` lines are understood, which is all that name and description need.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from loopdeck.core.spec import Problem
from loopdeck.store.files import is_there
from loopdeck.store.texts import read_text

PLACES = (".loopdeck/skills", ".claude/skills", ".agents/skills")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LINE = re.compile(r"([A-Za-z0-9_-]+):(?:[ \t]+(.*))?")
_FENCE = "---"


class Skill(Struct, frozen=True):
    """A skill. `path` is its SKILL.md, relative to the repository root; `text` is what follows the front matter."""

    name: str
    description: str
    path: str
    text: str

    @property
    def whole(self) -> str:
        """The skill as it is frozen: name and description, a plain line each, above its text."""
        return f"---\nname: {self.name}\ndescription: {' '.join(self.description.split())}\n---\n{self.text}"


class Skills(Struct, frozen=True):
    """All skills by name, and what is wrong with the others, by the name of their folder."""

    found: dict[str, Skill]
    broken: dict[str, Problem]


def find_skills(root: Path) -> Skills:
    """The skills of the repository at `root`."""
    skills = Skills({}, {})
    for folder, shown in _folders(root):
        file = f"{shown}/{folder.name}/SKILL.md"
        read = read_text(folder / "SKILL.md", file)
        skill = read if isinstance(read, Problem) else read_skill(read, file)
        if isinstance(skill, Problem):
            skills.broken.setdefault(folder.name, skill)
        else:
            skills.found.setdefault(skill.name, skill)
    return skills


def read_skill(text: str, file: str) -> Skill | Problem:
    """The skill that the SKILL.md `text` is."""
    lines = text.split("\n")
    ends = [number for number, line in enumerate(lines) if line.rstrip() == _FENCE]
    if len(ends) < 2 or ends[0] != 0:
        remedy = "Begin it with a line `---`, then `name: …` and `description: …`, then `---` again."
        return Problem(file, 1, "has no front matter", remedy)
    values: dict[str, str] = {}
    for number, line in enumerate(lines[1 : ends[1]], start=2):
        found = _LINE.fullmatch(line.rstrip())
        if found is None or found[1] not in {"name", "description"}:
            continue
        value = _value(found[2] or "")
        if value is None or not value:
            what = f"`{found[1]}` is not one line of text"
            return Problem(file, number, what, f"Write `{found[1]}: …` on one line, without `>`, `|` or a list.")
        if found[1] == "name" and not _NAME.fullmatch(value):
            return Problem(file, number, f"can't be a skill's name: {value[:60]!r}", "Use letters, digits and `-`.")
        values[found[1]] = value
    for key in ("name", "description"):
        if key not in values:
            return Problem(file, 1, f"its front matter has no {key}", f"Write `{key}: …` between the `---` lines.")
    return Skill(values["name"], values["description"], file, "\n".join(lines[ends[1] + 1 :]).strip("\n"))


def _folders(root: Path) -> Iterator[tuple[Path, str]]:
    for place in PLACES:
        try:
            folders = sorted(root.joinpath(place).iterdir())
        except OSError:
            continue
        yield from ((folder, place) for folder in folders if is_there(folder / "SKILL.md"))


def _value(written: str) -> str | None:
    """A scalar of one line; None for what is more than that."""
    written = written.strip()
    match written[:1]:
        case '"':
            try:
                value = json.loads(written)
            except ValueError:
                return None
            return value if isinstance(value, str) else None
        case "'":
            return written[1:-1].replace("''", "'") if len(written) > 1 and written.endswith("'") else None
        case ">" | "|" | "[" | "{" | "&" | "*" | "!":
            return None
        case _:
            return re.sub(r"\s+#.*", "", written)
