"""Model agents by the name a loop file gives them. Each kind's module is imported when it is asked for, and no sooner."""

from loopdeck.agents.port import ModelAgent
from loopdeck.errors import UsageError

MODEL_AGENTS = ("anthropic", "openai", "scripted")
"""The kinds that are models which loopdeck drives itself; the others are agents with loops of their own."""


def make_agent(kind: str, *, base_url: str = "", script_text: str = "", script_where: str = "script") -> ModelAgent:
    """The agent of `kind`, not yet connected: no SDK is imported, no key looked up before its first call.

    `script_text` is the TOML of the scripted agent, `script_where` the file it came from. Raises UsageError for an unknown kind or a
    script with mistakes.
    """
    match kind:
        case "anthropic":
            from loopdeck.agents.anthropic import AnthropicAgent

            return AnthropicAgent(base_url=base_url)
        case "openai":
            from loopdeck.agents.openai import OpenAIAgent

            return OpenAIAgent(base_url=base_url)
        case "scripted":
            from loopdeck.agents.scripted import ScriptedAgent
            from loopdeck.core.script import Script, read_script

            script = read_script(script_text, script_where)
            if not isinstance(script, Script):
                raise UsageError("\n".join(str(problem) for problem in script))
            return ScriptedAgent(script)
        case _:
            known = ", ".join(MODEL_AGENTS)
            raise UsageError(f"no such model agent: {kind!r}", remedy=f"Take one of: {known}.")
