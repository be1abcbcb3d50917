"""Structured answers as OpenAI and compatible servers want them asked for.

Strict mode binds the model's every token to the schema, but takes only schemas of a narrow kind, and a wider one is an error. So it is
asked for exactly when the schema allows it; else the schema is sent as a plain wish.
"""

from typing import Any

import msgspec
from msgspec import Raw

_KNOWN = frozenset(
    {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "description",
        "title",
        "anyOf",
        "$ref",
        "$defs",
    }
)


def answer_format(schema: str) -> dict[str, Any]:
    """The `name`, `schema` and `strict` of an answer that must hold to `schema` (JSON Schema text)."""
    return {"name": "answer", "schema": Raw(schema.encode()), "strict": _strict(msgspec.json.decode(schema))}


def _strict(schema: object) -> bool:
    if not isinstance(schema, dict) or not _KNOWN.issuperset(schema):
        return False
    inner: list[object] = [*schema.get("anyOf", ()), *schema.get("$defs", {}).values()]
    if "items" in schema:
        inner.append(schema["items"])
    if schema.get("type") == "object":
        fields = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(fields):
            return False
        inner += fields.values()
    return all(_strict(one) for one in inner)
