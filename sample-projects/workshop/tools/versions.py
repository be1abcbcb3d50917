"""Finds places that name another version than pyproject.toml: python3 tools/versions.py

Release notes and stamps tell of the past and are left out.
"""

import re
import sys
import tomllib
from pathlib import Path

VERSION = re.compile(r"\b(?:[Vv]ersion|shed|__version__)\W{1,6}(\d+\.\d+\.\d+)")
PLACES = ("README.md", "shed/*.py", "handbook/**/*.md")


def main():
    current = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    stale = []
    for pattern in PLACES:
        for path in sorted(Path().glob(pattern)):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                stale += [
                    f"{path.as_posix()}:{number}: stale version {named}, it is {current} now"
                    for named in VERSION.findall(line)
                    if named != current
                ]
    print("\n".join(stale) or f"every place says {current}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
