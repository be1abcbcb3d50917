"""What a person, a policy or a trigger may ask of a run: the closed union of commands, all imperative.

A command is one file in the run's inbox. It is taken up once, by its id, and answered by events.
"""

from msgspec import Struct


class Wish(Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="verb", tag=str.lower):
    """Base of all commands. `by` says who asked, `at` when (UTC, RFC 3339), `where` from which terminal and process."""

    by: str
    at: str = ""
    where: str = ""


class Pause(Wish, frozen=True, kw_only=True):
    """Stop at the next step; `now` means that commands under way stand still where they are."""

    now: bool = False


class Resume(Wish, frozen=True, kw_only=True):
    """Go on."""


class Hold(Wish, frozen=True, kw_only=True):
    """Stop before the next iteration."""


class Kill(Wish, frozen=True, kw_only=True):
    """End the run; `now` without any grace for what it runs."""

    why: str = ""
    now: bool = False


class Nudge(Wish, frozen=True, kw_only=True):
    """Tell the maker this with its next instruction."""

    text: str


class Set(Wish, frozen=True, kw_only=True):
    """Change a limit, the model or the strictness of the live run; `key` and `value` as in a loop file's `[exit]`."""

    key: str
    value: str


class Decide(Wish, frozen=True, kw_only=True):
    """Answer an approval; `arguments` are edited ones (JSON text), and `bound` the files that they name, as they were.

    `digest` is that of the question that was read: a yes to another one counts for nothing. `always` is a rule to allow from now on in
    this run, for `for_s` seconds (0: to its end).
    """

    approval: str
    approved: bool
    why: str = ""
    arguments: str = ""
    always: str = ""
    digest: str = ""
    for_s: float = 0.0
    bound: tuple[tuple[str, str], ...] = ()


class Judge(Wish, frozen=True, kw_only=True):
    """Give a human check its verdict."""

    check: str
    passed: bool
    why: str = ""


Command = Pause | Resume | Hold | Kill | Nudge | Set | Decide | Judge
