"""Secrets that nobody has, by the hundred: of every kind that is known by its looks, and ways to look for them anywhere."""

import base64
import json
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.core.test_redact import _canaries, _standing


class Canary:
    """A text in which a secret stands, and the secret in all forms in which it must not be found."""

    def __init__(self, text: str, secret: str) -> None:
        self.text = text
        raw = secret.encode()
        self._forms = {
            raw,
            json.dumps(secret)[1:-1].encode(),
            json.dumps(json.dumps(secret)[1:-1])[1:-1].encode(),
            urllib.parse.quote(secret, safe="").encode(),
            base64.b64encode(raw)[: len(raw) * 8 // 6],
        }

    def within(self, data: bytes) -> bool:
        """True if it can be read out of `data`."""
        return any(form in data for form in self._forms)


def hundreds(seeds: int = 6) -> list[Canary]:
    """Some two hundred, none like another."""
    return [Canary(_standing(kind, made), made[1]) for seed in range(50, 50 + seeds) for kind, made in _canaries(seed).items()]


def places(canaries: Iterable[Canary], data: bytes, where: str) -> Iterator[str]:
    """Where canaries are found."""
    for number, canary in enumerate(canaries):
        if canary.within(data):
            yield f"{where}: {number} {canary.text[:20]!r}"


def files(folder: Path, *, but: Iterable[str] = ()) -> dict[str, bytes]:
    """Every file below `folder`, by its path in there, but those whose path begins with one of `but`."""
    named = ((str(path.relative_to(folder)), path) for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {name: path.read_bytes() for name, path in named if not name.startswith(tuple(but))}
