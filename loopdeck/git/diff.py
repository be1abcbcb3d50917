"""What differs between two commits, and how one came from the other.

Invariant: only trees are compared, never files of a worktree, and a maker's `.gitattributes` have no say: a file that it declares
binary is counted like any other.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from msgspec import Struct

from loopdeck.git.repository import Repository
from loopdeck.git.status import GITLINK

PLAIN: Final = ("--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
_COMPARISON: Final = ("diff-tree", "-r", "-z", "--raw", "--numstat", "--no-renames", *PLAIN)
_FORMAT: Final = "%H%x00%P%x00%an%x00%aI%x00%s%x00"


class Change(Struct, frozen=True):
    """A path that differs. `added` and `removed` are lines, 0 for a binary file; `kind` is git's letter: A, D, M, or T (another type).

    `gitlink` says that it is, or was, a submodule.
    """

    path: str
    added: int
    removed: int
    binary: bool = False
    kind: str = "M"
    gitlink: bool = False


class _Changing(Protocol):
    @property
    def changes(self) -> tuple[Change, ...]: ...


class Summed(Struct, frozen=True):
    """Base of what has `changes`: how much they are."""

    @property
    def files(self: _Changing) -> tuple[str, ...]:
        """The paths that differ."""
        return tuple(change.path for change in self.changes)

    @property
    def added(self: _Changing) -> int:
        """Lines added."""
        return sum(change.added for change in self.changes)

    @property
    def removed(self: _Changing) -> int:
        """Lines removed."""
        return sum(change.removed for change in self.changes)


class Patch(Struct, frozen=True):
    """A diff as text, the bytes of it kept, and whether more was cut off; bytes that are no UTF-8 are replaced."""

    text: str
    size: int
    cut: bool


class Entry(Struct, frozen=True):
    """A commit in a log. `when` is the author's time, RFC 3339; `parents` are full ids."""

    commit: str
    parents: tuple[str, ...]
    author: str
    when: str
    subject: str


def changed(repo: Repository, base: str, commit: str) -> tuple[Change, ...]:
    """The paths that differ between two commits or trees, in git's order; a renamed file is one deleted and one added."""
    return _parsed(repo.shared().run(*_COMPARISON, base, commit).stdout)


def outcomes(repo: Repository, base: str, commit: str) -> dict[str, str]:
    """Of each path that differs, what it is at `commit`: its mode and blob, zeros if it is gone. Equal only where the content is."""
    fields = iter(repo.shared().run("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", *PLAIN, base, commit).fields)
    after: dict[str, str] = {}
    for field in fields:
        _, mode, _, blob, _ = field.split(" ")
        after[next(fields)] = f"{mode} {blob}"
    return after


@contextmanager
def comparing(repo: Repository, pairs: Sequence[tuple[str, str]]) -> Iterator[Callable[[], tuple[tuple[Change, ...], ...]]]:
    """As `changed` for each of `pairs` of trees, in one git at work while the body does something else.

    What it is given waits for the answers.
    """

    def answer() -> tuple[tuple[Change, ...], ...]:
        output, _ = process.communicate()
        found = _each_parsed(output, pairs) if process.returncode == 0 else None
        return found or tuple(changed(repo, old, new) for old, new in pairs)

    asked = "".join(f"{old} {new}\n" for old, new in pairs)
    with repo.shared().start(*_COMPARISON, "--stdin", stdin=asked.encode()) as process:
        try:
            yield answer
        finally:
            process.kill()


def _each_parsed(output: bytes, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[Change, ...], ...] | None:
    """The changes of each of `pairs`; None if there is no answer for one, as for trees that are not there."""
    heads = [f"{old} {new}\n" for old, new in pairs]
    answers: list[list[str]] = []
    fields = iter(os.fsdecode(output).split("\0"))
    # A head stands before its answer's first field, where no name of a file can be.
    for field in fields:
        while len(answers) < len(heads) and field.startswith(head := heads[len(answers)]):
            field = field.removeprefix(head)
            answers.append([])
        if not answers:
            return None
        answers[-1] += [field, next(fields)] if field.startswith(":") else [field]
    return tuple(_changes(one) for one in answers) if len(answers) == len(heads) else None


