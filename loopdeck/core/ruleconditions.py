"""What a rule asks of the hosts and the paths that a call names.

As everywhere at the gate there are two answers that err in opposite directions: `certainly` for what is to be allowed, `possibly` for
what is to be asked or denied. The gate sees what a call says, not where a server sends it on to: that is the sandbox's network list.
"""

import re
from collections.abc import Mapping, Sequence

from loopdeck.core import gatedpaths
from loopdeck.core.rules import When
from loopdeck.core.shellwords import Command, commands, plain

EXACT = frozenset({"read_file", "write_file", "edit_file"})
"""Tools with one path, which is the one they touch."""

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_ADDRESS = re.compile(
    rf"(?:(?:https?|ftps?|ssh|git|wss?)://)?(?:[\w.-]+@)?({_NAME}(?:\.{_NAME})*|\[[0-9A-Fa-f:]+\])(?::(\d{{1,5}}))?"
    r"(?:[/?#][\w.~%!$&'()*+,;=:@/?#\[\]-]*)?",
    re.ASCII,
)
_REPOSITORY = re.compile(rf"[\w.-]+@({_NAME}(?:\.{_NAME})*)():[\w./~-]+", re.ASCII)
_ANYWHERE = re.compile(r"://(?:[^\s/@'\"]*@)?(\[[0-9A-Fa-f:.]+\]|[^\s/:?#'\"@]+)")
_NUMBER = re.compile(r"[0-9a-fx.]*[0-9][0-9a-fx.]*|\[.*\]", re.IGNORECASE)
_HOST = re.compile(r"(\[[^\]]*\]|[^:]+)(?::(\d{1,5}))?")
_OPTION = re.compile(r"-[A-Za-z0-9]|--[a-z][a-z0-9-]*")
_ELSEWHERE = frozenset({"-L", "--location", "--location-trusted", "--next", "--resolve", "--connect-to"})
"""Options after which another host may be talked to than the one that is named."""


def certainly(when: When, tool: str, given: Mapping[str, object], spelled: int) -> bool:
    """True if a call certainly meets the conditions; the first `spelled` words of a command are the rule's own."""
    if when.path and (tool not in EXACT or _class(str(given.get("path", ""))) not in when.path):
        return False
    if not when.host:
        return True
    if tool == "bash":
        words = plain(str(given.get("command", "")))
        return words is not None and _only_to(words[max(spelled, 1) :], when.host)
    return _only_texts(given, when.host)


def possibly(when: When, tool: str, given: Mapping[str, object]) -> bool:
    """True unless a call certainly does not meet the conditions."""
    if when.path and not _may_touch(when.path, tool, given):
        return False
    if not when.host:
        return True
    if tool == "bash":
        line = str(given.get("command", ""))
        found = commands(line)
        return not all(word.known for command in found for word in command) or _may_reach(line, when.host)
    return _may_reach(" ".join(_texts(given)), when.host)


def _only_to(words: Sequence[str], hosts: Sequence[str]) -> bool:
    """True if the words name hosts of the list, one at least, and nothing else but simple options."""
    named = 0
    for word in words:
        if _OPTION.fullmatch(word):
            if word in _ELSEWHERE:
                return False
            continue
        found = _REPOSITORY.fullmatch(word) or _ADDRESS.fullmatch(word)
        if found is None or not _listed(found[1], found[2], hosts):
            return False
        named += 1
    return named > 0


def _only_texts(given: Mapping[str, object], hosts: Sequence[str]) -> bool:
    named = [found for text in _texts(given) for found in (_ADDRESS.fullmatch(text) if "://" in text else None,) if found]
    loose = any("://" in text and not _ADDRESS.fullmatch(text) for text in _texts(given))
    return bool(named) and not loose and all(_listed(found[1], found[2], hosts) for found in named)


def _listed(host: str, port: str | None, hosts: Sequence[str]) -> bool:
    name = host.lower().rstrip(".")
    for one in hosts:
        wanted, its_port = _split(one)
        if its_port in (None, port or None) and (name == wanted or (wanted.startswith("*.") and name.endswith(wanted[1:]))):
            return True
    return False


def _split(host: str) -> tuple[str, str | None]:
    found = _HOST.fullmatch(host.lower())
    return (found[1], found[2]) if found is not None else (host.lower(), None)


def _may_reach(text: str, hosts: Sequence[str]) -> bool:
    low = text.lower()
    if any(_split(one)[0].removeprefix("*.") in low for one in hosts):
        return True
    named = [found[1] for found in _ANYWHERE.finditer(low)]
    # Where no host is named it is said elsewhere; a number may be any host's.
    return not named or any(_NUMBER.fullmatch(one) for one in named)


def _texts(given: object) -> list[str]:
    match given:
        case str():
            return [given]
        case Mapping():
            return [text for one in given.values() for text in _texts(one)]
        case list():
            return [text for one in given for text in _texts(one)]
        case _:
            return []


def _class(path: str) -> str:
    """The class of a path as it is written."""
    inside = None if path.startswith("~") else gatedpaths.normal(path)
    if inside is None:
        return "outside"
    if gatedpaths.gated(inside):
        return "gated"
    return "flagged" if gatedpaths.flagged(inside) else "worktree"


def _may_touch(classes: Sequence[str], tool: str, given: Mapping[str, object]) -> bool:
    if tool in EXACT:
        return _class(str(given.get("path", ""))) in classes
    if tool != "bash":
        return True
    line = str(given.get("command", ""))
    # Quotes in a here-document or a comment may hide words from us.
    if "<<" in line or "#" in line or "$'" in line:
        return True
    found = commands(line)
    return any(not word.known or _is_of(word.begin, classes) for command in found for word in command) or _targets(line, classes, found)


def _is_of(word: str, classes: Sequence[str]) -> bool:
    """True if a word, a part of it, or what stands behind its `=` is a path of the classes."""
    parts = {word, word.rpartition("=")[2], *word.split(), *word.split(":"), word.lstrip("-")}
    return any(part and _class(part) in classes for part in parts)


def _targets(line: str, classes: Sequence[str], found: Sequence[Command]) -> bool:
    """Where a command is redirected to is none of its words."""
    return any(_is_of(target, classes) for target in re.findall(r"[<>]\s*[&|]?\s*([^\s<>;&|()]+)", re.sub(r"[\"'\\]", "", line)))
