"""The supervisor's hold on its warm process: started, kept alive, and gone with it."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress

from loopdeck.store.layout import DeckHome
from loopdeck.supervisor import births

_NEEDED = ("PATH", "HOME", "TMPDIR", *births.FIXED)
"""Beginnings of the variables it is started with: nothing of a person's that it would hand on to the runs of others."""
_PAUSE_S = 2.0
_LONGEST_S = 300.0


class Warmth:
    """The warm process of the deck in `home`. `sdks` says which SDKs it is to load at once."""

    def __init__(self, home: DeckHome, environ: Mapping[str, str]) -> None:
        self._home = home
        self._environ = {name: value for name, value in environ.items() if name.startswith(_NEEDED)}
        self._process: subprocess.Popen[bytes] | None = None
        self._due = 0.0
        self._deaths = 0

    @property
    def is_there(self) -> bool:
        """True while it runs, ready or not."""
        return self._process is not None and self._process.poll() is None

    def keep(self, now: float, sdks: Iterable[str]) -> None:
        """See that there is one, `now` being the monotonic clock; one that has died is followed by another, later each time."""
        if not births.WORKS or self.is_there or now < self._due:
            return
        if self._process is not None:
            self.end()
            self._deaths += 1
        self._due = now + min(_LONGEST_S, _PAUSE_S * 2.0 ** min(self._deaths, 20))
        words = [sys.executable, "-m", "loopdeck.supervisor.forkserver", str(self._home.path), ",".join(sorted(sdks)), births.ROOM]
        # Its input ends when this process does, however that ends. What is wrong with it must not keep the supervisor from its work.
        with suppress(OSError):
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, env=self._environ, cwd="/", start_new_session=True)

    def end(self) -> None:
        """Let it go, and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
