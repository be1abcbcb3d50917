"""What is known of each agent that speaks ACP: how it is led to the gateway, made to ask, and read; and what it never shows.

Data, found by running them; no two are alike. In every text `@gateway@`, `@token@`, `@model@`, `@home@` and `@worktree@` stand for the
task's, `@base@` and `@package@` for the address and the package of the model's provider.
"""

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Literal

from msgspec import Struct

from loopdeck.agents.keys import Vendor
from loopdeck.agents.outside.port import Caps, Shows

Figures = Literal["none", "prompt", "quota", "chunk"]
"""Where its tokens are told: nowhere that can be believed, in a prompt's answer, in its `_meta.quota`, in chunks without text."""


class Quirks(Struct, frozen=True):
    """One agent's. `words` are the names of the programs that it is known by.

    `mode` is the one in which it asks, to be set; `serves` that it takes MCP servers. `env`, `files` (below the home) and `args` always
    hold; those that begin with `led_` where the gateway meters it, and only with `led` can it. `session` goes into `_meta` of a new
    session. `vendor` is whose API it speaks, empty for one that follows the model. `hides`: what a person should know of it, in words.
    """

    name: str
    words: tuple[str, ...] = ()
    shows: Shows = "none"
    figures: Figures = "none"
    resume: bool = False
    mode: str = ""
    serves: bool = True
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    led: bool = False
    led_args: tuple[str, ...] = ()
    led_env: Mapping[str, str] = {}
    led_files: Mapping[str, str] = {}
    session: Mapping[str, object] = {}
    vendor: Vendor | Literal[""] = ""
    hides: tuple[str, ...] = ()

    @property
    def caps(self) -> Caps:
        """The same in the port's words."""
        usage: Literal["request", "turn", "none"] = {"none": "none", "chunk": "request"}.get(self.figures, "turn")  # type: ignore[assignment]
        return Caps(self.shows, usage, resume=self.resume, cancel=True, gateway=self.led)

    @property
    def wants_model(self) -> bool:
        """True if it must be told its model to go through the gateway; the others choose one themselves."""
        return self.vendor != "anthropic" and any("@model@" in one for one in (*self.led_env.values(), *self.led_files.values()))


_OPENCODE: dict[str, object] = {
    "autoupdate": False,
    "share": "disabled",
    "permission": {"*": "ask"},
}
_OPENCODE_LED = _OPENCODE | {
    "model": "loopdeck/@model@",
    "small_model": "loopdeck/@model@",
    "enabled_providers": ["loopdeck"],
    "provider": {
        "loopdeck": {
            "npm": "@package@",
            "name": "loopdeck",
            "options": {"baseURL": "@base@", "apiKey": "@token@"},
            "models": {"@model@": {"name": "@model@"}},
        }
    },
}
_CODEX: dict[str, object] = {
    "check_for_update_on_startup": False,
    "analytics": {"enabled": False},
}
_CODEX_LED = _CODEX | {
    "model": "@model@",
    "model_provider": "loopdeck",
    "model_providers": {
        "loopdeck": {"name": "loopdeck", "base_url": "@gateway@/v1", "env_key": "OPENAI_API_KEY", "wire_api": "responses"}
    },
}
_PI_LED = {
    "providers": {
        "loopdeck": {"baseUrl": "@gateway@/v1", "api": "openai-completions", "apiKey": "@token@", "models": [{"id": "@model@"}]}
    }
}

