"""Whether a tool call may run: the rules of a loop, what they mean for a call, and what stays closed whatever they say.

deny beats ask beats allow, and adding a rule of one kind never weakens another: an allow is taken only where it certainly fits (one
plain command, its words beginning with the rule's), a deny or ask wherever it might. What no rule names is allowed if it stays in
the worktree or can't leave the sandbox, and asks otherwise. Protected paths and the report level can't be lifted by a rule; an
always-gated path only by one that names it. The verdict is a function of policy and call; the runner asks again for what really will
run.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

import msgspec
from msgspec import Struct

from loopdeck.core import asking, gatedpaths, globs, hazards
from loopdeck.core.gatematch import allows, might_match
from loopdeck.core.happening import Tier
from loopdeck.core.rules import Rule, Walled, parse
from loopdeck.core.shellwords import Command, commands, plain, quoted
from loopdeck.core.spec import TOOL_NAMES, Level

REPORT = ".loop/REPORT.md"
"""The one file a maker of level `report` may write, besides its state."""
_SKILLS = (".loop/skills/**",)
READING = frozenset({"read_file", "glob", "grep", "skill"})
WRITING = frozenset({"write_file", "edit_file"})
_TIERS: tuple[Tier, ...] = ("low", "medium", "high", "dangerous")

Verdict = Literal["allow", "ask", "deny"]
Doubt = Callable[[str], str]
"""Why the program that a command word names can't be trusted to be what its name says; empty if it can."""


class Policy(Struct, frozen=True, omit_defaults=True):
    """What a call is judged by: the rules as they are written, protected globs, the level.

    `confined` says that a sandbox holds commands, `network` that it lets them reach the network, `listed` that it lets them reach some
    hosts; `partly`, that there is one which can't hold all that they could do, so that they count as not held.
    """

    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    confined: bool = False
    network: bool = False
    level: Level = "assisted"
    listed: bool = False
    partly: bool = False

    @property
    def walled(self) -> Walled:
        """What holds a command."""
        if not self.confined:
            return "none"
        if self.network:
            return "open"
        return "listed" if self.listed else "closed"


class Ruling(Struct, frozen=True):
    """What becomes of a call. `rule` is the operator's rule that decided, or the name of a built-in one; `reason` is for people."""

    verdict: Verdict
    rule: str
    tier: Tier
    reason: str


def by_name(word: str) -> str:
    """The doubt that a name alone raises: the worktree's own programs are what its maker makes of them."""
    if "/" in word and not word.startswith("/"):
        return f"{word} is a program in the worktree, where its maker can change it"
    return ""


def judge(policy: Policy, tool: str, arguments: str, doubt: Doubt = by_name) -> Ruling:
    """The ruling on one call; `arguments` is JSON text. What can't be understood is never allowed.

    `doubt` knows where programs are: a rule with a pattern lets through only one that raises none.
    """
    given = parsed(arguments)
    risk = tier(tool, arguments)
    if given is None:
        return Ruling("deny", "arguments", risk, "its arguments are not a JSON object")
    for rule in _in_force(policy.deny, policy):
        if might_match(rule, tool, given):
            return Ruling("deny", rule.text, risk, f"the rule {rule.text} denies it")
    closed = _closed(policy, tool, given)
    if closed:
        return Ruling("deny", closed[0], risk, closed[1])
    if tool == asking.TOOL:
        return Ruling("ask", "question", risk, "the agent has a question; `loopdeck approve ID --answer TEXT` answers it")
    for rule in _in_force(policy.ask, policy):
        if might_match(rule, tool, given):
            return Ruling("ask", rule.text, risk, f"the rule {rule.text} asks")
    return _open(policy, tool, given, risk, doubt)


def _closed(policy: Policy, tool: str, given: Mapping[str, object]) -> tuple[str, str] | None:
    """The built-in rule that denies a call whatever the operator's rules allow, and why."""
    if tool not in WRITING:
        return None
    path = gatedpaths.normal(str(given.get("path", "")))
    if path is None:
        return "worktree", "the path is outside the worktree"
    if policy.level == "report" and path != REPORT:
        return "level: report", f"the level of this loop is report: it may write nothing but {REPORT} and its state"
    if gatedpaths.protected_by(path, _SKILLS):
        return "skills", "the files of skills are to be read: they are put back before each iteration"
    pattern = gatedpaths.protected_by(path, policy.protect)
    if pattern:
        return f"protect: {pattern}", f"{path} is protected ({pattern}): the loop may not change it, and checks see it as it was"
    return None


