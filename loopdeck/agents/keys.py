"""Where keys come from.

The environment, else the desktop's keyring. Never a loop file, never a file of the deck.

Invariant: a key's value is in no `repr`, message or trace.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from loopdeck.core.conversation import ModelFailed

Vendor = Literal["anthropic", "openai", "google"]
SERVICE = "loopdeck"
"""The service under which a keyring holds keys; the user name is the vendor."""

_VARIABLES: dict[Vendor, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "openai": ("OPENAI_API_KEY",),
    "google": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
}


@dataclass(frozen=True)
class Key:
    """A key and where it was found: the name of a variable, or `keyring`."""

    value: str = field(repr=False)
    source: str


_listeners: list[Callable[[str], None]] = []


def listen(hear: Callable[[str], None]) -> None:
    """Have `hear` told of every secret that comes to be held from now on."""
    _listeners.append(hear)


def hold(value: str) -> str:
    """`value`, a secret, once all who listen have been told of it."""
    for hear in _listeners:
        hear(value)
    return value


def find_key(vendor: Vendor) -> Key | None:
    """The operator's key for `vendor`, or None. The first variable that is set and not empty wins."""
    for name in _VARIABLES[vendor]:
        if value := os.environ.get(name, "").strip():
            return Key(hold(value), name)
    return _from_keyring(vendor)


def need_key(vendor: Vendor) -> Key:
    """The operator's key for `vendor`. Raises ModelFailed (`auth`) with the remedy if there is none."""
    if key := find_key(vendor):
        return key
    names = " or ".join(_VARIABLES[vendor])
    raise ModelFailed(
        "auth",
        f"no key for {vendor}: set {names} (any text, if the server wants none), or store one with `keyring set {SERVICE} {vendor}`",
    )


def _from_keyring(vendor: Vendor) -> Key | None:
    try:
        import keyring  # an optional extra, and slow to import
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        value = keyring.get_password(SERVICE, vendor)
    except KeyringError:
        # A locked or absent keyring is the same as one without the key: the remedy names both ways.
        return None
    return Key(hold(value), "keyring") if value else None
