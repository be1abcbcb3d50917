"""The arguments of every built-in tool: as types, as JSON Schema text for models, and as words for a model that got them wrong.

Names, order and texts of the schemas are part of a prompt's cached beginning: a change costs every running loop its cache.
"""

import json
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from loopdeck.core.conversation import ToolSchema

MAX_TIMEOUT_S = 600
DEFAULT_TIMEOUT_S = 120
_Count = Annotated[int, Meta(ge=1)]
_Seconds = Annotated[float, Meta(gt=0)]


class Bash(Struct, frozen=True, forbid_unknown_fields=True):
    """`timeout_s` above the most there is counts as the most."""

    command: str
    timeout_s: _Seconds = DEFAULT_TIMEOUT_S


class ReadFile(Struct, frozen=True, forbid_unknown_fields=True):
    """`offset` counts lines from 1; `limit` is in lines."""

    path: str
    offset: _Count = 1
    limit: _Count = 2000


class WriteFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole new content."""

    path: str
    content: str


class EditFile(Struct, frozen=True, forbid_unknown_fields=True):
    """`old` stands for exactly one place, unless all are meant."""

    path: str
    old: str
    new: str
    replace_all: bool = False


class Glob(Struct, frozen=True, forbid_unknown_fields=True):
    """A path glob, `**` for any depth."""

    pattern: str


class Grep(Struct, frozen=True, forbid_unknown_fields=True):
    """A regular expression, where to look, and which files."""

    pattern: str
    path: str = "."
    glob: str = "**"


class UpdateState(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole new state."""

    content: str


class Skill(Struct, frozen=True, forbid_unknown_fields=True):
    """A skill's name."""

    name: str


Arguments = Bash | ReadFile | WriteFile | EditFile | Glob | Grep | UpdateState | Skill

TYPES: dict[str, type[Struct]] = {
    "bash": Bash,
    "read_file": ReadFile,
    "write_file": WriteFile,
    "edit_file": EditFile,
    "glob": Glob,
    "grep": Grep,
    "update_state": UpdateState,
    "skill": Skill,
}

_PATH = "Path relative to the root of the worktree, with `/`."
_DESCRIBED: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "bash": (
        "Run a shell command at the root of the worktree and read its output and exit code. Every call is a shell of its own; what it "
        "leaves running is ended. Read, write and search files with the other tools instead.",
        {
            "command": ("string", "The command line."),
            "timeout_s": ("number", f"Seconds until it is ended; {DEFAULT_TIMEOUT_S} if not given, at most {MAX_TIMEOUT_S}."),
        },
    ),
    "read_file": (
        "Read a text file. The lines come numbered; the numbers are not part of the file.",
        {
            "path": ("string", _PATH),
            "offset": ("integer", "First line to read, counted from 1."),
            "limit": ("integer", "How many lines to read; 2000 if not given."),
        },
    ),
    "write_file": (
        "Write a whole file, new or in place of what was there. Folders on the way are made. To change a part, use edit_file.",
        {"path": ("string", _PATH), "content": ("string", "The whole content.")},
    ),
    "edit_file": (
        "Replace a piece of text in a file. `old` must occur exactly once, so give it with enough of its surroundings, or set "
        "replace_all.",
        {
            "path": ("string", _PATH),
            "old": ("string", "The text to replace, exactly as it is in the file, without line numbers."),
            "new": ("string", "The text to put there."),
            "replace_all": ("boolean", "Replace every occurrence."),
        },
    ),
    "glob": (
        "Find files by path, sorted by path.",
        {"pattern": ("string", "A glob relative to the root of the worktree: `src/**/*.py`; `**` stands for any depth.")},
    ),
    "grep": (
        "Search the text of files, line by line.",
        {
            "pattern": ("string", "A Python regular expression; what is not one is searched as it stands."),
            "path": ("string", "File or folder to search; the whole worktree if not given."),
            "glob": ("string", "Search only files whose path from the root matches: `**/*.py`."),
        },
    ),
    "update_state": (
        "Replace the loop's state, the memory that later iterations start from: what is done, what is open, what was learned. Keep it "
        "short, 32 KiB at most.",
        {"content": ("string", "The whole new state, in Markdown.")},
    ),
    "skill": (
        "Read a skill: instructions for a kind of task, written for this project.",
        {"name": ("string", "The skill's name.")},
    ),
}


def _schema(tool: str) -> ToolSchema:
    description, fields = _DESCRIBED[tool]
    needed = [field.name for field in msgspec.structs.fields(TYPES[tool]) if field.required]
    schema = {
        "type": "object",
        "properties": {name: {"type": kind, "description": text} for name, (kind, text) in fields.items()},
        "required": needed,
        "additionalProperties": False,
    }
    return ToolSchema(tool, description, json.dumps(schema, ensure_ascii=False, separators=(",", ":")))


SCHEMAS: dict[str, ToolSchema] = {tool: _schema(tool) for tool in TYPES}


def shape(tool: str) -> str:
    """What the arguments of `tool` look like, in short: `{path, offset?, limit?}` with their types."""
    fields = _DESCRIBED[tool][1]
    needed = {field.name for field in msgspec.structs.fields(TYPES[tool]) if field.required}
    return "{" + ", ".join(f'"{name}"{"" if name in needed else "?"}: {kind}' for name, (kind, _) in fields.items()) + "}"


def parse(tool: str, arguments: str) -> Struct | str:
    """The arguments of a call, or what is wrong with them and how they should look."""
    try:
        given: Struct = msgspec.json.decode(arguments.encode("utf-8", "surrogatepass"), type=TYPES[tool])
    except (msgspec.DecodeError, RecursionError) as error:
        return f"The arguments of {tool} make no sense: {error}. It takes a JSON object: {shape(tool)}"
    for name in ("command", "path", "pattern", "glob"):
        if "\0" in getattr(given, name, ""):
            return f"The arguments of {tool} make no sense: `{name}` holds a NUL character, which it can't."
    return given
