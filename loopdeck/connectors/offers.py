"""The tools that a server offers, as a maker is offered them: looked at, named `server.tool`, and pinned by what they said first.

Pure. Invariant: what is offered is a name, a description and a schema that every model API takes; what isn't is left out with a reason.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from loopdeck.core.conversation import ToolSchema

MOST_DESCRIPTION = 8_000
MOST_SCHEMA = 32_000
MOST_DEPTH = 24
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PROPERTY = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Offer(Struct, frozen=True):
    """A tool: its own name at the server, what it says of itself, and the JSON Schema of its arguments as text."""

    tool: str
    description: str
    schema: str

    @property
    def pin(self) -> str:
        """The SHA-256 over all that a model is told of it."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()

    def offered(self, server: str) -> ToolSchema:
        """As a maker sees it."""
        return ToolSchema(f"{server}.{self.tool}", self.description, self.schema)


class Listing(Struct, frozen=True):
    """What a server offers, in its order, and why which of its tools are left out."""

    offers: tuple[Offer, ...] = ()
    left_out: tuple[str, ...] = ()

    def names(self) -> frozenset[str]:
        """The tools' own names."""
        return frozenset(offer.tool for offer in self.offers)


def listing(listed: Iterable[Mapping[str, Any]], wanted: Sequence[str] = ()) -> Listing:
    """What to make of a server's list of tools; `wanted`, unless empty, are the only ones that count."""
    offers: dict[str, Offer] = {}
    left_out: list[str] = []
    lists: list[str] = []
    for one in listed:
        name = one.get("name")
        name = name if isinstance(name, str) else repr(name)
        lists.append(name)
        if wanted and name not in wanted:
            continue
        found = _offer(one) if name not in offers else f"{name!r} is listed twice"
        if isinstance(found, str):
            left_out.append(found)
        else:
            offers[found.tool] = found
    left_out += [f"{name!r} is not among its tools" for name in wanted if name not in lists]
    return Listing(tuple(offers.values()), tuple(left_out))


def differences(pinned: Listing, now: Listing) -> tuple[frozenset[str], frozenset[str]]:
    """Of the pinned tools, those that say something else now, and those that are gone."""
    later = {offer.tool: offer.pin for offer in now.offers}
    changed = frozenset(offer.tool for offer in pinned.offers if later.get(offer.tool, offer.pin) != offer.pin)
    return changed, frozenset(offer.tool for offer in pinned.offers if offer.tool not in later)


def _offer(one: Mapping[str, Any]) -> Offer | str:
    name, description, schema = one.get("name"), one.get("description") or "", one.get("inputSchema")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"{str(name)[:64]!r} can't be a tool's name"
    if not isinstance(description, str) or len(description) > MOST_DESCRIPTION:
        return f"{name!r} describes itself in more than {MOST_DESCRIPTION} characters"
    complaint = _complaint(schema)
    if complaint:
        return f"{name!r} has a schema that {complaint}"
    text = msgspec.json.encode(schema, order="sorted").decode()
    return (
        Offer(name, description, text) if len(text) <= MOST_SCHEMA else f"{name!r} has a schema of more than {MOST_SCHEMA} characters"
    )


def _complaint(schema: object) -> str:
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return "is not one of an object"
    if _deeper(schema, MOST_DEPTH):
        return f"is nested more than {MOST_DEPTH} deep"
    if {"anyOf", "oneOf", "allOf", "not"} & schema.keys():
        return "leaves open at its top what it takes, which no model API accepts"
    properties = schema.get("properties", {})
    if not isinstance(properties, dict) or not all(_PROPERTY.fullmatch(str(name)) for name in properties):
        return "names properties that no model API accepts"
    if any(not reference.startswith("#") for reference in _references(schema)):
        return "refers to another document"
    return _meta(schema)


def _meta(schema: Mapping[str, Any]) -> str:
    from jsonschema import Draft202012Validator, SchemaError  # a tenth of a second, and only where there are connectors

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"is no JSON Schema: {error.message[:200]}"
    except RecursionError:
        return "is no JSON Schema that can be read"
    return ""


def _deeper(value: object, most: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return most == 0 or any(_deeper(one, most - 1) for one in inner)


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [str(value["$ref"])] if "$ref" in value else []
        return own + [one for inner in value.values() for one in _references(inner)]
    return [one for inner in value for one in _references(inner)] if isinstance(value, list) else []
