"""Runs as earlier versions wrote them, byte for byte; every later version must read them to the same end, for ever."""

import shutil
from pathlib import Path

from loopdeck.store.layout import DeckHome

HERE = Path(__file__).resolve().parent
VERSIONS = tuple(sorted(folder.name for folder in HERE.glob("v*") if folder.is_dir()))


def copied(version: str, into: Path) -> DeckHome:
    """A deck's home at `into` with the runs and states of that version."""
    shutil.copytree(HERE / version, into, dirs_exist_ok=True)
    return DeckHome(into)
