"""What a repository shows of the commands that grade it: its manifests read, nothing run, nothing guessed from file endings.

A project's own word (a script of its package, a target of its Makefile) comes after the plain tool, whose output is understood better.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from loopdeck.core.intent.facts import Facts, Purpose

_MOST = 1 << 20
_HIDDEN = (".git", ".loopdeck", "node_modules", "__pycache__")
_SCRIPTS: dict[Purpose, tuple[str, ...]] = {
    "tests": ("test", "tests"),
    "lint": ("lint",),
    "types": ("typecheck", "type-check", "types", "tsc"),
    "format": ("format:check", "check-format", "prettier:check"),
    "build": ("build",),
}
_TARGETS: dict[Purpose, tuple[str, ...]] = {
    "tests": ("test", "tests", "check"),
    "lint": ("lint",),
    "types": ("types", "typecheck", "mypy"),
    "format": ("format-check", "check-format"),
    "build": ("build", "all"),
}
_TARGET = re.compile(r"^([A-Za-z0-9_-]+)\s*:(?!=)", re.MULTILINE)
_PURPOSES: tuple[Purpose, ...] = ("tests", "lint", "types", "format", "build")

_LOOKED_AT = 20
_FOR_PYTEST = re.compile(r"^(?:async )?def test_|^\s*(?:import|from) pytest\b", re.MULTILINE)
"""What unittest would not run."""

Commands = dict[Purpose, str]


def surroundings(root: Path) -> Facts:
    """The facts of the repository at `root`; what can't be read shows nothing."""
    folders, files = _listed(root)
    found: Commands = {}
    for commands in (_python(root, folders, files), _node(root, files), _cargo(files), _go(files), _make(root, files)):
        for purpose, command in commands.items():
            found.setdefault(purpose, command)
    tests, lint, types, formatting, build = (found.get(purpose, "") for purpose in _PURPOSES)
    return Facts(tests, lint, types, formatting, build, folders, files)


def _listed(root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        entries = sorted(root.iterdir())
    except OSError:
        return (), ()
    plain = [one for one in entries if one.name not in _HIDDEN]
    return tuple(one.name for one in plain if one.is_dir()), tuple(one.name for one in plain if one.is_file())


def _python(root: Path, folders: tuple[str, ...], files: tuple[str, ...]) -> Commands:
    text = "\n".join(_text(root / name) for name in ("pyproject.toml", "setup.cfg", "tox.ini", "requirements-dev.txt") if name in files)
    tools = _table(_table(_toml(root / "pyproject.toml")).get("tool"))
    found: Commands = {}
    tests = next((name for name in ("tests", "test") if name in folders), "")
    style = _style(root, tests)
    wanted = "pytest" in tools or "pytest.ini" in files or re.search(r"\bpytest\b", text)
    if wanted or style == "pytest" or (style == "neither" and not text):
        found["tests"] = "pytest -q"
    elif style:
        found["tests"] = _unittest(root, tests)
    if "ruff" in tools or "ruff.toml" in files or ".ruff.toml" in files or re.search(r"\bruff\b", text):
        found["lint"] = "ruff check ."
        if "format" in _table(tools.get("ruff")):
            found["format"] = "ruff format --check ."
    elif ".flake8" in files or re.search(r"\bflake8\b", text):
        found["lint"] = "flake8"
    if "black" in tools:
        found["format"] = "black --check ."
    if "mypy" in tools or "mypy.ini" in files:
        named = _table(tools.get("mypy")).keys() & {"files", "packages", "modules"}
        found["types"] = "mypy" if named else "mypy ."
    elif "pyright" in tools or "pyrightconfig.json" in files:
        found["types"] = "pyright"
    return found


def _style(root: Path, tests: str) -> Literal["pytest", "unittest", "neither", ""]:
    """How the tests there are written, by the first of them; empty if there are none."""
    found = sorted((root / tests).rglob("test_*.py") if tests else root.glob("test_*.py"))[:_LOOKED_AT]
    texts = [_text(file) for file in found]
    if any(_FOR_PYTEST.search(text) for text in texts):
        return "pytest"
    return "unittest" if any("unittest" in text for text in texts) else "neither" if texts else ""


def _unittest(root: Path, tests: str) -> str:
    if not tests:
        return "python3 -m unittest"
    top = " -t ." if (root / tests / "__init__.py").is_file() else ""
    return f"python3 -m unittest discover -s {tests}{top}"


def _node(root: Path, files: tuple[str, ...]) -> Commands:
    if "package.json" not in files:
        return {}
    try:
        scripts = _table(_table(json.loads(_text(root / "package.json"))).get("scripts"))
    except (ValueError, RecursionError):
        return {}
    runner = "pnpm" if "pnpm-lock.yaml" in files else "yarn" if "yarn.lock" in files else "npm"
    found: Commands = {}
    for purpose, names in _SCRIPTS.items():
        name = next((name for name in names if isinstance(scripts.get(name), str)), "")
        if name and "no test specified" not in scripts[name]:
            found[purpose] = f"{runner} test" if name == "test" else f"{runner} run {name}"
    if "types" not in found and "tsconfig.json" in files:
        found["types"] = "npx tsc --noEmit"
    return found


def _cargo(files: tuple[str, ...]) -> Commands:
    if "Cargo.toml" not in files:
        return {}
    return {
        "tests": "cargo test",
        "lint": "cargo clippy -- -D warnings",
        "types": "cargo check",
        "format": "cargo fmt --check",
        "build": "cargo build",
    }


def _go(files: tuple[str, ...]) -> Commands:
    if "go.mod" not in files:
        return {}
    return {"tests": "go test ./...", "lint": "go vet ./...", "format": 'test -z "$(gofmt -l .)"', "build": "go build ./..."}


def _make(root: Path, files: tuple[str, ...]) -> Commands:
    name = next((name for name in ("GNUmakefile", "makefile", "Makefile") if name in files), "")
    targets = set(_TARGET.findall(_text(root / name))) if name else set()
    found: Commands = {}
    for purpose, names in _TARGETS.items():
        if target := next((one for one in names if one in targets), ""):
            found[purpose] = f"make {target}"
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST).decode("utf-8", "replace")
    except OSError:
        return ""


def _toml(path: Path) -> object:
    try:
        return tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
