"""What rules write into while a sentence is read."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Literal, NamedTuple

from msgspec import structs

from loopdeck.core.intent.facts import Facts
from loopdeck.core.intent.wish import Caps, Missed
from loopdeck.core.spec import CheckSpec

Kind = Literal["check", "bound", "cap", "filling"]
"""Of what a rule hears. Caps and filling are no part of the goal."""


@dataclass
class Draft:
    """The wish, growing, in whatever order rules are tried; `at` is where in the sentence the present one begins.

    `caps` keeps the tightest of each.
    """

    facts: Facts
    at: int = 0
    checks: list[tuple[int, CheckSpec]] = field(default_factory=list)
    caps: dict[str, int | float] = field(default_factory=dict)
    protect: list[tuple[int, str]] = field(default_factory=list)
    every_s: float = 0
    cron: str = ""
    missed: list[Missed] = field(default_factory=list)

    def cap(self, name: str, value: float) -> None:
        """Set a cap; of two the lower holds."""
        before = self.caps.get(name)
        self.caps[name] = value if before is None else min(before, value)

    def check(self, check: CheckSpec) -> None:
        """Add a check, once."""
        others = [one for _, one in self.checks]
        if not any(_what(one) == _what(check) for one in others):
            taken = {one.name for one in others}
            others_name = (f"{check.name} ({number})" for number in count(2))
            name = next(name for name in chain((check.name,), others_name) if name not in taken)
            self.checks.append((self.at, structs.replace(check, name=name)))

    def keep_out(self, globs: Iterable[str]) -> None:
        """Protect these, once each."""
        self.protect += [(self.at, one) for one in globs if all(one != each for _, each in self.protect)]

    @property
    def made_checks(self) -> tuple[CheckSpec, ...]:
        """The checks, in the order of the sentence."""
        return tuple(one for _, one in sorted(self.checks, key=lambda each: each[0]))

    @property
    def made_protect(self) -> tuple[str, ...]:
        """The protected globs, in the order of the sentence."""
        return tuple(one for _, one in sorted(self.protect, key=lambda each: each[0]))

    @property
    def made_caps(self) -> Caps:
        """The caps as a value."""
        whole = {name: int(value) for name, value in self.caps.items() if name != "max_wall_s"}
        wall = self.caps.get("max_wall_s")
        return Caps(**whole, max_wall_s=None if wall is None else float(wall))


def _what(check: CheckSpec) -> tuple[object, ...]:
    return (check.run, check.links, check.schema, check.scope, check.human)


class Part(NamedTuple):
    """What the beginning of a match comes to, in words; what is behind `end` of the sentence was not meant."""

    meaning: str
    end: int


Meaning = str | Part | Missed | None
"""What a match comes to, in words; `Missed` if it is clear what is meant but not possible here; None if it is not meant after all."""
Means = Callable[[Draft, "re.Match[str]"], Meaning]


@dataclass(frozen=True)
class Rule:
    """A pattern of words and what they mean."""

    kind: Kind
    pattern: "re.Pattern[str]"
    means: Means


def rule(kind: Kind, pattern: str, means: Means) -> Rule:
    """A rule over whole words, whatever their case."""
    return Rule(kind, re.compile(rf"(?<![\w/.-])(?:{pattern})(?!\w)", re.IGNORECASE), means)


def either(*patterns: str) -> str:
    """One of several ways to say it."""
    return f"(?:{'|'.join(patterns)})"
