"""Lines of files that a regular expression matches. Run as a script it is asked on stdin and answers on stdout, both JSON.

Needs nothing but the standard library, so that it starts quickly and in any sandbox that has an interpreter.
"""

import json
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator

LONGEST = 300
"""Characters of a line that are shown."""
_MOST_BYTES = 16 << 20
_SNIFFED = 8192


def search(pattern: str, root: str, paths: Iterable[str], most: int) -> list[str]:
    """At most `most` matching lines of the files `paths` below `root`, as `path:line:text`. Binary and very large files are left out."""
    wanted = re.compile(pattern.encode("utf-8", "surrogatepass"))
    found: list[str] = []
    for path in paths:
        for number, line in _matching(wanted, os.path.join(root, path)):  # noqa: PTH118 - strings, and no import of pathlib
            text = line.decode("utf-8", "replace")
            cut = f"{text[:LONGEST]}…" if len(text) > LONGEST else text
            found.append(f"{path}:{number}:{cut}")
            if len(found) >= most:
                return found
    return found


def _matching(wanted: re.Pattern[bytes], path: str) -> Iterator[tuple[int, bytes]]:
    content = _content(path)
    if b"\0" in content[:_SNIFFED]:
        return
    for number, line in enumerate(content.splitlines(), 1):
        if wanted.search(line):
            yield number, line


def _content(path: str) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        return file.read() if stat.S_ISREG(found.st_mode) and found.st_size <= _MOST_BYTES else b""


def main() -> None:
    """Answer the question on stdin."""
    asked = json.load(sys.stdin)
    json.dump(search(asked["pattern"], asked["root"], asked["paths"], asked["most"]), sys.stdout)


if __name__ == "__main__":
    main()
