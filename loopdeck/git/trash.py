"""Folders on their way out: renamed aside at once, deleted when there is time.

Invariant: deleting never follows a link, and gets past whatever modes a maker has left.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

from loopdeck.errors import WorkspaceError

_NAME: Final = ".trash"


def put_aside(path: Path) -> None:
    """Free the name `path` at once, by a rename into a `.trash` beside it; nothing there is fine too."""
    trash = path.parent / _NAME
    trash.mkdir(mode=0o700, exist_ok=True)
    try:
        path.rename(trash / f"{path.name[:80]}-{os.urandom(6).hex()}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise WorkspaceError(f"can't be moved aside: {error.strerror}", where=str(path)) from error


def sweep(folder: Path) -> None:
    """Delete what has been put aside in `folder`. Takes seconds for big trees: for a quiet moment, in any process."""
    trash = folder / _NAME
    if not trash.is_dir():
        return
    for entry in trash.iterdir():
        delete(entry)


def delete(path: Path) -> None:
    """Delete a file, a link or a folder with all in it; nothing there is fine too, as is somebody else deleting it as well.

    Raises WorkspaceError if something stays.
    """
    for last in (False, False, True):
        try:
            if not stat.S_ISDIR(path.lstat().st_mode):
                path.unlink()
                return
            shutil.rmtree(path)
        except FileNotFoundError:
            continue  # the path itself, or an entry of it that somebody else has deleted in the same moment
        except OSError as error:
            if last:
                raise WorkspaceError(f"can't be deleted: {error.strerror}", where=str(error.filename or path)) from error
            _open_up(path)
        else:
            return


def _open_up(top: Path) -> None:
    """Give ourselves the right to delete everything below `top`."""
    _make_ours(top)
    for folder, below, _files in os.walk(top):
        for name in below:
            _make_ours(Path(folder, name))


def _make_ours(folder: Path) -> None:
    try:
        mode = folder.lstat().st_mode
        if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IRWXU)
    except OSError:
        return  # deleting will say what is wrong
