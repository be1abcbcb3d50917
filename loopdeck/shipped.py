"""What loopdeck brings along: sample projects, skills and templates, as files.

Templates are part of the package. Sample projects and skills lie beside it in a checkout and below `_shipped/` in an installed
wheel; whoever asks here need not know which of the two it is.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from string import Template

from loopdeck.errors import UsageError, WorkspaceError

PACKAGE = Path(__file__).resolve().parent
DEFAULTS: Mapping[str, str] = {"agent": "anthropic", "model": "claude-sonnet-4-5", "loop": "NAME"}
"""What fills the `$variables` of a template unless something else is given."""
MODELS: Mapping[str, str] = {"anthropic": DEFAULTS["model"], "openai": "gpt-5", "claude": "", "codex": "", "scripted": ""}
"""The agents that a new loop's maker can be, and its model if nothing else was said; Claude Code and Codex choose one themselves."""
AGENTS = tuple(MODELS)


def sample_project(name: str = "workshop", *, package: Path = PACKAGE) -> Path:
    """The folder of a sample project, to be copied and never written to. Raises UsageError for an unknown name."""
    folder = _shipped("sample-projects", package)
    known = _folders(folder)
    if name not in known:
        raise _unknown("sample project", name, known)
    return folder / name


def shipped_skills(*, package: Path = PACKAGE) -> Path:
    """The folder that holds a folder for each shipped skill."""
    return _shipped("skills", package)


def skill(name: str, *, package: Path = PACKAGE) -> dict[str, str]:
    """The files of a shipped skill, to be written into a folder of its name: path below it → text. Raises UsageError."""
    folder = shipped_skills(package=package)
    known = _folders(folder)
    if name not in known:
        raise _unknown("skill", name, known)
    files = sorted(file for file in (folder / name).rglob("*") if file.is_file())
    return {file.relative_to(folder / name).as_posix(): file.read_text(encoding="utf-8") for file in files}


def templates() -> tuple[str, ...]:
    """Names of the loop templates, sorted."""
    return _folders(PACKAGE / "templates")


def template(name: str, values: Mapping[str, str] = DEFAULTS) -> dict[str, str]:
    """The files of a loop made from a template: file name → text, `loop.toml` first, with `values` over the defaults filled in.

    Raises UsageError for an unknown name.
    """
    known = templates()
    if name not in known:
        raise _unknown("template", name, known)
    files = sorted((PACKAGE / "templates" / name).iterdir(), key=lambda file: (file.suffix != ".toml", file.name))
    return {file.name: _filled(file, {**DEFAULTS, **values}) for file in files}


def deck_template() -> str:
    """The text of a new `deck.toml`: every default, commented out."""
    return (PACKAGE / "templates" / "deck.toml").read_text(encoding="utf-8")


def play_template(loop: str) -> str:
    """The text of an example of what a scripted maker plays, for a loop of that name."""
    return _filled(PACKAGE / "templates" / "play.toml", {"loop": loop})


def _shipped(what: str, package: Path) -> Path:
    """`what` of the wheel, else of the checkout around the package. Raises WorkspaceError if there is neither."""
    for folder in (package / "_shipped" / what, package.parent / what):
        if folder.is_dir():
            return folder
    raise WorkspaceError(f"this installation lacks {what}/", where=str(package), remedy="Install loopdeck again.")


def _folders(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "_"))))


def _filled(file: Path, values: Mapping[str, str]) -> str:
    text = file.read_text(encoding="utf-8")
    return Template(text).substitute(values) if file.suffix == ".toml" else text


def _unknown(what: str, name: str, known: tuple[str, ...]) -> UsageError:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return UsageError(f"there is no {what} {name!r}", remedy=f"{hint}There are: {', '.join(known)}.")


def prompt_text(name: str) -> str:
    """The prompt template `name` of the package."""
    return (PACKAGE / "prompts" / name).read_text(encoding="utf-8")
