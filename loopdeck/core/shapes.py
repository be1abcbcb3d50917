"""What a text of a loop file may look like: names, paths, globs, refs, hosts, cron lines, gate rules.

Each shape is pure and says what is wrong with a text and how to mend it, or None. The invariant: a path or glob that
passes stays inside the folder it is relative to, and a name that passes can be a folder and a part of a branch.
"""

import re
import warnings
from datetime import datetime

from loopdeck.core import asking, hosts, rules
from loopdeck.core.spec import FOREIGN_TOOLS, TOOL_NAMES
from loopdeck.core.tables import Complaint, listed, nearest

_LOOP_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_URL = re.compile(r"https?://[^\s/@\\]+(?:/[^\s\\]*)?")
_TIMEZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,2}")
_RULE = re.compile(r"([^\s()]+)(?:\((.*)\))?", re.DOTALL)
_CONNECTED = re.compile(r"[A-Za-z0-9_-]{1,64}\.(?:[A-Za-z0-9_-]{1,64}|\*)")
_SHELL = ("&&", "||", ";", "|", ">", "<", "`", "$(", "\n")
_FILE_TOOLS = frozenset({"read_file", "write_file", "edit_file", "glob", "grep"})
_MAX_PATH = 1024
_CRON_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_CRON_NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "day of week": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_CRON_ITEM = re.compile(r"(\*|[a-z]{3}|\d{1,2})(?:-([a-z]{3}|\d{1,2}))?(?:/(\d{1,4}))?", re.IGNORECASE | re.ASCII)


def loop_name(name: str) -> Complaint | None:
    """A loop's name, which becomes a folder and a part of a branch."""
    if _LOOP_NAME.fullmatch(name) and ".." not in name and not name.endswith((".", ".lock")):
        return None
    remedy = "Use up to 64 of a-z, 0-9, `.`, `_`, `-`; begin with a letter or digit; no `..`, no `.` or `.lock` at the end."
    return f"can't be a loop's name: {_cut(name)}", remedy


def command(line: str) -> Complaint | None:
    """A command line for a shell."""
    if "\0" not in line:
        return None
    return "holds a NUL character, which no command can", "Take it out."


def label(name: str) -> Complaint | None:
    """A check's or connector's name: one printable line."""
    if len(name) <= 80 and name.isprintable():
        return None
    return "is not one printable line of up to 80 characters", "Give it a short name."


def word(name: str) -> Complaint | None:
    """A skill's or webhook's name."""
    if _WORD.fullmatch(name) and ".." not in name:
        return None
    return f"is not a plain name: {_cut(name)}", "Use letters, digits, `.`, `_` and `-`."


def path(written: str) -> Complaint | None:
    """A path or glob relative to the repository root or the loop's folder, staying inside it."""
    if complaint := _path_text(written):
        return complaint
    if written.startswith(("/", "~")) or re.match(r"[A-Za-z]:", written):
        return f"is not relative: {_cut(written)}", "Write it relative to the repository, without `/` or `~` in front."
    parts = written.split("/")
    if ".." in parts:
        return f"leads outside: {_cut(written)}", "Name a path inside the repository, without `..`."
    if any(part.lower() == ".git" for part in parts):
        return f"names git's own folder: {_cut(written)}", "Take it out: `.git` is never part of a checkout."
    return None


def outer_path(written: str) -> Complaint | None:
    """A path beyond the worktree that a sandbox lets in: absolute, from `~/`, or relative to the root."""
    if complaint := _path_text(written):
        return complaint
    if ".." in written.split("/"):
        return f"climbs with `..`: {_cut(written)}", "Write the path it comes to."
    if written.strip("/") in {"", "~"}:
        return f"opens everything: {_cut(written)}", "Name the folder that is needed."
    return None


def ref(name: str) -> Complaint | None:
    """A git ref or revision."""
    bad = name.startswith("-") or ".." in name or not name.isprintable() or len(name) > 250
    if bad or any(character in name for character in " \\:?*["):
        return f"is not a git branch, tag or commit: {_cut(name)}", 'Write one, such as "main" or "HEAD".'
    return None


def variable(name: str) -> Complaint | None:
    """An environment variable's name."""
    if _VARIABLE.fullmatch(name):
        return None
    return f"is not a variable's name: {_cut(name)}", "Write the name alone; its value comes from the environment."


def host(name: str) -> Complaint | None:
    """A host name, `*.` before it for all below, perhaps with a port."""
    if hosts.parse(name) is not None:
        return None
    return f"is not a host: {_cut(name)}", 'Write the host alone, such as "pypi.org" or "*.github.com".'


def url(written: str) -> Complaint | None:
    """An http or https address without a user in it."""
    if _URL.fullmatch(written):
        return None
    if re.match(r"https?://[^/]*@", written):
        return "holds a user or password", "Take it out: keys come from the environment or the keyring."
    return f"is not an http address: {_cut(written)}", 'Write one, such as "http://localhost:8080/v1".'


def timezone(name: str) -> Complaint | None:
    """A time zone's name, by its looks."""
    if _TIMEZONE.fullmatch(name):
        return None
    return f"is not a time zone: {_cut(name)}", 'Write a name such as "Europe/Berlin" or "UTC".'


