"""Where tools keep what they fetch and build, while a loop's commands run: folders of the loop's own, never the operator's.

What a maker's command leaves in a cache no check and no `setup` finds there: they have another. Invariant: nothing in a cache is
needed; it can be deleted whenever no command of the loop runs.
"""

from pathlib import Path

from loopdeck.sandbox.port import Command

_ALWAYS = {
    "XDG_CACHE_HOME": "",
    "PIP_CACHE_DIR": "pip",
    "UV_CACHE_DIR": "uv",
    "POETRY_CACHE_DIR": "pypoetry",
    "PRE_COMMIT_HOME": "pre-commit",
    "npm_config_cache": "npm",
    "YARN_CACHE_FOLDER": "yarn",
    "BUN_INSTALL_CACHE_DIR": "bun",
    "DENO_DIR": "deno",
    "GOCACHE": "go-build",
    "CCACHE_DIR": "ccache",
    "SCCACHE_DIR": "sccache",
    "NUGET_PACKAGES": "nuget",
    "COMPOSER_CACHE_DIR": "composer",
    "GEM_SPEC_CACHE": "gem",
}
_WHERE_IT_FETCHES = {"CARGO_HOME": "cargo", "GOMODCACHE": "go-mod", "GRADLE_USER_HOME": "gradle"}
"""These hold also what the operator's toolchain has fetched before, which can be read where it is while nothing is fetched anew."""


_MAKERS_ALONE = {"PYTHONPYCACHEPREFIX": "python"}
"""What is compiled of the project, so that it isn't committed with it. No check reads what another may have left compiled for it."""


def cache(caches: Path, command: Command) -> Path:
    """The cache of a command's kind, in the loop's folder `caches`."""
    return caches / ("maker" if _is_makers(command) else "checks")


def variables(caches: Path, command: Command, fetches: bool) -> dict[str, str]:
    """What tells a command's tools of it; `fetches` says that the command can reach hosts to fetch from."""
    folder = cache(caches, command)
    named = {**_ALWAYS, **(_WHERE_IT_FETCHES if fetches else {}), **(_MAKERS_ALONE if _is_makers(command) else {})}
    # Worktree and cache are different mounts, so that nothing can be linked from one into the other.
    return {**{name: str(folder / below) for name, below in named.items()}, "UV_LINK_MODE": "copy"}


def _is_makers(command: Command) -> bool:
    return command.role in ("tool", "agent")
