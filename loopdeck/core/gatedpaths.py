"""Paths that a maker writes only with somebody looking: what configures git, editors, agents, package managers and shells.

Writing there is a way to run code later, outside of any sandbox. A path counts whether it exists or not, at any depth, in any
spelling that some file system takes for the same: other case, other Unicode form, invisible characters, blanks or dots at the end.
"""

import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from loopdeck.core import globs

_FOLDERS = frozenset(
    (
        *(".git", ".claude", ".codex", ".agents", ".cursor", ".gemini", ".windsurf", ".kiro", ".roo", ".continue"),
        *(".opencode", ".qwen", ".pi", ".vibe"),
        *(".vscode", ".idea", ".devcontainer", ".husky", ".yarn", ".loopdeck", ".ssh", ".gnupg"),
    )
)
_FILES = frozenset(
    (
        *(".gitmodules", ".gitattributes", ".gitconfig", ".lfsconfig", "claude.md", ".mcp.json", "agents.md", ".cursorrules"),
        *("qwen.md", "opencode.json", "opencode.jsonc"),
        *("gemini.md", ".windsurfrules", ".gitlab-ci.yml", ".envrc", "mise.toml", ".mise.toml", ".tool-versions"),
        *(".pre-commit-config.yaml", "lefthook.yml", "lefthook.yaml", ".npmrc", ".pnpmfile.cjs", "package.json"),
        *("sitecustomize.py", "usercustomize.py", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases"),
        *(".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".inputrc", ".vimrc", ".netrc", ".pypirc"),
    )
)
_BEGINNINGS = (".env", ".yarnrc")
_ENDINGS = (".code-workspace", ".pth")
_BELOW = {(".github", "workflows"), (".github", "actions"), (".github", "copilot-instructions.md"), (".config", "fish")}
_FLAGGED = frozenset({"conftest.py", "makefile", "gnumakefile", "setup.py", "noxfile.py", "tox.ini", "dockerfile"})
_UNSEEN = dict.fromkeys((0xAD, 0x34F, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF))


def normal(path: str) -> str | None:
    """`path` without empty parts, `.` and inner `..`; None if it is absolute, climbs out, is empty or can't be a path."""
    if not path or path.startswith("/") or "\0" in path:
        return None
    parts: list[str] = []
    for part in path.split("/"):
        match part:
            case "" | ".":
                continue
            case ".." if not parts:
                return None
            case "..":
                parts.pop()
            case _:
                parts.append(part)
    return "/".join(parts) or "."


def folded(path: str) -> str:
    """`path` as a file system would see it that minds neither case nor Unicode form."""
    text = unicodedata.normalize("NFKC", path).translate(_UNSEEN).casefold()
    return "/".join(part.rstrip(" .") or part for part in text.split("/"))


def gated(path: str) -> bool:
    """True for a normal path that is always for a person to see before it is written."""
    parts = folded(path).split("/")
    name = parts[-1]
    if not _FOLDERS.isdisjoint(parts) or name in _FILES or name.startswith(_BEGINNINGS) or name.endswith(_ENDINGS):
        return True
    # Short names of another time: `GIT~1` is `.git` on some file systems.
    if any(part.startswith("git~") for part in parts):
        return True
    return any(pair in _BELOW for pair in pairwise(parts))


def flagged(path: str) -> bool:
    """True for a normal path whose code tools run by themselves: worth a second look in a diff, not a question."""
    return folded(path).rpartition("/")[2] in _FLAGGED


def protected_by(path: str, protect: Iterable[str]) -> str:
    """The first pattern of `protect` that a normal path falls under in any spelling; empty if none."""
    other = folded(path)
    return next((pattern for pattern in protect if globs.matches(path, pattern) or globs.matches(other, folded(pattern))), "")
