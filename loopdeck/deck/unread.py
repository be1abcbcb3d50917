"""What loops shipped that nobody has read: lines, by run and file.

What counts: the lines that a run added and removed against its base, in every file that was not marked read as it is now, of
- each run whose work is in a branch of the operator's, however it came there and whatever it ended with: that is what was shipped;
- each run that ended `done` and whose branch waits to be merged: that is what is about to be.
What doesn't: runs that are going on; those that ended otherwise and were not merged; those that were discarded unmerged; binary files,
which have no lines (they are on the list all the same). A squashed merge can't be told from other work: such a run counts as waiting
until it is read or discarded.

Invariant: nothing is changed by counting but a cache, and what is the same as before costs no git: a run's files are looked up once for
each commit that its branch was at.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from loopdeck.core.plural import some
from loopdeck.deck.decks import Deck
from loopdeck.deck.snapshot import Fate
from loopdeck.errors import StoreError, UsageError, WorkspaceError
from loopdeck.git import diff, refs
from loopdeck.store.folded import load_run
from loopdeck.store.layout import RunPaths
from loopdeck.store.readmarks import Marks, ReadMarks
from loopdeck.store.shelf import FileShelf

STALE_S = 5.0
"""Seconds for which branches are taken to be where they were."""


class Shipped(Struct, frozen=True):
    """A file that a run changed: `after` is what it is at the run's commit (mode and blob), lines are against the run's base."""

    path: str
    after: str
    added: int
    removed: int
    binary: bool = False

    @property
    def lines(self) -> int:
        """Lines to be read."""
        return self.added + self.removed


class Cargo(Struct, frozen=True):
    """What a run changed from `base` to `tip`, where its branch is, or was before it went: `dropped`. It left it at `commit`."""

    loop: str
    run: str
    base: str
    commit: str
    tip: str
    done: bool
    dropped: bool
    files: tuple[Shipped, ...]


class Owed(Struct, frozen=True):
    """What is unread of a run that counts. `merged`: it is in a branch of the operator's; otherwise it waits to be."""

    loop: str
    run: str
    merged: bool
    lines: int
    files: tuple[Shipped, ...]


class Debt(Struct, frozen=True, eq=False):
    """All that is unread in a deck, the oldest run first; and of each run with changes what became of them, by its id."""

    owed: tuple[Owed, ...] = ()
    fates: Mapping[str, Fate] = {}

    @property
    def lines(self) -> int:
        """Lines unread."""
        return sum(one.lines for one in self.owed)

    def of(self, run: str) -> int:
        """Lines unread of one run; 0 if it doesn't count."""
        return sum(one.lines for one in self.owed if one.run == run)


class _Facts(Struct, frozen=True):
    """What a journal of `size` bytes says of a run."""

    size: int
    base: str
    commit: str
    done: bool
    ended: bool


