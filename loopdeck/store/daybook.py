"""What the runs of a deck take on one day, so that all of them together stay within a budget: a file for each run, by day.

One writer per file: the run's own runner. Whoever takes more does so under a mutex and writes it down before the money can go, so the
sum of the files is never less than what the runs have taken. Old days are of no use and are deleted by whoever comes by.
"""

import shutil
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from loopdeck.store.files import make_dir, write_atomic
from loopdeck.store.layout import DeckHome
from loopdeck.store.locks import Mutex


class Taken(Struct, frozen=True):
    """One run's part of a day in picodollars: spent and still reserved; `base` is what the run had taken before the day began."""

    spent: int = 0
    reserved: int = 0
    base: int = 0

    @property
    def all(self) -> int:
        """Both together."""
        return self.spent + self.reserved


class Daybook:
    """The files of one deck; `mutex` is held while something is taken."""

    def __init__(self, home: DeckHome) -> None:
        self._folder = home.path / "day"
        self.mutex = Mutex(home.locks / "day")

    def own(self, day: str, run: str) -> Taken | None:
        """What is written down of `run`; None if nothing is."""
        return _read(self._folder / day / f"{run}.json")

    def others(self, day: str, run: str) -> Taken:
        """The sum over all other runs."""
        spent = reserved = 0
        for path in (self._folder / day).glob("*.json"):
            if path.stem != run and (one := _read(path)) is not None:
                spent, reserved = spent + one.spent, reserved + one.reserved
        return Taken(spent, reserved)

    def write(self, day: str, run: str, taken: Taken) -> None:
        """Write down what `run` has taken. Raises StoreError."""
        folder = self._folder / day
        if not folder.is_dir():
            make_dir(self._folder)
            make_dir(folder)
            self._forget(day)
        write_atomic(folder / f"{run}.json", msgspec.json.encode(taken), durable=False)

    def _forget(self, day: str) -> None:
        with suppress(OSError):
            for old in self._folder.iterdir():
                if old.name < day:
                    shutil.rmtree(old, ignore_errors=True)


def _read(path: Path) -> Taken | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Taken)
    except (OSError, msgspec.DecodeError):
        # Gone meanwhile, or not whole: whoever wrote it writes it again with its next call.
        return None
