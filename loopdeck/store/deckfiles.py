"""Where the operator's files of a deck are, in the repository. Light: to list loops, none of them need be understood."""

from pathlib import Path

from loopdeck.store.files import is_there

FOLDER = ".loopdeck"
DECK = f"{FOLDER}/deck.toml"
LOOPS = f"{FOLDER}/loops"
LOOP_FILE = "loop.toml"


def loop_dir(root: Path, name: str) -> Path:
    """The folder of the loop `name`."""
    return root / LOOPS / name


def list_loops(root: Path) -> tuple[str, ...]:
    """The names of all folders that hold a loop.toml, readable or not, in order."""
    try:
        folders = sorted((root / LOOPS).iterdir())
    except OSError:
        return ()
    return tuple(folder.name for folder in folders if is_there(folder / LOOP_FILE))
