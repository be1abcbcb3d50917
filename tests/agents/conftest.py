"""Keys for the loopback server: the agents' own, from nobody's environment."""

import pytest


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    """Keys that only the loopback server gets, and no address or proxy from outside."""
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
