"""Which start of the machine this is, and which process a number means: numbers are given again, these two together never.

Read from /proc as proc(5) has it; where there is none, nothing is known.
"""

from functools import cache
from pathlib import Path


@cache
def boot_id() -> str:
    """What tells this boot of the machine from others; empty where it doesn't say."""
    # Read as bytes: to read it as ASCII loads a codec first, which costs each runner a megabyte.
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip().decode()
    except OSError:
        return ""


def start_ticks(pid: int) -> int:
    """When the process began, in clock ticks since boot; 0 if it is gone, or a zombie, or the machine doesn't say."""
    try:
        said = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    # The name in brackets may hold anything, brackets and spaces too.
    fields = said[said.rfind(b")") + 2 :].split()
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])
