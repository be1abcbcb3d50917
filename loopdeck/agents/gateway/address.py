"""Where an agent finds its gateway, and how it is told: by the variables that every SDK and most agents read.

Invariant: an environment that an address was put into holds no key of a provider, and no proxy stands before the gateway.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_NOT_FOR_AGENTS = (
    "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "OPENAI_API_KEY", "CODEX_API_KEY", "GEMINI_API_KEY",
    "GOOGLE_API_KEY", "GOOGLE_GENAI_API_KEY",
)  # fmt: skip


@dataclass(frozen=True)
class Address:
    """`url` is the base address as Anthropic and Google want it, `openai` as OpenAI does; `token` is the agent's key."""

    url: str
    token: str = field(repr=False)

    @property
    def openai(self) -> str:
        """The base address for OpenAI's SDKs and all that are like them."""
        return f"{self.url}/v1"

    @property
    def port(self) -> int:
        """The loopback port it listens on."""
        return urlsplit(self.url).port or 0

    def put_into(self, env: Mapping[str, str]) -> dict[str, str]:
        """`env` as an agent gets it: the gateway's addresses, its token for every key, the real keys taken out."""
        kept = {name: value for name, value in env.items() if name not in _NOT_FOR_AGENTS}
        direct = ",".join(dict.fromkeys(filter(None, (env.get("NO_PROXY"), env.get("no_proxy"), "127.0.0.1"))))
        return kept | {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": self.token,
            "OPENAI_BASE_URL": self.openai,
            "OPENAI_API_KEY": self.token,
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "GEMINI_API_KEY": self.token,
            "NO_PROXY": direct,
            "no_proxy": direct,
        }
