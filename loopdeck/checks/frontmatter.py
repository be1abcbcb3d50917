"""The block of facts at the top of a Markdown file: TOML between `+++`, or simple YAML between `---`.

Pure. Of YAML only the flat part is read, keys with scalars or lists of scalars, by the core schema of YAML 1.2 (so `yes` is text, and
dates stay text, as JSON Schema knows them). The invariant: what is beyond that is refused with its line, never guessed at.
"""

import json
import re
import tomllib
from typing import Final

from msgspec import Struct

Scalar = str | int | float | bool | None
_TOML_FENCE: Final = "+++"


class Unreadable(Exception):
    """A document that can't be read: why, and in which line (0: unknown)."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


class FrontMatter(Struct, frozen=True):
    """What the block says, its text and fence, and the line in the file where its text begins."""

    text: str
    fence: str
    first_line: int


_KEY = re.compile(r"""("(?:[^"\\]|\\.)*+"|'(?:[^']|'')*+'|[^\s:#\[\]{}"'&*!|>%@`,?-][^:#]*|[?:-][^\s:#][^:#]*)\s*:(?:\s+|$)(.*)$""")
_LONG_KEY = re.compile(r"""(?<![\w.-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}""")
_ITEM = re.compile(r"\s*-(?:\s+(.*))?$")
_INTEGER = re.compile(r"[-+]?\d+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?")
_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_BEYOND: Final = {
    "|": "a block of text (`|`)",
    ">": "a folded block of text (`>`)",
    "{": "a mapping in braces",
    "&": "an anchor",
    "*": "an alias",
    "!": "a tag",
    "@": "a reserved character",
    "`": "a reserved character",
    "%": "a reserved character",
    "?": "a complex key",
}
_REMEDY: Final = "; write the front matter as TOML between +++ lines to have it checked"


