"""Keys that only the gateway may know."""

import pytest

KEYS = {"ANTHROPIC_API_KEY": "real-key-of-anthropic", "OPENAI_API_KEY": "real-key-of-openai", "GEMINI_API_KEY": "real-key-of-google"}


@pytest.fixture(autouse=True)
def real_keys(keys, monkeypatch):
    """After the parent's `keys`."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
