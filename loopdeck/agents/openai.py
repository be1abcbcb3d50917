"""The agent `openai`: OpenAI itself by its Responses API, every compatible server by Chat Completions.

Which of the two is settled by the address alone, so that a loop file needs one line to move from one to the other.
"""

import os
from typing import Literal
from urllib.parse import urlsplit

from loopdeck.agents import keys, tls
from loopdeck.agents.lean import lean
from loopdeck.agents.openai_chat import ChatDialect
from loopdeck.agents.openai_responses import ResponsesDialect
from loopdeck.agents.sdk_line import CONNECT_S, TIMEOUT_S, Line, SdkAgent
from loopdeck.core.conversation import ModelFailed

Api = Literal["auto", "chat", "responses"]


class OpenAIAgent(SdkAgent):
    """GPT models, or a compatible server at `base_url` (else `OPENAI_BASE_URL`, else the vendor's own).

    `api` overrides what the address says. `timeout_s` is the silence after which a call is given up.
    """

    def __init__(self, *, base_url: str = "", api: Api = "auto", timeout_s: float = TIMEOUT_S) -> None:
        chosen = api if api != "auto" else _api(base_url or os.environ.get("OPENAI_BASE_URL", ""))
        dialect = ChatDialect() if chosen == "chat" else ResponsesDialect()
        super().__init__(dialect, lambda: _connect(base_url, timeout_s))


def _api(url: str) -> Api:
    """Responses for OpenAI itself, wherever in the world its address is; Chat Completions for everybody else."""
    host = urlsplit(url).hostname or ""
    return "responses" if not url or host == "api.openai.com" or host.endswith(".api.openai.com") else "chat"


def _connect(base_url: str, timeout_s: float) -> Line:
    key = keys.need_key("openai")
    try:
        with lean("openai"):
            import httpx2
            import openai
    except ImportError as error:
        raise ModelFailed("missing", f"the openai SDK can't be imported: {error}") from error
    client = openai.AsyncOpenAI(
        api_key=key.value,
        base_url=base_url or None,
        max_retries=0,
        timeout=httpx2.Timeout(timeout_s, connect=CONNECT_S),
        http_client=openai.DefaultAsyncHttpxClient(verify=tls.trusted()),
    )
    return Line(client, openai, key.source)
