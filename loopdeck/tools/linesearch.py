"""Lines of files that a regular expression matches. Run as a script it is asked on stdin and answers on stdout, both JSON.

Needs nothing but the standard library, so that it starts quickly and in any sandbox that has an interpreter.
"""

import json
import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator

LONGEST = 300
"""Characters of a line that are shown."""
_MOST_BYTES = 16 << 20
_SNIFFED = 8192


def search(pattern: str, root: str, paths: Iterable[str], most: int, seconds: float) -> list[str]:
    """At most `most` matching lines of the files `paths` below `root`, as `path:line:text`; binary and very large files are left out.

    Raises TimeoutError if the files take longer than `seconds`; a single line is not interrupted.
    """
    wanted = re.compile(pattern)
    found: list[str] = []
    until = time.monotonic() + seconds
    for path in paths:
        if time.monotonic() > until:
            raise TimeoutError
        for number, line in _matching(wanted, os.path.join(root, path)):  # noqa: PTH118 - strings, and no import of pathlib
            cut = f"{line[:LONGEST]}…" if len(line) > LONGEST else line
            found.append(f"{path}:{number}:{cut}")
            if len(found) >= most:
                return found
    return found


def _matching(wanted: re.Pattern[str], path: str) -> Iterator[tuple[int, str]]:
    content = _content(path)
    if b"\0" in content[:_SNIFFED]:
        return
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), 1):
        if wanted.search(line):
            yield number, line.rstrip("\r")


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
    json.dump(search(asked["pattern"], asked["root"], asked["paths"], asked["most"], asked["seconds"]), sys.stdout)


if __name__ == "__main__":
    main()