KNOWN: tuple[Quirks, ...] = (
    Quirks(
        "opencode",
        ("opencode",),
        shows="all",
        resume=True,
        # Its own word for a turn is what the last request took.
        figures="none",
        env={
            "OPENCODE_CONFIG_CONTENT": json.dumps(_OPENCODE),
            "OPENCODE_PERMISSION": '{"*":"ask"}',
            "OPENCODE_DISABLE_PROJECT_CONFIG": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "true",
            "OPENCODE_DISABLE_SHARE": "1",
        },
        led=True,
        led_env={"OPENCODE_CONFIG_CONTENT": json.dumps(_OPENCODE_LED)},
        hides=(
            "it runs plugins that lie in the worktree's .opencode without asking", "of its tokens only those of the last request",
            "it is kept from reading settings and AGENTS.md in the worktree",
        ),
    ),
    Quirks(
        "gemini",
        ("gemini",),
        shows="risky",
        figures="quota",
        # In a folder that it does not trust it finds no earlier conversation, and takes no servers.
        serves=False,
        mode="default",
        env={
            "GEMINI_TELEMETRY_ENABLED": "false",
            # Else it runs what the worktree's own settings name.
            "GEMINI_CLI_TRUST_WORKSPACE": "false",
        },
        led=True,
        led_args=("-m", "@model@"),
        led_env={"GOOGLE_GEMINI_BASE_URL": "@gateway@", "GEMINI_API_KEY": "@token@"},
        led_files={
            ".gemini/settings.json": json.dumps(
                {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False}}
            )
        },
        vendor="google",
        hides=(
            "reading, searching and commands that it holds for harmless", "how much of its input came from a cache",
            "it takes no connectors",
        ),
    ),
    Quirks(
        "qwen",
        ("qwen", "qwen-code"),
        shows="risky",
        figures="chunk",
        resume=True,
        # It begins in one where a model allows what it likes.
        mode="default",
        serves=False,
        env={
            "QWEN_TELEMETRY_ENABLED": "false",
            "QWEN_CODE_SYSTEM_SETTINGS_PATH": "@home@/qwen-settings.json",
            "QWEN_CODE_TRUSTED_FOLDERS_PATH": "@home@/qwen-folders.json",
        },
        files={
            "qwen-settings.json": json.dumps({"security": {"folderTrust": {"enabled": True}}}),
            "qwen-folders.json": json.dumps({"@worktree@": "DO_NOT_TRUST"}),
        },
        led=True,
        led_args=("--auth-type", "openai"),
        led_env={"OPENAI_BASE_URL": "@gateway@/v1", "OPENAI_API_KEY": "@token@", "OPENAI_MODEL": "@model@"},
        vendor="openai",
        hides=(
            "reading, searching and commands that it holds for harmless", "tokens of requests that it makes on the side",
            "it takes no connectors",
        ),
    ),
    Quirks(
        "pi",
        ("pi-acp", "pi"),
        env={"PI_OFFLINE": "1"},
        resume=True,
        led=True,
        led_files={
            ".pi/agent/models.json": json.dumps(_PI_LED),
            ".pi/agent/settings.json": json.dumps({"defaultProvider": "loopdeck", "defaultModel": "@model@"}),
        },
        vendor="openai",
        hides=("it never asks", "its tokens"),
    ),
    Quirks(
        "codex-acp",
        ("codex-acp",),
        shows="risky",
        # It begins in one where a model decides in a person's place.
        mode="read-only",
        figures="prompt",
        resume=True,
        env={"CODEX_CONFIG": json.dumps(_CODEX)},
        led=True,
        led_env={
            "OPENAI_API_KEY": "@token@",
            "MODEL_PROVIDER": "loopdeck",
            "CODEX_HOME": "@home@",
            "CODEX_CONFIG": json.dumps(_CODEX_LED),
        },
        vendor="openai",
        hides=(
            'commands that its own sandbox holds; `agent = "codex"` shows them all',
            "it starts programs that the worktree's .codex names, without asking",
        ),
    ),
    Quirks(
        "claude",
        ("claude-agent-acp", "claude-code-acp"),
        shows="risky",
        figures="prompt",
        resume=True,
        env={
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_AUTOUPDATER": "1",
        },
        led=True,
        led_env={"ANTHROPIC_BASE_URL": "@gateway@", "ANTHROPIC_API_KEY": "@token@", "ANTHROPIC_MODEL": "@model@"},
        session={
            "claudeCode": {
                "options": {
                    "settingSources": ["user"],
                    # Each suggestion is a request that is paid for.
                    "promptSuggestions": False,
                    "allowDangerouslySkipPermissions": False,
                }
            }
        },
        vendor="anthropic",
        hides=('reading and commands that it holds for harmless; `agent = "claude"` shows them all', "tokens of requests on the side"),
    ),
)  # fmt: skip
UNKNOWN = Quirks("acp", hides=("whether it asks at all is not known", "its tokens", "it can't be led through the gateway"))
_PACKAGES: Mapping[Vendor, tuple[str, str]] = {
    "anthropic": ("@ai-sdk/anthropic", "@gateway@/v1"),
    "google": ("@ai-sdk/google", "@gateway@/v1beta"),
    "openai": ("@ai-sdk/openai-compatible", "@gateway@/v1"),
}


def quirks_of(command: tuple[str, ...]) -> Quirks:
    """Those of the agent that a command line starts, also by way of `npx` or another starter."""
    for word in command:
        name = PurePath(word).name.partition("@")[0] or PurePath(word).name.lstrip("@")
        for known in KNOWN:
            if name in known.words:
                return known
    return UNKNOWN


def vendor_of(quirks: Quirks, model: str) -> Vendor:
    """Whose API it speaks with this model."""
    if quirks.vendor:
        return quirks.vendor
    beginnings: tuple[tuple[str, Vendor], ...] = (("claude", "anthropic"), ("gemini", "google"))
    return next((vendor for begin, vendor in beginnings if model.startswith(begin)), "openai")


def filled(template: str, values: Mapping[str, str], *, in_json: bool) -> str:
    """A text of the table with the task's values in place; `in_json`: as parts of JSON strings."""
    for name, value in values.items():
        template = template.replace(f"@{name}@", json.dumps(value)[1:-1] if in_json else value)
    return template


def values_of(vendor: Vendor, told: Mapping[str, str]) -> dict[str, str]:
    """What stands in place of the names in the table's texts; `told` are the task's own."""
    package, base = _PACKAGES[vendor]
    return {"package": package, "base": base} | dict(told)
