"""Stamps a release: python3 tools/stamp.py VERSION writes release/VERSION.json, the agreed release notes by their hash.

With --check it says whether the version of pyproject.toml has its notes, mentions every change, and is stamped.
"""

import hashlib
import json
import sys
import tomllib
from pathlib import Path

NOTES = Path("RELEASE_NOTES.md")


def section(version):
    """The lines of the release notes on `version`, and the number of its heading's line; empty and 1 without one."""
    lines = NOTES.read_text(encoding="utf-8").splitlines()
    if f"## {version}" not in lines:
        return [], 1
    start = lines.index(f"## {version}")
    end = next((at for at in range(start + 1, len(lines)) if lines[at].startswith("## ")), len(lines))
    return lines[start + 1 : end], start + 1


def notes_hash():
    return hashlib.sha256(NOTES.read_bytes()).hexdigest()


def stamp(version):
    path = Path("release") / f"{version}.json"
    path.write_text(json.dumps({"version": version, "notes_sha256": notes_hash()}, indent=2) + "\n", encoding="utf-8")
    print(f"stamped {path.as_posix()}")
    return 0


def check():
    version = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    text, line = section(version)
    wrong = [] if text else [f"{NOTES}:1: nothing on version {version}"]
    for change in sorted(Path("changes").glob("*.md")):
        if f"- {change.read_text(encoding='utf-8').strip()}" not in text:
            wrong.append(f"{NOTES}:{line}: {change.as_posix()} is not in the notes on {version}")
    path = Path("release") / f"{version}.json"
    if not path.exists():
        wrong.append(f"{NOTES}:{line}: the release is not stamped, {path.as_posix()} is missing")
    elif json.loads(path.read_text(encoding="utf-8")) != {"version": version, "notes_sha256": notes_hash()}:
        wrong.append(f"{path.as_posix()}:1: stamped for other notes than these")
    print("\n".join(wrong) or f"{version} is ready")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(check())
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(stamp(sys.argv[1]))
