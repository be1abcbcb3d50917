"""Forty small programs of `programs.toml`, each with a bug and a test: a bug benchmark that is small enough to be read.

Of every program three forms of one line are known: the bug, a first attempt that is wrong too, and the right one. Invariant (tested):
the program's own test fails with the first two and passes with the third.
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

HOLE = "@@"


@dataclass(frozen=True)
class Program:
    """One program; `body` holds `@@` where `bug`, `tried` or `right` goes, `cases` are expressions that must hold."""

    name: str
    parameters: str
    body: str
    bug: str
    tried: str
    right: str
    cases: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where it is in the repository."""
        return f"programs/{self.name}.py"

    @property
    def test_path(self) -> str:
        """Where its test is."""
        return f"checks/check_{self.name}.py"

    def source(self, line: str) -> str:
        """The program with `line` in its hole."""
        body = "\n".join(f"    {row}".rstrip() for row in self.body.replace(HOLE, line).splitlines())
        return f'"""{self.name.replace("_", " ").capitalize()}."""\n\n\ndef {self.name}({self.parameters}):\n{body}\n'

    @property
    def test(self) -> str:
        """Its test: a script, run from the root of the repository."""
        asserts = "\n".join(f"assert {case}" for case in self.cases)
        return f'import sys\n\nsys.path.insert(0, "programs")\n\nfrom {self.name} import {self.name}\n\n{asserts}\n'

    @property
    def mending(self) -> str:
        """The arguments of `edit_file` that turn the first attempt into the right program."""
        return json.dumps({"path": self.path, "old": self.source(self.tried), "new": self.source(self.right)})


def programs() -> tuple[Program, ...]:
    """All of them, in the order of the file."""
    with Path(__file__).with_name("programs.toml").open("rb") as file:
        rows = tomllib.load(file)
    return tuple(Program(name, **{**row, "cases": tuple(row["cases"])}) for name, row in rows.items())
