"""What a provider would count, cache and bill.

Invariant: input is split into disjoint kinds whose sum is the count of the whole request. Anthropic's cache
keeps what a `cache_control` mark ends; OpenAI's keeps every prefix, in steps, with no marks at all.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from loopdeck.core.usage import Usage
from tests.kit.model_talk import TOOL_PREAMBLE, Charge, Request, tokens_in

_CHAT_STEP = 128


def _whole(body: Any) -> list[dict[str, Any]]:
    """The cacheable blocks of a Messages body in the provider's order."""
    system = body.get("system") or []
    parts = [{"type": "text", "text": system}] if isinstance(system, str) else system
    runs = [*(body.get("tools") or ()), *parts]
    for message in body.get("messages") or ():
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        runs += [{"role": message["role"], **block} for block in blocks]
    return runs


def _blocks(body: Any) -> Iterator[tuple[str, bool]]:
    """Each of them as text, with whether a mark ends it."""
    for block in _whole(body):
        bare = {key: value for key, value in block.items() if key != "cache_control"}
        yield json.dumps(bare, ensure_ascii=False), "cache_control" in block


def hour_writes(body: Any, usage: Usage) -> int:
    """How much of what a Messages request writes to the cache lies before a mark that keeps it for an hour."""
    size = kept = 0
    marks = [block.get("cache_control") for block in _whole(body)]
    for (text, _), mark in zip(_blocks(body), marks, strict=True):
        size += len(text.encode())
        if mark is not None and mark.get("ttl") == "1h":
            kept = tokens_in(size)
    return max(0, min(kept, usage.cache_read + usage.cache_write) - usage.cache_read)


class Ledger:
    """The provider's caches and bills."""

    def __init__(self) -> None:
        self.charges: list[Charge] = []
        self._cached: set[tuple[str, str, str]] = set()

    def billed(self, *, key: str | None = None, tag: str | None = None, model: str | None = None) -> Usage:
        """All that was billed, or what was billed to one key, one tag, one model."""
        total = Usage()
        for charge in self.charges:
            if key in {None, charge.key} and tag in {None, charge.tag} and model in {None, charge.model}:
                total += charge.usage
        return total

    def charge(self, request: Request, usage: Usage) -> int:
        """Bill a request; gives the bill's place."""
        self.charges.append(Charge(request.n, request.dialect, request.tag, request.key, request.model, usage, whole=False))
        return len(self.charges) - 1

    def heard(self, place: int) -> None:
        """Note that the client was sent this answer to its end."""
        self.charges[place] = replace(self.charges[place], whole=True)

    def count(self, request: Request) -> int:
        """All input tokens of a request."""
        return tokens_in(len(request.raw)) + (TOOL_PREAMBLE if request.tools else 0)

    def input_usage(self, request: Request) -> Usage:
        """The input of a request by its kinds, with the caches as they are now; and the caches after it."""
        total = self.count(request)
        if request.dialect == "messages":
            return self._marked(request, total)
        return self._automatic(request, total)

    def _marked(self, request: Request, total: int) -> Usage:
        size, read, written = 0, 0, 0
        digest = hashlib.sha256()
        fresh: list[tuple[str, str, str]] = []
        for text, marked in _blocks(request.body):
            size += len(text.encode())
            digest.update(text.encode() + b"\0")
            entry = (request.key, request.model, digest.hexdigest())
            if entry in self._cached:
                read = tokens_in(size)
            if marked:
                written = tokens_in(size)
                fresh.append(entry)
        self._cached.update(fresh)
        read = min(read, total)
        write = max(0, min(written, total) - read)
        return Usage(input=total - read - write, cache_read=read, cache_write=write)

    def _automatic(self, request: Request, total: int) -> Usage:
        items = request.body.get("messages") or request.body.get("input") or request.body.get("contents") or []
        size, read = 0, 0
        digest = hashlib.sha256()
        fresh: list[tuple[str, str, str]] = []
        for item in items if isinstance(items, list) else [items]:
            text = json.dumps(item, ensure_ascii=False)
            size += len(text.encode())
            digest.update(text.encode() + b"\0")
            entry = (request.key, request.model, digest.hexdigest())
            if entry in self._cached:
                read = tokens_in(size) // _CHAT_STEP * _CHAT_STEP
            fresh.append(entry)
        self._cached.update(fresh)
        read = min(read, total)
        return Usage(input=total - read, cache_read=read)