def _parsed(output: bytes) -> tuple[Change, ...]:
    """Changes out of `diff-tree --raw --numstat -z`."""
    return _changes(os.fsdecode(output).split("\0"))


def _changes(given: Iterable[str]) -> tuple[Change, ...]:
    kinds: dict[str, tuple[str, bool]] = {}
    changes: list[Change] = []
    fields = iter(given)
    for field in fields:
        if not field:
            continue  # what is behind the last NUL
        if field.startswith(":"):
            old, new, _, _, kind = field[1:].split(" ")
            kinds[next(fields)] = (kind[0], GITLINK in {old, new})
            continue
        added, removed, path = field.split("\t", 2)
        kind, gitlink = kinds[path]
        binary = added == "-"
        changes.append(Change(path, 0 if binary else int(added), 0 if binary else int(removed), binary, kind, gitlink))
    return tuple(changes)


def patch(repo: Repository, base: str, commit: str, *, limit_bytes: int, path: str = "") -> Patch:
    """The diff from `base` to `commit`, or of `path` alone, as text: at most `limit_bytes` of it, cut at the end of a line."""
    renames = "--no-renames" if path else "--find-renames"
    read = _read(repo, (renames, *PLAIN, base, commit, *(("--", path) if path else ())), limit_bytes)
    cut = len(read) > limit_bytes
    if cut:
        read = read[: read.rfind(b"\n", 0, limit_bytes) + 1] or read[:limit_bytes]
    return Patch(read.decode("utf-8", "replace"), len(read), cut)


def appliable(repo: Repository, base: str, commit: str, *, limit_bytes: int) -> bytes | None:
    """The diff from `base` to `commit` for `git apply`: every byte, of binary files too. None if it is longer than `limit_bytes`."""
    read = _read(repo, ("--no-renames", "--binary", "--full-index", *PLAIN, base, commit), limit_bytes)
    return None if len(read) > limit_bytes else read


def _read(repo: Repository, rest: tuple[str, ...], limit_bytes: int) -> bytes:
    """What git says of a difference; one byte more than `limit_bytes` if there is more than that."""
    git = repo.shared()
    arguments = ("--literal-pathspecs", "diff-tree", "-r", "-p", "--no-color", *rest)
    with git.start(*arguments) as process:
        assert process.stdout is not None
        read = process.stdout.read(limit_bytes + 1)
        cut = len(read) > limit_bytes
        if cut:
            process.kill()
    if process.returncode and not cut:
        git.run(*arguments)  # once more, to fail with git's own words
    return read


def merged(repo: Repository, commits: Iterable[str]) -> frozenset[str]:
    """Those of `commits` (full ids) that are in the history of a branch of the operator's, remote ones counted; a loop's is none."""
    wanted = sorted(set(commits))
    if not wanted:
        return frozenset()
    git = repo.shared()
    asked = "".join(f"{commit}\n" for commit in wanted).encode()
    seen = git.run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked).text.splitlines()
    there = {line.partition(" ")[0] for line in seen if line.endswith(" commit")}
    others = ("--not", "--exclude=loop/*", "--branches", "--remotes")
    listed = git.run("rev-list", "--stdin", *others, stdin="".join(f"{one}\n" for one in sorted(there)).encode()).text.split()
    return frozenset(there.difference(listed))


def merge_base(repo: Repository, one: str, other: str) -> str | None:
    """The commit that both came from, or None if they have nothing in common."""
    git = repo.shared()
    found = git.run("merge-base", one, other, check=False)
    if found.code not in {0, 1}:
        raise git.failure(("merge-base",), found)
    return found.text or None


def log(repo: Repository, base: str, commit: str) -> tuple[Entry, ...]:
    """The commits that `commit` has and `base` has not, newest first."""
    fields = repo.shared().run("log", "-z", f"--format={_FORMAT}", "--end-of-options", f"{base}..{commit}").stdout
    parts = iter(os.fsdecode(fields).split("\0"))
    entries: list[Entry] = []
    while head := next(parts, ""):
        parents, author, when, subject = (next(parts, "") for _ in range(4))
        next(parts, "")  # -z ends each entry with one more NUL
        entries.append(Entry(head, tuple(parents.split()), author, when, subject))
    return tuple(entries)
