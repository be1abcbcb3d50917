"""A record of a kind that this version does not know, kept as it was."""

from msgspec import Struct


class Unknown(Struct, frozen=True):
    """`kind` is its tag, `raw` its JSON, byte for byte; writing it again gives the same line."""

    kind: str
    raw: bytes
