"""Where requests go on to: a provider's address and its key, which no agent ever sees.

Invariant: what an agent sent as its key never leaves for a provider, and a provider's key is in nothing that goes to an agent.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from loopdeck.agents import tls
from loopdeck.agents.keys import Key, Vendor, need_key
from loopdeck.agents.sdk_line import CONNECT_S, TIMEOUT_S
from loopdeck.core.conversation import ModelFailed

if TYPE_CHECKING:
    import httpx2

_DEFAULTS: dict[Vendor, tuple[str, str]] = {
    "anthropic": ("ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
    "openai": ("OPENAI_BASE_URL", "https://api.openai.com/v1"),
    "google": ("GOOGLE_GEMINI_BASE_URL", "https://generativelanguage.googleapis.com"),
}
Headers = list[tuple[bytes, bytes]]

_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
})  # fmt: skip
_NOT_ON = _HOP | {
    b"host", b"content-length", b"expect", b"accept-encoding", b"cookie", b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key",
}  # fmt: skip
_NOT_BACK = _HOP | {b"set-cookie", b"location"}


@dataclass(frozen=True)
class Upstream:
    """One provider. `base_url` is what its SDK takes: without `/v1` for Anthropic and Google, with it for OpenAI."""

    vendor: Vendor
    base_url: str
    key: Key = field(repr=False)

    @property
    def host(self) -> str:
        """The host's name."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def counts(self) -> bool:
        """True if it says, bindingly, how many tokens a request has: the vendor itself, and no server that speaks its dialect."""
        return self.vendor == "anthropic" and (self.host == "anthropic.com" or self.host.endswith(".anthropic.com"))

    def url(self, path: str, query: str) -> str:
        """The address of `path`, which begins with `/v1…`; `query` goes along without any key in it."""
        base = self.base_url.rstrip("/")
        if self.vendor == "openai":
            path = path.removeprefix("/v1")
        kept = "&".join(part for part in query.split("&") if part and not part.startswith("key="))
        return f"{base}{path}?{kept}" if kept else f"{base}{path}"

    def onward(self, headers: Headers) -> Headers:
        """An agent's headers as they go on, with the provider's key in place of the agent's."""
        kept = [(name, value) for name, value in headers if name.lower() not in _NOT_ON]
        # A compressed answer could not be read on its way.
        return [*kept, (b"accept-encoding", b"identity"), self._authorization()]

    def _authorization(self) -> tuple[bytes, bytes]:
        value = self.key.value.encode()
        if self.vendor == "google":
            return b"x-goog-api-key", value
        if self.vendor == "openai" or self.key.source == "ANTHROPIC_AUTH_TOKEN":
            return b"authorization", b"Bearer " + value
        return b"x-api-key", value

    def without_key(self, data: bytes) -> bytes:
        """`data` with the key, should a provider repeat it, made unreadable."""
        value = self.key.value.encode()
        return data.replace(value, b"*" * len(value)) if value else data

    def back(self, headers: Iterable[tuple[bytes, bytes]]) -> Headers:
        """A provider's headers as they go back."""
        return [(name, self.without_key(value)) for name, value in headers if name.lower() not in _NOT_BACK]


class Upstreams:
    """The providers of a run. `base_urls` are what the loop file says; else the SDKs' own variables, else the vendors' addresses."""

    def __init__(self, base_urls: Mapping[Vendor, str] | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        """`timeout_s` is the silence after which a call is given up."""
        self._given = dict(base_urls or {})
        self._timeout_s = timeout_s
        self._found: dict[Vendor, Upstream | ModelFailed] = {}

    def of(self, vendor: Vendor) -> Upstream:
        """The provider, with its key. Raises ModelFailed (`auth`) with the remedy if there was no key."""
        found = self._found[vendor]
        if isinstance(found, ModelFailed):
            raise ModelFailed(found.kind, found.message)
        return found

    def opened(self) -> "httpx2.AsyncClient":
        """A client for all of them: no retries, no redirects, as many connections as there are requests.

        Looks for the keys and loads the HTTP client, which both may take time.
        """
        import httpx2  # half a second, and only where an outside agent runs

        for vendor in _DEFAULTS:
            self._found[vendor] = self._look_up(vendor)
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
        timeout = httpx2.Timeout(self._timeout_s, connect=CONNECT_S)
        return httpx2.AsyncClient(verify=tls.trusted(), timeout=timeout, limits=limits, follow_redirects=False)

    def _look_up(self, vendor: Vendor) -> Upstream | ModelFailed:
        variable, default = _DEFAULTS[vendor]
        address = self._given.get(vendor) or os.environ.get(variable, "").strip() or default
        try:
            return Upstream(vendor, address, need_key(vendor))
        except ModelFailed as failure:
            return failure
