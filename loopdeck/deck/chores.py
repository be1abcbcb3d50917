"""What takes a while to find out and can wait: done one at a time when there is nothing more urgent, once however often it is asked.

Invariant: a chore that fails is over all the same, and what was wrong is kept in words until it goes well.
"""

from collections import deque
from collections.abc import Callable, Hashable

from loopdeck.errors import LoopdeckError

Work = Callable[[], bool]
"""Does it; True if that shows."""


class Chores:
    """A list of things to do, and what is wrong with what."""

    def __init__(self) -> None:
        self._todo: deque[tuple[Hashable, Work]] = deque()
        self._names: set[Hashable] = set()
        self._trouble: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._todo)

    @property
    def trouble(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        return tuple(self._trouble.values())

    def later(self, name: Hashable, work: Work) -> None:
        """Do `work` some time, unless something of that name waits already."""
        if name not in self._names:
            self._names.add(name)
            self._todo.append((name, work))

    def do_one(self) -> bool:
        """Do what has waited longest; True if that shows."""
        name, work = self._todo.popleft()
        self._names.discard(name)
        return self.attempt(str(name), work)

    def attempt(self, source: str, work: Work) -> bool:
        """What `work` gives, now; False if it fails, which is then said of `source`."""
        try:
            done = work()
        except LoopdeckError as error:
            return self.say(source, str(error))
        self.say(source, "")
        return done

    def say(self, source: str, what: str) -> bool:
        """Note what is wrong with `source`, or that nothing is; False, since it shows in no row."""
        if what:
            self._trouble[source] = what
        else:
            self._trouble.pop(source, None)
        return False
