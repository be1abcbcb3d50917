"""What a server may say of its tools, and what comes of it: anything in, nothing out that a model could not be offered."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.connectors import told, wire
from loopdeck.connectors.offers import MOST_SCHEMA, Listing, Offer, differences, listing

KEYS = st.sampled_from(["type", "properties", "a", "$ref", "required"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)  # fmt: skip
TOOLS = st.fixed_dictionaries(
    {}, optional={"name": st.sampled_from(["a", "b", "a b"]) | JSON, "description": JSON, "inputSchema": JSON}
)
PLAIN = {"type": "object", "properties": {"a": {"type": "string"}}}


def tool(name="a", description="d", schema=PLAIN):
    return {"name": name, "description": description, "inputSchema": schema}


@given(st.lists(TOOLS, max_size=6), st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True))
def test_whatever_is_listed_only_what_can_be_offered_comes_out(listed, wanted):
    found = listing(listed, wanted)
    names = [one.tool for one in found.offers]
    assert len(set(names)) == len(names)
    for one in found.offers:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one.tool)
        assert not wanted or one.tool in wanted
        assert json.loads(one.schema)["type"] == "object"
        assert len(one.schema) <= MOST_SCHEMA
        assert one.offered("docs").name == f"docs.{one.tool}"
    assert all(found.left_out)


PIECES = st.dictionaries(st.sampled_from(["type", "text", "resource", "uri", "mimeType"]), JSON | st.sampled_from(["text", "resource"]))


@given(
    st.fixed_dictionaries(
        {}, optional={"content": st.lists(PIECES | JSON, max_size=3) | JSON, "structuredContent": JSON, "isError": JSON}
    )
)
def test_whatever_is_answered_becomes_text(result):
    assert told.outcome(result).output


@given(st.binary(max_size=80))
def test_whatever_comes_in_is_a_message_or_garbled(data):
    try:
        message = wire.decode(data)
    except wire.Garbled:
        return
    assert isinstance(message, wire.Message)


def test_what_is_sent_is_read_as_what_it_is():
    assert wire.decode(wire.request(7, "a", {"b": 1})) == wire.Message("2.0", 7, "a", {"b": 1})
    assert wire.decode(wire.notification("a")).id is None
    assert wire.decode(wire.answer("x", {"c": 2})).result == {"c": 2}
    assert (wire.decode(wire.refusal(1, wire.NO_METHOD, "no")).error or {})["message"] == "no"
    with pytest.raises(wire.Garbled, match="more than"):
        wire.decode(b'"' + b"x" * wire.MOST + b'"')


def test_a_pin_is_of_all_that_a_model_is_told_and_of_nothing_else():
    before = listing([tool()])
    for again in (tool(), tool() | {"title": "T", "annotations": {"readOnlyHint": True}}, tool(schema=dict(reversed(PLAIN.items())))):
        assert differences(before, listing([again])) == (frozenset(), frozenset())
    for other in (tool(description="e"), tool(schema=PLAIN | {"required": ["a"]})):
        assert differences(before, listing([other])) == (frozenset({"a"}), frozenset())
    assert differences(before, listing([tool("b")])) == (frozenset(), frozenset({"a"}))
    assert differences(before, listing([tool(), tool("b")])) == (frozenset(), frozenset()), "what is new is not offered, so not changed"
    assert listing([tool()]).names() == {"a"}
    assert differences(Listing(), Listing((Offer("a", "", "{}"),))) == (frozenset(), frozenset())
