"""The run's active time on the monotonic clock: it stands still while a person is awaited, and while nobody runs."""

import time


class Stopwatch:
    """Counts seconds while it runs, on from `seconds` of earlier lives."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None

    def go(self, running: bool) -> None:
        """Let it run, or stand still."""
        if running and self._since is None:
            self._since = time.monotonic()
        elif not running and self._since is not None:
            self._seconds = self.read()
            self._since = None

    def read(self) -> float:
        """Active seconds so far."""
        return self._seconds + (time.monotonic() - self._since if self._since is not None else 0.0)
