"""A run's work as a person reads it: which files, what wants a second look, what was read, and each file's change line by line.

Invariant: nothing is left out unsaid. Each path that differs is on the list; what can't be shown as lines (binary, too much of it) is
named with its size. A change of `.loopdeck/` is marked as what it is: it changes what loops are and may do, and no verb merges it.
Texts are raw; whoever shows them puts them through the sanitiser.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from loopdeck.core.gatedpaths import flagged, folded, gated, protected_by
from loopdeck.core.plural import some
from loopdeck.deck.decks import Deck
from loopdeck.deck.unread import Cargo, Unread
from loopdeck.errors import StoreError, UsageError
from loopdeck.git import diff as diffs
from loopdeck.git import merge as merges
from loopdeck.store.deckfiles import FOLDER
from loopdeck.store.frozen import thaw
from loopdeck.store.layout import RunPaths

MOST_LINES = 20_000
"""Changed lines of one file that are shown; nobody reads more of them on a terminal."""
MOST_BYTES = 8 << 20
Sign = Literal["+", "-", " ", "@", "~"]

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)", re.DOTALL)
_TOLD = ("old mode ", "new mode ", "new file mode 1", "deleted file mode ")
_USUAL = "new file mode 100644"


class Changed(Struct, frozen=True):
    """A file of the review. `mark` says why it wants a second look (empty: it doesn't); `policy`: it is below `.loopdeck/`."""

    path: str
    kind: str
    added: int
    removed: int
    binary: bool
    mark: str
    policy: bool
    read: bool

    @property
    def lines(self) -> int:
        """Lines to read."""
        return self.added + self.removed


class Review(Struct, frozen=True, eq=False):
    """What the run `cargo` is of changed, `files` in git's order. `moved`: somebody has committed to its branch since it ended.

    `merged`: a branch of the operator's has it.
    """

    cargo: Cargo
    files: tuple[Changed, ...]
    moved: bool = False
    merged: bool = False

    @property
    def unread(self) -> tuple[Changed, ...]:
        """Files not marked as read."""
        return tuple(one for one in self.files if not one.read)


class Line(Struct, frozen=True):
    """One line of a diff; `old` and `new` are its numbers, 0 on the side where it isn't.

    `sign` is a diff's own, `@` for the head of a hunk, `~` for what git says about the file.
    """

    sign: Sign
    text: str
    old: int = 0
    new: int = 0


class FileDiff(Struct, frozen=True, eq=False):
    """A file's change. `hunks` are the places of hunk heads in `lines`; `note` says why nothing is shown, or that it was cut.

    `language` is the name of a lexer, empty if none is known by the file's name.
    """

    path: str
    language: str = ""
    lines: tuple[Line, ...] = ()
    hunks: tuple[int, ...] = ()
    note: str = ""


class Outlook(Struct, frozen=True):
    """What merging would come to: into which branch, which paths conflict, what else stands in the way, and how much would change."""

    into: str
    conflicts: tuple[str, ...] = ()
    refusal: str = ""
    files: int = 0
    added: int = 0
    removed: int = 0


def review(deck: Deck, paths: RunPaths, unread: Unread | None = None) -> Review:
    """What the run changed against its base, with what was read of it.

    Raises UsageError if the run changed nothing, WorkspaceError if its commits are gone, StoreError.
    """
    counts = unread or Unread(deck)
    cargo = counts.cargo(paths)
    if cargo is None:
        raise UsageError("the run has changed nothing", where=paths.run, remedy=f"`loopdeck show {paths.run}` says how it stands.")
    left = {one.path for one in counts.unread_of(cargo)}
    protect = protected(paths)
    files = tuple(_changed(each, protect, each.path not in left) for each in diffs.changed(deck.repo, cargo.base, cargo.tip))
    moved = bool(cargo.commit) and cargo.commit != cargo.tip
    return Review(cargo, files, moved, merged=cargo.tip in diffs.merged(deck.repo, (cargo.tip,)))


def protected(paths: RunPaths) -> tuple[str, ...]:
    """The patterns of paths that the run's maker was not to change; none if what was frozen can't be read."""
    try:
        return thaw(paths.dir).spec.workspace.protect
    except StoreError:
        return ()


def mark_of(each: diffs.Change, protect: Sequence[str]) -> str:
    """Why a change wants a second look; empty if it doesn't."""
    if is_policy(each.path):
        return "changes what loops are and may do"
    if pattern := protected_by(each.path, protect):
        return f"protected by {pattern}"
    if gated(each.path):
        return "configures tools, hooks or agents"
    if each.gitlink:
        return "a submodule"
    return "is run by tools of its own accord" if flagged(each.path) else ""


def is_policy(path: str) -> bool:
    """True for what is below `.loopdeck/`, in any spelling that some file system takes for it."""
    return folded(path).split("/")[0] == FOLDER


def _changed(each: diffs.Change, protect: Sequence[str], read: bool) -> Changed:
    mark, policy = mark_of(each, protect), is_policy(each.path)
    return Changed(each.path, each.kind, each.added, each.removed, each.binary, mark, policy, read)


def language(path: str) -> str:
    """The name of the lexer for files of that name; empty if there is none. The content has no say."""
    return _lexer(path.rpartition("/")[2][-100:])


@lru_cache(maxsize=512)
def _lexer(name: str) -> str:
    from pygments.lexers import find_lexer_class_for_filename

    found = find_lexer_class_for_filename(name)
    return found.aliases[0] if found is not None and found.aliases else ""


def file_diff(deck: Deck, cargo: Cargo, one: Changed) -> FileDiff:
    """The change of one file, line by line. Raises WorkspaceError."""
    shorter = f"git diff {cargo.base[:12]} {cargo.tip[:12]} -- <its path>"
    if one.binary:
        return FileDiff(one.path, note=f"a binary file: look at it with `{shorter} --stat`")
    if one.lines > MOST_LINES:
        return FileDiff(one.path, note=f"{some(one.lines, 'line')} are too many to show here: `{shorter}`")
    patch = diffs.patch(deck.repo, cargo.base, cargo.tip, limit_bytes=MOST_BYTES, path=one.path)
    lines = tuple(parsed(patch.text))
    hunks = tuple(at for at, line in enumerate(lines) if line.sign == "@")
    return FileDiff(
        one.path, language(one.path), lines, hunks, f"cut after {MOST_BYTES >> 20} MiB: `{shorter}` has it all" if patch.cut else ""
    )


def parsed(patch: str) -> Iterator[Line]:
    """The lines of a diff of one file. How many belong to a hunk is what its head says, whatever they look like."""
    old = new = old_left = new_left = 0
    for text in patch.split("\n"):
        if old_left > 0 or new_left > 0:
            sign, rest = text[:1], text[1:]
            if sign == "\\":
                yield Line("~", text[2:])
            elif sign == "+":
                yield Line("+", rest, 0, new)
                new, new_left = new + 1, new_left - 1
            elif sign == "-":
                yield Line("-", rest, old, 0)
                old, old_left = old + 1, old_left - 1
            else:
                yield Line(" ", rest, old, new)
                old, new, old_left, new_left = old + 1, new + 1, old_left - 1, new_left - 1
        elif head := _HUNK.fullmatch(text):
            old, new = int(head[1]), int(head[3])
            old_left, new_left = int(head[2] or 1), int(head[4] or 1)
            yield Line("@", head[5], old, new)
        elif text.startswith("\\ "):
            yield Line("~", text[2:])
        elif text.startswith(_TOLD) and text != _USUAL:
            yield Line("~", text)


def outlook(deck: Deck, cargo: Cargo) -> Outlook:
    """What merging the run's branch into the one the operator is on would come to, as far as that can be told without its checks.

    Raises WorkspaceError if it has no branch any more, or the operator is on none. No branch and no file is changed.
    """
    planned = merges.preview(deck.repo, f"loop/{cargo.loop}/{cargo.run}", f"Merge {cargo.run}\n")
    refusal = ""
    if planned.merged:
        refusal = f"it is merged into {planned.into} already"
    elif policy := [path for path in planned.files if is_policy(path)]:
        refusal = f"it changes what loops are and may do ({', '.join(policy[:3])}): merge by hand if you want that"
    return Outlook(planned.into, planned.conflicts, refusal, len(planned.files), planned.added, planned.removed)