class Unread:
    """Counts what is unread in one deck; one that lives on costs little to be asked again. Not for two threads at once."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck
        self.marks = ReadMarks(deck.home.readmarks, deck.home.locks / "readmarks")
        self._shelf = FileShelf(deck.home.shipped)
        self._facts: dict[RunPaths, _Facts] = {}
        self._cargo: dict[RunPaths, Cargo] = {}
        self._debt = Debt()
        self._seen: object = None
        self._looked = -STALE_S

    def look(self, *, closely: bool = False) -> Debt:
        """What is unread now; the same object if nothing was found to differ.

        Unless `closely`, branches are taken to be where they were up to `STALE_S` ago.

        Raises StoreError if the marks can't be read, WorkspaceError if git can't.
        """
        runs = {paths: _size(paths) for paths in self._deck.home.all_runs()}
        stamp = (self.marks.stamp(), runs)
        if not closely and stamp == self._seen and time.monotonic() - self._looked < STALE_S:
            return self._debt
        debt = self._counted([paths for paths, size in runs.items() if size])
        if (debt.owed, debt.fates) != (self._debt.owed, self._debt.fates):
            self._debt = debt
        self._seen, self._looked = stamp, time.monotonic()
        return self._debt

    def cargo(self, paths: RunPaths) -> Cargo | None:
        """What one run shipped, or would; None if it has no commit of its own. Raises WorkspaceError, StoreError."""
        return self._loaded(paths, refs.tips_of_loops(self._deck.repo))

    def unread_of(self, cargo: Cargo) -> tuple[Shipped, ...]:
        """Its files that are not marked read as they are now, whether the run counts or not. Raises StoreError."""
        return _unread(cargo, self.marks.all())

    def mark(self, cargo: Cargo, paths: Sequence[str] = ()) -> tuple[Shipped, ...]:
        """Note that these files of it were read (a folder stands for all below it; none named: all); returns them.

        Raises UsageError for a path that the run did not change, StoreError.
        """
        chosen = tuple(dict.fromkeys(one for path in paths for one in _below(cargo, path))) if paths else cargo.files
        self.marks.mark(cargo.run, {one.path: one.after for one in chosen})
        return chosen

    def _counted(self, runs: Iterable[RunPaths]) -> Debt:
        tips = refs.tips_of_loops(self._deck.repo)
        loaded = [one for paths in runs if (one := self._known(paths, tips)) is not None and one.files]
        merged = diff.merged(self._deck.repo, (one.tip for one in loaded))
        marks = self.marks.all()
        owed = []
        fates: dict[str, Fate] = {}
        for one in loaded:
            fates[one.run] = "merged" if one.tip in merged else "discarded" if one.dropped else "waits" if one.done else ""
            counts = one.tip in merged or (one.done and not one.dropped)
            if counts and (files := _unread(one, marks)):
                owed.append(Owed(one.loop, one.run, one.tip in merged, sum(each.lines for each in files), files))
        return Debt(tuple(owed), fates)

    def _known(self, paths: RunPaths, tips: dict[str, str]) -> Cargo | None:
        """As `_loaded`; None as well for a run whose journal or commits are damaged or gone, which hold up nobody else's."""
        try:
            return self._loaded(paths, tips)
        except (StoreError, WorkspaceError):
            return None

    def _loaded(self, paths: RunPaths, tips: dict[str, str]) -> Cargo | None:
        size = _size(paths)
        facts = self._facts.get(paths)
        if facts is None or facts.size != size:
            facts = self._recalled(paths, size) or _told(paths, size)
            self._facts[paths] = facts
        if not facts.base:
            return None
        branch = f"loop/{paths.loop}/{paths.run}"
        dropped = branch not in tips
        tip = tips.get(branch) or tips.get(f"-{branch}") or facts.commit
        known = self._cargo.get(paths)
        if known is None or (known.tip, known.base) != (tip, facts.base):
            files = () if tip == facts.base else _files(self._deck, facts.base, tip)
            known = Cargo(paths.loop, paths.run, facts.base, facts.commit, tip, facts.done, dropped, files)
            if facts.ended:
                self._shelf.put(_name(paths), _kept(facts, known))
        elif (known.done, known.dropped) != (facts.done, dropped):
            known = structs.replace(known, done=facts.done, dropped=dropped)
        self._cargo[paths] = known
        return known if known.files else None

    def _recalled(self, paths: RunPaths, size: int) -> _Facts | None:
        """What was kept of a run that has ended, unless it is of another journal."""
        data = self._shelf.get(_name(paths))
        if data is None:
            return None
        try:
            found: dict[str, Any] = json.loads(data)
            facts = _Facts(found["size"], found["base"], found["commit"], found["done"], ended=True)
            files = tuple(Shipped(*each) for each in found["files"])
            tip = found["tip"]
        except (ValueError, KeyError, TypeError):
            return None
        if facts.size != size:
            return None
        self._cargo[paths] = Cargo(paths.loop, paths.run, facts.base, facts.commit, tip, facts.done, dropped=False, files=files)
        return facts


def _told(paths: RunPaths, size: int) -> _Facts:
    run = load_run(paths).run
    return _Facts(size, run.base, run.commit, run.reason == "done", run.status == "ended")


def _files(deck: Deck, base: str, tip: str) -> tuple[Shipped, ...]:
    after = diff.outcomes(deck.repo, base, tip)
    changes = diff.changed(deck.repo, base, tip)
    return tuple(Shipped(each.path, after[each.path], each.added, each.removed, each.binary) for each in changes)


def _unread(cargo: Cargo, marks: Marks) -> tuple[Shipped, ...]:
    read = marks.get(cargo.run, {})
    return tuple(one for one in cargo.files if read.get(one.path) != one.after)


def _below(cargo: Cargo, path: str) -> list[Shipped]:
    wanted = path.removeprefix("./").rstrip("/")
    found = [one for one in cargo.files if one.path in (path, wanted)]
    found = found or [one for one in cargo.files if one.path.startswith(f"{wanted}/")]
    if not found:
        remedy = f"`loopdeck diff {cargo.run} --stat` names what it changed; paths are relative to the repository's root."
        raise UsageError(f"the run has changed nothing at {path!r}", where=cargo.run, remedy=remedy)
    return found


def _kept(facts: _Facts, cargo: Cargo) -> bytes:
    files = [[one.path, one.after, one.added, one.removed, one.binary] for one in cargo.files]
    fields = {"size": facts.size, "base": facts.base, "commit": facts.commit, "done": facts.done, "tip": cargo.tip, "files": files}
    return json.dumps(fields).encode()


def _name(paths: RunPaths) -> str:
    return hashlib.sha256(f"{paths.loop}/{paths.run}".encode()).hexdigest()


def _size(paths: RunPaths) -> int:
    try:
        return paths.journal.stat().st_size
    except OSError:
        return 0


def cap(deck: Deck) -> int:
    """`max_unread_lines`, as deck.toml has it now."""
    from loopdeck.store import specs

    return specs.load_deck(deck.root).deck.max_unread_lines


def refuse_above_cap(deck: Deck) -> None:
    """Raise UsageError if more is unread than `max_unread_lines`: then nothing is merged until somebody has read."""
    debt, most = Unread(deck).look(), cap(deck)
    if debt.lines > most:
        first = debt.owed[0].run
        much = some(debt.lines, "line that loops shipped is", "lines that loops shipped are")
        raise UsageError(
            f"{much} unread, more than the {most:,} of max_unread_lines: merging waits",
            where=str(deck.root),
            remedy=f"`loopdeck read` lists them; look at one with `loopdeck diff {first}`, then mark it with `loopdeck read {first}`.",
        )
