"""System calls that no namespace keeps inside: a filter for the kernel that refuses them to all that a command starts.

The kernel's keyrings are the person's, not the sandbox's: whoever inherits a session can read the keys in it. The other calls refused
here reach into the kernel itself, and no build or test needs them. A filter is of one architecture; calls by another's numbers, which
could go around it, are refused altogether. Where the architecture is not known there is no filter.
"""

import errno
import platform
import struct
from functools import cache

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_OTHER_ABI = 0x40000000
"""Of the numbers by which 32-bit programs of 64-bit machines call; no architecture here has calls of its own above."""
_KNOWN = {
    # The architecture's number, then add_key, request_key, keyctl, perf_event_open, bpf, userfaultfd.
    "x86_64": (0xC000003E, (248, 249, 250, 298, 321, 323)),
    "aarch64": (0xC00000B7, (217, 218, 219, 241, 280, 282)),
}


@cache
def refused() -> bytes:
    """The filter of this machine, as the kernel reads it; empty if there is none."""
    known = _KNOWN.get(platform.machine())
    if known is None:
        return b""
    architecture, calls = known
    last = len(calls) + 1
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _REFUSE | errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, last, 0, _OTHER_ABI),
        *((_EQUAL, last - 1 - place, 0, call) for place, call in enumerate(calls)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
