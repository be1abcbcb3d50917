"""Starting a runner the best way there is now."""

from loopdeck.store.layout import RunPaths
from loopdeck.supervisor import births
from loopdeck.supervisor.spawn import Started, spawn


def start(paths: RunPaths) -> Started:
    """A runner on the run, forked where that is possible, else spawned. It has the environment of this process. Raises StoreError."""
    return births.ask(paths) or spawn(paths)