def _open(policy: Policy, tool: str, given: Mapping[str, object], risk: Tier, doubt: Doubt) -> Ruling:
    rules = _in_force(policy.allow, policy)
    path = gatedpaths.normal(str(given.get("path", ""))) if tool in WRITING else None
    if path is not None and gatedpaths.gated(path):
        rules = [rule for rule in rules if rule.pattern and gatedpaths.gated(globs.fixed_root(rule.pattern))]
        fitting = _fitting(rules, tool, given)
        if fitting:
            return Ruling("allow", fitting, risk, f"the rule {fitting} allows it")
        return Ruling("ask", "gated path", risk, f"{path} configures tools that run code: it always asks")
    if tool == "bash" and policy.level == "report":
        return Ruling("ask", "level: report", risk, "the level of this loop is report: every command asks")
    doubts = [(rule.text, _doubtful(rule, tool, given, doubt)) for rule in rules if allows(rule, tool, given)]
    fitting = next((text for text, doubtful in doubts if not doubtful), "")
    if fitting:
        return Ruling("allow", fitting, risk, f"the rule {fitting} allows it")
    if (tool in TOOL_NAMES and tool != "bash") or tool in asking.SERVED:
        return Ruling("allow", "default", risk, "it stays in the worktree")
    if policy.confined and not policy.network and policy.level != "report":
        beyond = ", but for the hosts that are listed" if policy.listed else ""
        return Ruling("allow", "default", risk, f"it can't leave the sandbox{beyond}")
    if doubts:
        return Ruling("ask", "default", risk, f"the rule {doubts[0][0]} names it, but {doubts[0][1]}")
    bare = "the sandbox of this machine does not hold all that it could do" if policy.partly else "no sandbox holds it"
    why = "from the sandbox it can reach the network" if policy.confined else bare
    return Ruling("ask", "default", risk, f"no rule allows it, and {why}")


def _in_force(texts: tuple[str, ...], policy: Policy) -> list[Rule]:
    """The rules that hold behind these walls."""
    return [rule for rule in map(parse, texts) if not rule.when.sandbox or policy.walled in rule.when.sandbox]


def _doubtful(rule: Rule, tool: str, given: Mapping[str, object], doubt: Doubt) -> str:
    """What speaks against the program of a command that a rule of more than a tool's name allows; empty if nothing does."""
    if tool != "bash" or (rule.pattern is None and not rule.when.host):
        return ""
    words = plain(str(given.get("command", "")))
    if words is None:
        return "it is not one plain command"
    return "" if words[0] in hazards.BUILTINS else doubt(words[0])


def _fitting(rules: list[Rule], tool: str, given: Mapping[str, object]) -> str:
    return next((rule.text for rule in rules if allows(rule, tool, given)), "")


def parsed(arguments: str) -> dict[str, object] | None:
    """The arguments of a call, which are JSON text; None if they are no object."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None


@lru_cache(maxsize=256)
def tier(tool: str, arguments: str) -> Tier:
    """How much a call can harm, for the order in which approvals are shown: a judgement of its looks, never a permission."""
    given = parsed(arguments)
    if given is None:
        return "high"
    if tool in READING or tool in {"update_state", asking.TOOL} or tool in asking.SERVED:
        return "low"
    if tool in WRITING:
        path = gatedpaths.normal(str(given.get("path", "")))
        if path is None or gatedpaths.gated(path):
            return "high"
        return "medium"
    if tool != "bash":
        return "high"
    return _shell_tier(str(given.get("command", "")))


def _shell_tier(line: str) -> Tier:
    words = plain(line)
    if words is not None:
        name = hazards.name_of(words[0])
        if not (name in hazards.WRAPPERS or name in hazards.SHELLS or name in hazards.SOURCING):
            graded: Tier = "low" if hazards.quiet(words) else "medium"
            return "dangerous" if hazards.grave(name, words[1:]) else graded
    found = commands(line)
    return "dangerous" if any(_grave(command) for command in found) else "high"


def _grave(command: Command) -> bool:
    for at, word in enumerate(command):
        if not word.known and not word.begin and at == 0:
            return True
        if at and command[0].begin not in hazards.WRAPPERS and command[0].begin not in hazards.SHELLS:
            return False
        if hazards.grave(hazards.name_of(word.begin), [one.begin for one in command[at + 1 :]]):
            return True
        if at and " " in word.begin and any(_grave(inner) for inner in commands(word.begin)):
            return True
    return False


def summary(tool: str, arguments: str) -> str:
    """A call in few words: its command, path, pattern or name, else its arguments. Outside text: `clean_line` it before it is shown."""
    given = parsed(arguments)
    if given is None:
        return arguments
    if tool == asking.TOOL:
        return str(given.get("question", ""))
    for key in ("command", "path", "pattern", "name"):
        if tool in TOOL_NAMES and isinstance(given.get(key), str):
            return str(given[key])
    if tool == "update_state":
        return f"{len(str(given.get('content', '')))} characters"
    return json.dumps(given, ensure_ascii=False)


def rule_for(tool: str, arguments: str) -> str:
    """The narrowest rule that would allow this call from now on, as text; empty if none could (a command line that is not plain)."""
    given = parsed(arguments)
    if given is None:
        return ""
    if tool == "bash":
        words = plain(str(given.get("command", "")))
        text = f"bash({quoted(words)})" if words else ""
    elif tool in WRITING or tool == "read_file":
        path = gatedpaths.normal(str(given.get("path", "")))
        text = f"{tool}({path})" if path and path != "." and not set("*?[\\") & set(path) else ""
    elif tool in TOOL_NAMES:
        text = tool
    else:
        text = f"{tool}({json.dumps(given, ensure_ascii=False, sort_keys=True)})"
    return text if text and allows(parse(text), tool, given) else ""


def covers(rule: str, tool: str, arguments: str) -> bool:
    """True if the rule certainly names the call."""
    given = parsed(arguments)
    return given is not None and allows(parse(rule), tool, given)


def policy_digest(policy: Policy) -> str:
    """The SHA-256 of a policy, in hex."""
    return hashlib.sha256(msgspec.json.encode(policy)).hexdigest()
