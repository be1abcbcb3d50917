"""What this machine bears."""

import os

_MEMORY_PER_RUN = 400 * 1024 * 1024
_RUNS_PER_CORE = 4


def default_limit() -> int:
    """How many runs may be at work at once if deck.toml doesn't say: four for each core, and each with room for an SDK in memory."""
    cores = os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        memory = cores * _RUNS_PER_CORE * _MEMORY_PER_RUN
    return max(1, min(cores * _RUNS_PER_CORE, memory // _MEMORY_PER_RUN))
