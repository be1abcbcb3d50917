"""Calls of the real agents against the loopback server, in each of the three dialects."""

import asyncio
from typing import Any, Literal

import pytest

from loopdeck.agents.anthropic import AnthropicAgent
from loopdeck.agents.openai import OpenAIAgent
from loopdeck.agents.sdk_line import SdkAgent
from loopdeck.core.conversation import Message, ModelFailed, ModelReply, ModelRequest, Part, Text, ToolSchema
from tests.kit.model_server import ModelServer

Dialect = Literal["messages", "chat", "responses"]
DIALECTS: tuple[Dialect, ...] = ("messages", "chat", "responses")
MODELS: dict[Dialect, str] = {"messages": "claude-sonnet-4-5", "chat": "gpt-5-mini", "responses": "gpt-5"}
TOOLS = (
    ToolSchema("bash", "Run a command.", '{"type":"object","properties":{"command":{"type":"string"}},"required":["command"]}'),
    ToolSchema("files.read", "Read a file.", '{"type":"object","properties":{"path":{"type":"string"}}}'),
)


def agent_for(dialect: Dialect, url: str, *, timeout_s: float = 20.0) -> SdkAgent:
    """The agent that speaks `dialect`, pointed at `url` (perhaps with a tag)."""
    if dialect == "messages":
        return AnthropicAgent(base_url=url, timeout_s=timeout_s)
    return OpenAIAgent(base_url=f"{url}/v1", api=dialect, timeout_s=timeout_s)


def request_for(dialect: Dialect, text: str = "Mend the test.", **fields: Any) -> ModelRequest:
    """A first request of a maker: a system prompt, one message, tools."""
    parts = (Part("role", "You mend code. " * 20, stable=True), Part("state", "Nothing is done yet."))
    given: dict[str, Any] = {"max_output": 500, "tools": TOOLS, "system": parts, "messages": (Message("user", (Text(text),)),)}
    return ModelRequest(model=MODELS[dialect], **(given | fields))


def ask(server: ModelServer, dialect: Dialect, *requests: ModelRequest, timeout_s: float = 20.0) -> list[ModelReply]:
    """The replies to `requests`, made one after the other by one agent."""

    async def go() -> list[ModelReply]:
        agent = agent_for(dialect, server.url, timeout_s=timeout_s)
        try:
            return [await agent.call(request, lambda text: None) for request in requests]
        finally:
            await agent.close()

    return asyncio.run(go())


def failed(server: ModelServer, dialect: Dialect, *, timeout_s: float = 20.0, **fields: Any) -> ModelFailed:
    """The failure of one call."""
    with pytest.raises(ModelFailed) as caught:
        ask(server, dialect, request_for(dialect, **fields), timeout_s=timeout_s)
    return caught.value
