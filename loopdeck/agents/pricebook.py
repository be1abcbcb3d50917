"""Prices that were looked up once, kept on a shelf: to load the whole price list takes longer than a verb may take to start.

Invariant: what is found here was said by the very price list that is installed, and worked out by this version of loopdeck.
"""

import hashlib
import importlib.util
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from loopdeck import __version__
from loopdeck.core.usage import Rates

Tiers = tuple[tuple[int, Rates], ...]
"""Rates and the input tokens above which they hold, for the whole call; ascending, the first from 0."""


class Shelf(Protocol):
    """Where small things are kept that can be made again."""

    def get(self, name: str) -> bytes | None:
        """What was put there under `name`; None if nothing was, or it is gone."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Keep `data` if that is possible."""
        ...


class _Page(Struct, frozen=True):
    """All prices that a model may have, whatever the time; none if it has no known price. `of` says which question it answers."""

    of: tuple[str, ...]
    prices: tuple[Tiers, ...]


def read(shelf: Shelf, model: str, hint: str) -> tuple[Tiers, ...] | None:
    """The prices that were kept; None if there are none of the list that is installed."""
    of = _question(model, hint)
    data = shelf.get(_name(of)) if of else None
    try:
        page = msgspec.json.decode(data, type=_Page) if data is not None else None
    except msgspec.MsgspecError:
        return None
    return page.prices if page is not None and page.of == of else None


def write(shelf: Shelf, model: str, hint: str, prices: tuple[Tiers, ...]) -> None:
    """Keep prices that depend on no clock."""
    of = _question(model, hint)
    if of:
        shelf.put(_name(of), msgspec.json.encode(_Page(of, prices)))


def _question(model: str, hint: str) -> tuple[str, ...]:
    """What is asked, and of which list; nothing if the list can't be found."""
    # The package is found, but not imported.
    package = importlib.util.find_spec("genai_prices")
    if package is None or package.origin is None:
        return ()
    try:
        data = Path(package.origin).with_name("data.py").stat()
    except OSError:
        return ()
    return (__version__, f"{data.st_size} {data.st_mtime_ns}", model, hint)


def _name(of: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(of).encode("utf-8", "replace")).hexdigest()[:32]
