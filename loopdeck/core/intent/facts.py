"""What a repository shows of itself: the commands that grade it, and what lies at its top. Gathered elsewhere; here only values."""

from typing import Literal

from msgspec import Struct

Purpose = Literal["tests", "lint", "types", "format", "build"]


class Facts(Struct, frozen=True):
    """Commands by what they are for (empty: the repository shows none), and the names of top folders and files."""

    tests: str = ""
    lint: str = ""
    types: str = ""
    format: str = ""
    build: str = ""
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def command(self, purpose: Purpose) -> str:
        """The command for that purpose, or nothing."""
        return {"tests": self.tests, "lint": self.lint, "types": self.types, "format": self.format, "build": self.build}[purpose]
