"""Where a key that was written in the wrong place belongs, better told than by its spelling."""

_PLACES = {
    "the top of loop.toml, above the first `[table]`": ("goal", "skills", "context", "level"),
    "`[exit]`": (
        "max_iterations",
        "max_cost_usd",
        "max_tokens",
        "max_wall",
        "max_tool_calls",
        "no_progress",
        "severity_floor",
        "final_pass",
    ),
    "`[maker]`": ("agent", "model", "base_url", "script", "tools", "system", "max_turns", "max_output_tokens"),
    "`[[check]]`": ("run", "links", "schema", "scope", "rubric", "human", "metric", "severity", "timeout"),
    "`[trigger]`": ("cron", "timezone", "every", "watch", "webhook", "overlap", "missed", "until", "jitter"),
    "`[workspace]`": ("base", "setup", "copy", "link", "sparse", "protect"),
    "`[gates]`": ("allow", "ask", "deny"),
    "`[sandbox]`": ("network", "setup_network", "env"),
    "`[deck]` in deck.toml": (
        "max_runs",
        "max_runs_per_agent",
        "min_free_memory_mb",
        "supervisor_idle",
        "max_cost_usd_per_day",
        "max_unread_lines",
    ),
    "`[notify]` in deck.toml": ("bell", "desktop"),
}
_KEYS = "Take it out: keys come from the environment or the keyring, never from a loop file."
_SECRETS = dict.fromkeys(("api_key", "key", "token", "secret", "password", "api_token"), _KEYS)
_MISPLACED = {key: f"`{key}` belongs in {place}." for place, keys in _PLACES.items() for key in keys}
_LOOP_ONLY = ("goal", "skills", "context", "level", "check", "trigger", "experiment")


def remedies(table: str) -> dict[str, str]:
    """Remedies for keys that `table` doesn't know (`loop.toml` and `deck.toml` for the documents)."""
    known = _SECRETS | _MISPLACED
    match table:
        case "loop.toml":
            return known | {key: f"`[{key}]` belongs in deck.toml." for key in ("deck", "prices", "notify")}
        case "deck.toml":
            return known | {key: f"`{key}` belongs in a loop's own loop.toml." for key in _LOOP_ONLY}
        case "check":
            rubric = {key: f"Only a rubric check has `{key}`." for key in ("agent", "model", "base_url", "script")}
            return known | rubric | {"command": "A command check is written `run = …`."}
        case _:
            return known
