"""The code that a process of long life has loaded, and whether it is still what is on disk: after an upgrade it is not."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress


def loaded() -> dict[str, int]:
    """The files of loopdeck that are loaded, and when each was last changed (nanoseconds)."""
    found = {}
    for name, module in tuple(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and name.partition(".")[0] == "loopdeck":
            with suppress(OSError):
                found[path] = os.stat(path).st_mtime_ns  # noqa: PTH116 - hundreds of them, before each birth
    return found


def is_another(before: Mapping[str, int]) -> bool:
    """True if one of the files is gone, or was changed since `before`."""
    try:
        return any(os.stat(path).st_mtime_ns != changed for path, changed in before.items())  # noqa: PTH116 - see above
    except OSError:
        return True
