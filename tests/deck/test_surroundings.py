"""What repositories of several kinds show of the commands that grade them."""

import json
import subprocess
import sys

import pytest

from loopdeck.core.intent import Facts, understand
from loopdeck.deck.surroundings import surroundings
from loopdeck.shipped import sample_project

PYTEST = "[tool.pytest.ini_options]\n"
TOOLS = PYTEST + "[tool.ruff.format]\n[tool.mypy]\nfiles = ['x']\n"
UNTESTED = json.dumps({"scripts": {"test": 'echo "Error: no test specified" && exit 1'}})
UNITTEST = "import unittest\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertTrue(1)\n"
PACKAGE = json.dumps({"scripts": {"test": "jest", "lint": "eslint .", "build": "vite build", "typecheck": "tsc"}})


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        ({}, ("", "", "", "", "")),
        ({"pyproject.toml": TOOLS}, ("pytest -q", "ruff check .", "mypy", "ruff format --check .", "")),
        ({"pyproject.toml": "[project]\ndependencies = ['pytest>=8', 'ruff']\n"}, ("pytest -q", "ruff check .", "", "", "")),
        ({"tests/test_a.py": ""}, ("pytest -q", "", "", "", "")),
        ({"pyproject.toml": "[project]\n", "tests/test_a.py": ""}, ("python3 -m unittest discover -s tests", "", "", "", "")),
        ({"pyproject.toml": "[project]\n", "tests/test_a.py": "def test_a(): ..."}, ("pytest -q", "", "", "", "")),
        ({"tests/deep/test_a.py": "import pytest"}, ("pytest -q", "", "", "", "")),
        ({"test_a.py": UNITTEST}, ("python3 -m unittest", "", "", "", "")),
        ({"tests/test_a.py": UNITTEST}, ("python3 -m unittest discover -s tests", "", "", "", "")),
        ({"test/__init__.py": "", "test/test_a.py": UNITTEST}, ("python3 -m unittest discover -s test -t .", "", "", "", "")),
        ({"tests/test_a.py": UNITTEST, "requirements-dev.txt": "pytest\n"}, ("pytest -q", "", "", "", "")),
        ({".flake8": "", "pytest.ini": "", "mypy.ini": ""}, ("pytest -q", "flake8", "mypy .", "", "")),
        ({"package.json": PACKAGE}, ("npm test", "npm run lint", "npm run typecheck", "", "npm run build")),
        ({"package.json": PACKAGE, "pnpm-lock.yaml": ""}, ("pnpm test", "pnpm run lint", "pnpm run typecheck", "", "pnpm run build")),
        ({"package.json": UNTESTED, "tsconfig.json": "{}"}, ("", "", "npx tsc --noEmit", "", "")),
        ({"Cargo.toml": ""}, ("cargo test", "cargo clippy -- -D warnings", "cargo check", "cargo fmt --check", "cargo build")),
        ({"go.mod": ""}, ("go test ./...", "go vet ./...", "", 'test -z "$(gofmt -l .)"', "go build ./...")),
        ({"Makefile": "CC := gcc\ntest: build\n\t./t\nlint:\n\tx\nbuild:\n\ty\n"}, ("make test", "make lint", "", "", "make build")),
        ({"Makefile": "test:\n", "pyproject.toml": PYTEST}, ("pytest -q", "", "", "", "")),
        ({"package.json": "[" * 9000, "pyproject.toml": "= broken", "Makefile": "\0"}, ("", "", "", "", "")),
    ],
)  # fmt: skip
def test_commands_come_from_what_the_repository_shows(tmp_path, files, commands):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    shown = surroundings(tmp_path)
    assert (shown.tests, shown.lint, shown.types, shown.format, shown.build) == commands


def test_a_folder_that_is_not_there_shows_nothing(tmp_path):
    assert surroundings(tmp_path / "none") == Facts()


@pytest.mark.req("S1-09")
def test_the_sentence_of_the_requirements_in_a_python_project(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PYTEST + "[tool.ruff]\n", encoding="utf-8")
    wish = understand("all tests pass and lint is clean, stop after two passes", surroundings(tmp_path))
    assert [check.run for check in wish.checks] == ["pytest -q", "ruff check ."]
    assert (wish.caps.max_iterations, wish.missed) == (2, ())


def test_the_sample_project_is_understood():
    shown = surroundings(sample_project())
    assert shown.folders
    assert all(not name.startswith(".git/") for name in shown.folders)


@pytest.mark.parametrize(
    "files", [{"test_a.py": UNITTEST}, {"tests/test_a.py": UNITTEST}, {"test/__init__.py": "", "test/test_a.py": UNITTEST}]
)
def test_the_command_for_unittest_runs_the_tests(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = surroundings(tmp_path).tests.split()
    done = subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Ran 1 test" in done.stderr