def pattern(written: str) -> Complaint | None:
    """A regular expression with a group for the number."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            groups = re.compile(written).groups
    except (re.error, OverflowError, RecursionError) as error:
        return f"is not a regular expression: {error}", "Mend it; in TOML, write it in single quotes."
    if groups:
        return None
    return "has no group for the number", "Put the number's part into brackets: `val: ([0-9.]+)`."


def cron(line: str) -> Complaint | None:
    """Five fields: minute, hour, day of month, month, day of week."""
    fields = line.split()
    if len(fields) != len(_CRON_FIELDS):
        remedy = 'Write minute, hour, day of month, month and day of week: "0 7 * * 1-5".'
        return f"has {len(fields)} fields instead of five: {_cut(line)}", remedy
    for written, (field, low, high) in zip(fields, _CRON_FIELDS, strict=True):
        for item in written.split(","):
            if not _cron_item(item, field, low, high):
                return f"has no valid {field}: {_cut(written)}", f"A {field} is from {low} to {high}, `*`, `1-5` or `*/2`."
    return None


def rule(written: str) -> Complaint | None:
    """A gate's rule: a tool's name, or `tool(pattern)`, and conditions after it."""
    head = rules.bare(written.strip())
    given = written.strip()[len(head) :]
    if given and (complaint := _conditions(head, given)):
        return complaint
    found = _RULE.fullmatch(head)
    if found is None:
        return f"is not a rule: {_cut(written)}", "Write a tool's name, or `tool(pattern)`: `bash(git push)`."
    tool, inner = found[1], found[2]
    if tool not in (*TOOL_NAMES, *FOREIGN_TOOLS, asking.TOOL) and not _CONNECTED.fullmatch(tool):
        remedy = nearest(tool, (*TOOL_NAMES, *FOREIGN_TOOLS)) or f"Tools are {listed(TOOL_NAMES)}, and `server.tool` for a connector's."
        return f"names no tool: {_cut(tool)}", remedy
    if inner is None:
        return None
    if not inner.strip():
        return f"has an empty pattern: {_cut(written)}", f"Write a pattern, or `{tool}` alone for all its calls."
    if tool == "bash":
        return _bash_pattern(inner)
    if tool in _FILE_TOOLS:
        return path(inner)
    return None


def _conditions(head: str, given: str) -> Complaint | None:
    """What is wrong with the conditions of the rule `head`."""
    when = rules.conditions(given)
    if when is None:
        known = "`when sandbox=none` (or another), `when host=api.example.com`, `when path=gated` (`flagged`, `outside`, `worktree`)"
        return f"has a condition that is none: {_cut(given.strip())}", f"Known, each once: {known}; several values with commas."
    tool = rules.parse(head).tool
    files = tool in _FILE_TOOLS
    if when.path and not files and tool != "bash":
        return f"has a condition on paths, of which {tool} has none", "Leave it out, or put it on bash or a file tool."
    if when.host and (files or tool in {"update_state", "skill"}):
        return f"has a condition on hosts, to which {tool} never goes", "Leave it out, or put it on bash or a connector's tool."
    return next((complaint for one in when.host if (complaint := host(one))), None)


def _bash_pattern(inner: str) -> Complaint | None:
    found = next((token for token in _SHELL if token in inner), None)
    if found is not None:
        what = f"has {found!r} in its pattern, which the words of one command never hold"
        return what, "Write the words that the command begins with: `bash(git push)`."
    words = inner.split()
    if "*" in words[:-1]:
        return f"has `*` before the last word: {_cut(inner)}", "Write `*` as the last word only: `bash(git *)`."
    return None


def _path_text(written: str) -> Complaint | None:
    if len(written) > _MAX_PATH:
        return f"is a path of {len(written)} characters", f"Write one of up to {_MAX_PATH}."
    if "\\" in written:
        return f"has a backslash: {_cut(written)}", "Write paths with `/`."
    if not written.isprintable():
        return f"has a character that can't be printed: {_cut(written)}", "Write a path of plain characters."
    if written != written.strip():
        return f"begins or ends with a blank: {_cut(written)}", "Take the blank out."
    return None


def _cron_item(item: str, field: str, low: int, high: int) -> bool:
    found = _CRON_ITEM.fullmatch(item)
    if found is None:
        return False
    first, last, step = found.groups()
    if step is not None and not 1 <= int(step) <= high:
        return False
    if first == "*":
        return last is None
    start, end = _cron_number(first, field), _cron_number(last or first, field)
    if last and last.lower() == "sun":
        end = 7
    return start is not None and end is not None and low <= start <= end <= high


def _cron_number(written: str, field: str) -> int | None:
    if written.isdigit():
        return int(written)
    names = _CRON_NAMES.get(field, ())
    if written.lower() not in names:
        return None
    return names.index(written.lower()) + (1 if field == "month" else 0)


def _cut(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")


def moment(written: str) -> Complaint | None:
    """A date, or a time of a day, as in RFC 3339."""
    try:
        datetime.fromisoformat(written)
    except ValueError:
        return f"is not a date: {_cut(written)}", 'Write one, such as "2026-12-31" or "2026-12-31T18:00:00Z".'
    return None
