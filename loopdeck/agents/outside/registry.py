"""Outside agents by the name a loop file gives them, and whose keys they want. Each kind's module is imported when it is asked for."""

from loopdeck.agents.keys import Vendor
from loopdeck.agents.outside.port import OutsideAgent
from loopdeck.core.spec import Maker
from loopdeck.errors import UsageError

VENDORS: dict[str, Vendor] = {"claude": "anthropic", "codex": "openai"}
"""Agents that know one provider only; without a key for it they go there by their own login."""


def make_outside(maker: Maker) -> OutsideAgent:
    """The agent of a loop's `[maker]`. Raises UsageError for a kind that is none."""
    match maker.agent:
        case "command":
            from loopdeck.agents.outside.command import CommandAgent

            return CommandAgent()
        case "claude":
            from loopdeck.agents.outside.claude import ClaudeAgent

            return ClaudeAgent()
        case "codex":
            from loopdeck.agents.outside.codex import CodexAgent

            return CodexAgent()
        case "acp":
            from loopdeck.agents.outside.acp import AcpAgent

            return AcpAgent(maker.command)
        case _:
            raise UsageError(f"no such outside agent: {maker.agent!r}", remedy="Take one of: claude, codex, acp, command.")


def vendor_of(maker: Maker, model: str) -> Vendor | None:
    """Whose key its requests need to go through the gateway; None if no key is needed, or it can't be led there."""
    if maker.agent != "acp":
        return VENDORS.get(maker.agent)
    from loopdeck.agents.outside.acp import vendor

    return vendor(maker.command, model)
