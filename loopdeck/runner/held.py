"""Every secret that a runner holds, so that none is ever written: of its environment, and of what it copies into the worktree.

Keys that come later (out of a keyring, a gateway's own token) are told to the redactor as they are found.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from loopdeck.core.redact import secrets_of
from loopdeck.store.frozen import Frozen

_MOST_READ = 1 << 20
_ASSIGNED = re.compile(r"^\s*(?:export\s+|set\s+|//)?([\w./:@-]+?)\s*[=:]\s*(.*?)\s*$", re.MULTILINE)
_OWN = re.compile(r"(?:^|/)(?:\.env[^/]*|[^/]*\.env|\.npmrc|\.netrc|\.pypirc|[^/]*credentials[^/]*|[^/]*secrets?[^/]*)$", re.IGNORECASE)
"""Files that are there to hold secrets."""


def held(environ: Mapping[str, str], frozen: Frozen) -> set[str]:
    """The values that must not be written: of `environ`, of variables the loop lets through, of copied files that hold such things."""
    let_through = {f"TOKEN_{name}": environ[name] for name in frozen.spec.sandbox.env if name in environ}
    found = secrets_of(environ) | secrets_of(let_through)
    for text in _copied(Path(frozen.root), frozen.spec.workspace.copy):
        found |= secrets_of({name: value.strip("\"'") for name, value in _ASSIGNED.findall(text)})
    return found


def _copied(root: Path, entries: tuple[str, ...]) -> Iterator[str]:
    """Texts of the files among `entries` that are there to hold secrets."""
    if not entries:
        return
    # Most loops copy nothing, and git's side takes a while to import.
    from loopdeck.git.provision import found_in

    for entry in entries:
        for path in found_in(root, entry):
            if not _OWN.search(str(path)):
                continue
            try:
                with (root / path).open("rb") as file:
                    yield file.read(_MOST_READ).decode("utf-8", "replace")
            except OSError:
                continue
