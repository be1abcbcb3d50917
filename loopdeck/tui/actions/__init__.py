"""The registry of actions: keys, footer, palette, help and the README's table all come from here.

Each scope is a screen's. A screen's module in this package lists what only it can do; what can be done to the run in front of you is
`hand`, what can be done anywhere is `everywhere`. Imports nothing of Textual until bindings are asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from loopdeck.tui.actions.model import Action

if TYPE_CHECKING:
    from textual.binding import BindingType

SCOPES: dict[str, tuple[str, ...]] = {
    "deck": ("deck", "hand"),
    "loop": ("loop", "hand"),
    "trace": ("trace",),
    "event": ("event",),
    "approvals": ("approvals",),
    "state": ("state",),
    "review": ("review",),
    "money": ("money",),
    "new": ("new",),
    "why": ("why",),
    "compare": ("compare",),
    "harness": ("harness",),
    "project": ("project",),
    "attached": ("attached",),
    "help": (),
}
"""For each screen the modules of this package that list its own actions, besides those of everywhere."""


def actions(scope: str) -> tuple[Action, ...]:
    """Everything that can be done on a screen, its own first. A later action of a key that is taken already does not count there."""
    found: dict[str, Action] = {}
    for room in (*SCOPES[scope], "everywhere"):
        listed: tuple[Action, ...] = import_module(f"loopdeck.tui.actions.{room}").ACTIONS
        for one in listed:
            for key in one.key.split(","):
                if key not in found:
                    found[key] = one
    return tuple(dict.fromkeys(found.values()))


def ids() -> frozenset[str]:
    """The ids of all actions there are."""
    return frozenset(one.id for scope in SCOPES for one in actions(scope))


def bindings(scope: str) -> "list[BindingType]":
    """The same as Textual's bindings. Those without a label are not in the footer."""
    from textual.binding import Binding

    return [
        Binding(one.key, one.runs, one.label or one.title, show=bool(one.label), tooltip=one.help, id=one.id) for one in actions(scope)
    ]
