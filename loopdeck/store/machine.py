"""What this machine bears."""

import os
from pathlib import Path

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


def free_memory() -> int:
    """Bytes that could be had without anything being swapped out; 0 where the system doesn't tell."""
    try:
        for line in Path("/proc/meminfo").read_bytes().splitlines():
            if line.startswith(b"MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return 0
    return 0