def split(text: str) -> FrontMatter | None:
    """The front matter of a file, or None if it has none. Raises Unreadable if it has no end."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    fence = lines[0].rstrip()
    if fence not in {"---", _TOML_FENCE}:
        return None
    for at, line in enumerate(lines[1:], 1):
        if line.rstrip() == fence or (fence == "---" and line.rstrip() == "..."):
            return FrontMatter("\n".join(lines[1:at]), fence, 2)
    raise Unreadable(f"the front matter that {fence} begins has no end", 1)


def read(block: FrontMatter) -> tuple[dict[str, object], dict[tuple[str | int, ...], int]]:
    """The facts of the block, and the line of each key (for TOML: none). Raises Unreadable."""
    if block.fence == _TOML_FENCE:
        return read_toml(block.text, block.first_line), {}
    return read_flat_yaml(block.text, block.first_line)


def read_toml(text: str, first_line: int = 1) -> dict[str, object]:
    """A TOML document. Raises Unreadable with its line in the file."""
    if long := _LONG_KEY.search(text):
        # The standard parser takes time by the square of a key's parts.
        raise Unreadable("a key has more than 100 parts", first_line + text.count("\n", 0, long.start()))
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"\(at line (\d+)", str(error))
        at = int(line[1]) if line else 1 + text.count("\n")
        raise Unreadable(f"it is not valid TOML: {error}", at + first_line - 1) from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is not TOML that can be read: {_why(error)}") from error


def read_flat_yaml(text: str, first_line: int = 1) -> tuple[dict[str, object], dict[tuple[str | int, ...], int]]:
    """Flat YAML. Raises Unreadable."""
    facts: dict[str, object] = {}
    places: dict[tuple[str | int, ...], int] = {}
    open_key: str | None = None
    for line, raw in enumerate(text.split("\n"), first_line):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if "\t" in raw[: len(raw) - len(raw.lstrip())]:
            raise Unreadable("a tab is used for indentation, which YAML forbids", line)
        item = _ITEM.match(raw)
        if item is not None and open_key is not None:
            held = facts[open_key]
            values = held if isinstance(held, list) else []
            places[open_key, len(values)] = line
            values.append(_item(item[1] or "", line))
            facts[open_key] = values
            continue
        key, value = _pair(raw, line, nested=open_key)
        if key in facts:
            raise Unreadable(f"the key {key} is there twice", line)
        facts[key] = _value(value, line)
        places[(key,)] = line
        open_key = key if not _uncommented(value) else None
    return facts, places


def _pair(raw: str, line: int, nested: str | None) -> tuple[str, str]:
    if raw.startswith(" "):
        what = f"what is nested below {nested}" if nested else "text that goes on over several lines"
        raise Unreadable(f"{what} is beyond the simple YAML that is read here{_REMEDY}", line)
    found = _KEY.match(raw)
    if found is None:
        raise Unreadable(
            "this is not `key: value`" + (f"; {_BEYOND[raw[0]]} is beyond what is read here" if raw[0] in _BEYOND else ""), line
        )
    name = found[1].strip()
    return str(_quoted(name, line)) if name[0] in "\"'" else name, found[2]


def _item(text: str, line: int) -> Scalar:
    text = _uncommented(text)
    if text[:1] not in {'"', "'"} and (_KEY.match(text) or text.startswith(("- ", "["))):
        raise Unreadable(f"a list of anything but plain values is beyond the simple YAML that is read here{_REMEDY}", line)
    return _scalar(text, line)


def _value(text: str, line: int) -> object:
    text = _uncommented(text)
    if not text.startswith("["):
        return _scalar(text, line)
    if not text.endswith("]"):
        raise Unreadable(f"a list in brackets that goes on over several lines is beyond what is read here{_REMEDY}", line)
    parts = _parts(text[1:-1], line)
    if parts and not parts[-1].strip():
        parts.pop()
    return [_scalar(part.strip(), line) for part in parts]


def _parts(text: str, line: int) -> list[str]:
    """`text` cut at the commas that stand outside of quotes."""
    parts = [""]
    quote = ""
    skip = False
    for character in text:
        if quote:
            skip = not skip and quote == '"' and character == "\\"
            quote = "" if character == quote and not skip else quote
        elif character in "[]{}":
            raise Unreadable(f"a list within a list is beyond the simple YAML that is read here{_REMEDY}", line)
        elif character in "\"'" and not parts[-1].strip():
            quote = character
        elif character == ",":
            parts.append("")
            continue
        parts[-1] += character
    return parts


def _uncommented(text: str) -> str:
    """`text` without a comment behind it."""
    text = text.strip()
    if text.startswith("#"):
        return ""
    if text[:1] in {'"', "'"}:
        return text
    at = text.find(" #")
    return (text[:at] if at >= 0 else text).rstrip()


def _scalar(text: str, line: int) -> Scalar:
    if text[:1] in {'"', "'"}:
        return _quoted(text, line)
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _BEYOND:
        raise Unreadable(f"{_BEYOND[text[0]]} is beyond the simple YAML that is read here{_REMEDY}", line)
    if ": " in text or text.endswith(":"):
        raise Unreadable("text with a colon in it must be quoted", line)
    try:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _BASED.fullmatch(text):
            return int(text, 0)
        return float(text) if _FLOAT.fullmatch(text) else text
    except ValueError as error:
        raise Unreadable(f"it holds a number that can't be read: {_why(error)}", line) from error


def _quoted(text: str, line: int) -> str:
    quote = text[0]
    pattern = r'"(?:[^"\\]|\\.)*+"' if quote == '"' else r"'(?:[^']|'')*+'"
    found = re.match(pattern, text)
    if found is None:
        raise Unreadable("a quoted text has no end in its line", line)
    rest = text[found.end() :].strip()
    if rest and not rest.startswith("#"):
        raise Unreadable("something follows a quoted text", line)
    if quote == "'":
        return found[0][1:-1].replace("''", "'")
    try:
        # The escapes that JSON and YAML have in common are the ones in use.
        return str(json.loads(found[0], strict=False))
    except ValueError as error:
        raise Unreadable(f"a quoted text holds an escape that is not read here: {_why(error)}", line) from error


def _why(error: BaseException) -> str:
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)[:200]
