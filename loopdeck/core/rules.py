"""A gate's rule as it is written: `tool`, `tool(pattern)`, and what must hold besides: `bash(curl) when host=api.example.com`.

A rule is one text wherever it is kept, shown or given by hand; a table in a loop file is another way to write the same. Invariant: what
is not understood still names the tool it begins with, and no call certainly.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

Walled = Literal["none", "closed", "listed", "open"]
"""What holds commands: nothing, or a sandbox: without a network, with listed hosts, with the whole network."""
PathClass = Literal["gated", "flagged", "outside", "worktree"]
"""Kinds of paths: those that configure what runs code, those whose code tools run by themselves, those outside, and all others."""

WALLED: tuple[Walled, ...] = get_args(Walled)
PATH_CLASSES: tuple[PathClass, ...] = get_args(PathClass)
CONDITIONS = ("sandbox", "host", "path")

_RULE = re.compile(r"\s*([^\s()]+)\s*(?:\((.*)\))?((?:\s+when\s+[a-z]+=\S+)*)\s*", re.DOTALL)
_CONDITION = re.compile(r"when\s+([a-z]+)=(\S+)")


class When(NamedTuple):
    """What must hold besides; an empty one always does."""

    sandbox: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    path: tuple[str, ...] = ()


class Rule(NamedTuple):
    """A rule as it was written, its tool, its pattern (None stands for every call of the tool), and its conditions."""

    text: str
    tool: str
    pattern: str | None
    when: When = When()


@lru_cache(maxsize=1024)
def parse(text: str) -> Rule:
    """The rule in `text`; one that makes no sense names the tool it begins with, as far as it can be seen."""
    found = _RULE.fullmatch(text)
    if found is None:
        return Rule(text, re.split(r"[\s(]", text.strip(), maxsplit=1)[0], "")
    pattern = found[2].strip() if found[2] is not None else None
    given = conditions(found[3])
    if given is None:
        return Rule(text, found[1], "")
    return Rule(text, found[1], pattern, given)


def conditions(text: str) -> When | None:
    """The conditions that `text` holds and nothing else; None if one of them is unknown or said twice."""
    found: dict[str, tuple[str, ...]] = {}
    for name, values in _CONDITION.findall(text):
        if name not in CONDITIONS or name in found:
            return None
        found[name] = tuple(value for value in values.split(",") if value)
    known = set(found.get("sandbox", ())) <= set(WALLED) and set(found.get("path", ())) <= set(PATH_CLASSES)
    return When(**found) if known and all(found.values()) else None


def written(rule: str, when: Sequence[tuple[str, Sequence[str]]]) -> str:
    """The one text of a rule that was written as a table."""
    return " ".join((rule.strip(), *(f"when {name}={','.join(values)}" for name, values in when if values)))


def text_of(rule: str | Mapping[str, object]) -> str:
    """The one text of a rule as a file has it, be it a text or a table; of a table that makes no sense one that is no rule."""
    if isinstance(rule, str):
        return rule
    when: list[tuple[str, list[str]]] = []
    for name in CONDITIONS:
        value = rule.get(name, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            return ""
        when.append((name, values))
    text = rule.get("rule")
    return written(text, when) if isinstance(text, str) else ""


def bare(text: str) -> str:
    """A rule without its conditions."""
    found = _RULE.fullmatch(text)
    return text[: found.start(3)].rstrip() if found is not None else text
