"""The agent `anthropic`: Claude by the Messages API, with the vendor's own SDK.

Prompts are cached by marks. The vendor itself counts a request before a call, if asked; a compatible server is asked for nothing but
messages, since what it would count binds nobody to what it charges.
"""

import os
from urllib.parse import urlsplit

import msgspec

from loopdeck.agents import keys, tls
from loopdeck.agents.anthropic_messages import MessagesDialect
from loopdeck.agents.lean import lean
from loopdeck.agents.sdk_line import CONNECT_S, TIMEOUT_S, Line, SdkAgent, encoded
from loopdeck.core.conversation import ModelFailed, ModelRequest

_COUNT_S = 20.0


class _Counted(msgspec.Struct):
    input_tokens: int


class AnthropicAgent(SdkAgent):
    """Claude, or a server that speaks its API at `base_url` (else `ANTHROPIC_BASE_URL`, else the vendor's own).

    `timeout_s` is the silence after which a call is given up.
    """

    def __init__(self, *, base_url: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self._messages = MessagesDialect()
        self._counts = _is_vendors(base_url or os.environ.get("ANTHROPIC_BASE_URL", ""))
        super().__init__(self._messages, lambda: _connect(base_url, timeout_s))

    async def count_input(self, request: ModelRequest) -> int | None:
        """The vendor's own count, and a little more, since it calls its count an estimate.

        None if it can't be had.
        """
        if not self._counts:
            return None
        body = encoded(self._messages.count_body, request)
        try:
            counted = msgspec.json.decode(await self._ask("/v1/messages/count_tokens", body, _COUNT_S), type=_Counted)
        except (ModelFailed, msgspec.DecodeError):
            return None
        tokens = counted.input_tokens
        if tokens <= 0:
            return None
        return min(self.input_bound(request), tokens + tokens // 20 + 100)


def _is_vendors(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return not url or host == "anthropic.com" or host.endswith(".anthropic.com")


def _connect(base_url: str, timeout_s: float) -> Line:
    key = keys.need_key("anthropic")
    try:
        with lean("anthropic"):
            import anthropic
            import httpx2
    except ImportError as error:
        raise ModelFailed("missing", f"the anthropic SDK can't be imported: {error}") from error
    bearer = key.source == "ANTHROPIC_AUTH_TOKEN"
    client = anthropic.AsyncAnthropic(
        api_key=None if bearer else key.value,
        auth_token=key.value if bearer else None,
        base_url=base_url or None,
        max_retries=0,
        timeout=httpx2.Timeout(timeout_s, connect=CONNECT_S),
        http_client=anthropic.DefaultAsyncHttpxClient(verify=tls.trusted()),
        open_telemetry=False,
    )
    return Line(client, anthropic, key.source)
