"""Whether a rule names a call: `allows` if it certainly does, `might_match` if it can't be ruled out.

Between the two lies everything a rule does not understand. An allow rule is matched by the first, ask and deny rules by the second,
so that a doubt never opens anything.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from loopdeck.core import gatedpaths, globs, hazards, ruleconditions
from loopdeck.core.rules import Rule
from loopdeck.core.shellwords import Command, Word, commands, plain

FILE_TOOLS = frozenset({"read_file", "write_file", "edit_file", "glob", "grep"})
_SHORT_OPTIONS = re.compile(r"-[A-Za-z]+")
_MAX_NESTED = 4


def _names(rule: Rule, tool: str) -> bool:
    return rule.tool == tool or (rule.tool.endswith(".*") and tool.startswith(rule.tool[:-1]))


def allows(rule: Rule, tool: str, given: Mapping[str, object]) -> bool:
    """True if `rule` certainly names the call; on the sandbox it may ask for is not looked here."""
    if not _names(rule, tool):
        return False
    pattern = rule.pattern
    spelled = len(_pattern_words(pattern)) if tool == "bash" and pattern else 0
    if (rule.when.host or rule.when.path) and not ruleconditions.certainly(rule.when, tool, given, spelled):
        return False
    if pattern is None:
        return True
    if not pattern:
        return False
    if tool == "bash":
        return _begins(str(given.get("command", "")), pattern)
    if tool in FILE_TOOLS:
        path = _area(tool, given)
        return path is not None and globs.matches(path, pattern)
    if tool == "skill":
        return given.get("name") == pattern
    wanted = _object(pattern)
    return wanted is not None and all(key in given and given[key] == value for key, value in wanted.items())


def might_match(rule: Rule, tool: str, given: Mapping[str, object]) -> bool:
    """True unless `rule` certainly does not name the call; on the sandbox it may ask for is not looked here."""
    if not _names(rule, tool):
        return False
    if (rule.when.host or rule.when.path) and not ruleconditions.possibly(rule.when, tool, given):
        return False
    pattern = rule.pattern
    if not pattern:
        return True
    if tool == "bash":
        return _may_run(str(given.get("command", "")), _pattern_words(pattern))
    if tool in FILE_TOOLS:
        return _may_touch(tool, given, pattern)
    if tool == "skill":
        return given.get("name") == pattern
    wanted = _object(pattern)
    return wanted is None or all(key in given and given[key] == value for key, value in wanted.items())


def _object(pattern: str) -> dict[str, object] | None:
    try:
        wanted = json.loads(pattern)
    except (ValueError, RecursionError):
        return None
    return wanted if isinstance(wanted, dict) else None


def _area(tool: str, given: Mapping[str, object]) -> str | None:
    """The one path a file tool reads or writes; of a glob or a search, the folder that holds all it can find."""
    match tool:
        case "glob":
            return gatedpaths.normal(globs.fixed_root(str(given.get("pattern", ""))) or ".")
        case "grep":
            return gatedpaths.normal(str(given.get("path") or "."))
        case _:
            return gatedpaths.normal(str(given.get("path", "")))


def _may_touch(tool: str, given: Mapping[str, object], pattern: str) -> bool:
    area = _area(tool, given)
    if area is None:
        return True
    if gatedpaths.protected_by(area, (pattern,)):
        return True
    if tool not in {"glob", "grep"}:
        return False
    root = gatedpaths.folded(globs.fixed_root(pattern))
    inside = gatedpaths.folded(area)
    return inside == "." or not root or f"{root}/".startswith(f"{inside}/") or f"{inside}/".startswith(f"{root}/")


@lru_cache(maxsize=1024)
def _pattern_words(pattern: str) -> tuple[str, ...]:
    """The words of a bash pattern, without the `*` that may stand for any rest."""
    text = pattern.strip()
    if text == "*":
        return ()
    text = text[:-1].rstrip() if text.endswith((" *", "\t*")) else text
    return plain(text) or tuple(text.split())


def _begins(line: str, pattern: str) -> bool:
    wanted = _pattern_words(pattern)
    words = plain(line)
    return words is not None and words[: len(wanted)] == wanted and not hazards.beyond(words, len(wanted))


def _may_run(line: str, wanted: tuple[str, ...], depth: int = 0) -> bool:
    if not wanted or depth > _MAX_NESTED:
        return True
    found = commands(line)
    if any(_may_be(command, wanted, depth) for command in found):
        return True
    # Quotes in a here-document or a comment may hide from us what a shell sees: there, the words anywhere in their order will do.
    tricky = "<<" in line or "#" in line or "$'" in line
    return tricky and _loosely(line, wanted)


def _loosely(text: str, wanted: Sequence[str]) -> bool:
    bare = re.sub(r"[\"'\\]", "", text)
    return re.search(r"(?<![\w-])" + r"(?![\w-])[\s\S]*?(?<![\w-])".join(map(re.escape, wanted)), bare) is not None


def _may_be(command: Command, wanted: tuple[str, ...], depth: int) -> bool:
    """True if `command`, or one that it runs, might begin with the wanted words."""
    if _could_begin(command, wanted):
        return True
    name = hazards.name_of(command[0].begin) if command[0].known else ""
    rest = command[1:]
    if name in hazards.SHELLS or name in hazards.SOURCING:
        if any(not word.known for word in rest):
            return True
        scripts = [word.begin for word in rest]
        return any(_may_run(script, wanted, depth + 1) for script in (*scripts, " ".join(scripts)))
    if hazards.evaluated(name, [word.begin for word in rest]) and any(_holds_command(word.begin, wanted, depth) for word in rest):
        return True
    if hazards.INTERPRETERS.fullmatch(name) or name in {"awk", "gawk", "mawk", "sed"}:
        return any(_loosely(word.begin + " " + word.end, wanted) for word in rest)
    starts = [at + 1 for at, word in enumerate(rest) if name in hazards.WRAPPERS or _leads(rest, at)]
    if any(_may_be(command[at:], wanted, depth + 1) for at in starts) if depth < _MAX_NESTED else bool(starts):
        return True
    # A wrapper may take a whole line as one word: `ssh host 'git push'`, `git submodule foreach 'git push'`.
    lines = [command[at].begin for at in starts if " " in command[at].begin]
    return any(_may_run(line, wanted, depth + 1) for line in lines)


def _holds_command(word: str, wanted: tuple[str, ...], depth: int) -> bool:
    """True if a literal word holds a substitution that a builtin would carry out, and it might run the wanted words."""
    return ("$(" in word or "`" in word or word.startswith(wanted[0])) and _may_run(word, wanted, depth + 1)


def _leads(rest: Sequence[Word], at: int) -> bool:
    return at > 0 and rest[at - 1].known and rest[at - 1].begin in hazards.BEFORE_A_COMMAND


def _could_begin(command: Command, wanted: tuple[str, ...]) -> bool:
    """True if the words could begin with `wanted`; options between its words, and a word after an option, don't count."""
    at = 0
    for index, want in enumerate(wanted):
        if index and _SHORT_OPTIONS.fullmatch(want) and _has_letters(command, want[1:]):
            continue
        while at < len(command):
            word = command[at]
            if not word.known:
                return _could_be(word, want, first=index == 0)
            if word.begin == want or (index == 0 and hazards.name_of(word.begin) == want):
                break
            skippable = index > 0 and (word.begin.startswith("-") or command[at - 1].begin.startswith("-"))
            if not skippable:
                return False
            at += 1
        else:
            return False
        at += 1
    return True


def _has_letters(command: Command, letters: str) -> bool:
    """True if the letters of an option like `-rf` are all given, in whatever order and bundles."""
    given = "".join(word.begin for word in command[1:] if _SHORT_OPTIONS.fullmatch(word.begin))
    return set(letters) <= set(given)


def _could_be(word: Word, want: str, *, first: bool) -> bool:
    begin = hazards.name_of(word.begin) if first else word.begin
    if word.splits:
        return want.startswith(begin) or begin.startswith(want)
    end = hazards.name_of(word.end) if first and "/" in word.end else word.end
    if first and "/" in word.end:
        return end == want
    return want.startswith(begin) and want.endswith(end) and len(begin) + len(end) <= len(want)
