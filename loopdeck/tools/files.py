"""read_file, write_file, edit_file: files of the worktree, bounded in what they return and exact in what they change."""

from typing import IO

from loopdeck.core.gate import REPORT
from loopdeck.core.plural import some
from loopdeck.tools import memory, within
from loopdeck.tools.arguments import EditFile, ReadFile, WriteFile
from loopdeck.tools.port import ToolContext, ToolFailed, ToolOutcome

LONGEST_LINE = 2000
"""Characters of a line that are shown."""
MOST_SHOWN = 60_000
"""Characters of a file that one call shows."""
_MOST_SCANNED = 64 << 20
_MOST_EDITED = 16 << 20
_SNIFFED = 8192


def read_file(given: ReadFile, context: ToolContext) -> ToolOutcome:
    """Numbered lines of a text file, and where to go on."""
    with within.opened(context.worktree, given.path) as file:
        head = file.read(_SNIFFED)
        if b"\0" in head:
            size = file.seek(0, 2)
            raise ToolFailed(f"{given.path!r} is a binary file of {size} bytes, which read_file does not show.")
        if not head:
            return ToolOutcome("(the file is empty)")
        file.seek(0)
        return ToolOutcome(_numbered(file, given))


def _numbered(file: IO[bytes], given: ReadFile) -> str:
    shown: list[str] = []
    size = 0
    number = 0
    last = given.offset + given.limit - 1
    stopped = False
    while line := file.readline(_MOST_SCANNED):
        number += 1
        if given.offset <= number <= last and not stopped:
            text = _cut(line.decode("utf-8", "replace").rstrip("\r\n"))
            size += len(text) + 8
            stopped = bool(shown) and size > MOST_SHOWN
            if not stopped:
                shown.append(f"{number:6}\t{text}")
        if file.tell() >= _MOST_SCANNED:
            break
    if not shown:
        raise ToolFailed(f"{given.path!r} has {some(number, 'line')}; there is none from {given.offset} on.")
    end = given.offset + len(shown) - 1
    whole = given.offset == 1 and end == number
    rest = "" if whole else f"\n[lines {given.offset} to {end} of {_count(file, number)}{_go_on(end, number)}]"
    return "\n".join(shown) + rest


def _count(file: IO[bytes], number: int) -> str:
    return f"{number} or more" if file.read(1) else str(number)


def _go_on(end: int, number: int) -> str:
    return f"; go on with offset {end + 1}" if end < number else ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}… [{len(text) - LONGEST_LINE} more characters]"


def write_file(given: WriteFile, context: ToolContext) -> ToolOutcome:
    """A whole file."""
    _may_write(given.path, context)
    memory.fits(given.path, given.content)
    content = given.content.encode()
    new = within.replace(context.worktree, given.path, content)
    lines = content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
    return ToolOutcome(f"{'Created' if new else 'Wrote'} {given.path}: {some(lines, 'line')}, {some(len(content), 'byte')}.")


def edit_file(given: EditFile, context: ToolContext) -> ToolOutcome:
    """One piece of a file, or every one that is the same."""
    _may_write(given.path, context)
    with within.opened(context.worktree, given.path) as file:
        content = file.read(_MOST_EDITED + 1)
    if len(content) > _MOST_EDITED:
        raise ToolFailed(f"{given.path!r} is larger than {_MOST_EDITED >> 20} MiB, too large to edit.")
    changed, count, line = replaced(content, given)
    memory.fits(given.path, changed.decode("utf-8", "replace"))
    within.replace(context.worktree, given.path, changed)
    return ToolOutcome(f"Edited {given.path}: " + (f"line {line}." if count == 1 else f"{count} places, the first at line {line}."))


def replaced(content: bytes, given: EditFile) -> tuple[bytes, int, int]:
    """What an edit makes of a file's `content`, in how many places, and the line of the first. Raises ToolFailed."""
    if not given.old:
        raise ToolFailed("`old` is empty. Give the text to replace, or write the file with write_file.")
    if given.old == given.new:
        raise ToolFailed("`old` and `new` are the same: nothing would change.")
    old, new = given.old.encode(), given.new.encode()
    if old not in content and b"\r\n" in content and b"\r" not in old:
        # The model sees lines without their ends; the file's own ends are kept.
        old, new = old.replace(b"\n", b"\r\n"), new.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    count = content.count(old)
    if count == 0:
        raise ToolFailed(_nowhere(content, given))
    if count > 1 and not given.replace_all:
        raise ToolFailed(
            f"`old` occurs {count} times in {given.path!r}, at lines {_lines(content, old)}. Give more of its surroundings, or set "
            "replace_all."
        )
    return content.replace(old, new), count, content[: content.index(old)].count(b"\n") + 1


def _may_write(path: str, context: ToolContext) -> None:
    # The gate says so first; this holds if a call should ever come by another way.
    if context.level == "report" and within.normal(path) != REPORT:
        raise ToolFailed(f"The level of this loop is report: nothing may be written but {REPORT} and the state.")


def _lines(content: bytes, old: bytes) -> str:
    numbers: list[str] = []
    at = content.find(old)
    while at >= 0 and len(numbers) < 10:
        numbers.append(str(content.count(b"\n", 0, at) + 1))
        at = content.find(old, at + len(old))
    return ", ".join(numbers) + (" and more" if at >= 0 else "")


def _nowhere(content: bytes, given: EditFile) -> str:
    first = next((line.strip() for line in given.old.splitlines() if line.strip()), "")
    alike = [
        number for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1) if first and line.strip() == first
    ]
    hint = f" Its first line is like line {alike[0]} but for what surrounds it: check blanks and the lines after it." if alike else ""
    return f"`old` does not occur in {given.path!r}.{hint} Read the file and copy the text exactly, without line numbers."
