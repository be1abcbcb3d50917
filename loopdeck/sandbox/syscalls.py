"""System calls that no namespace keeps inside: filters for the kernel that refuse them to all that a command starts.

The kernel's keyrings are the person's, not the sandbox's: whoever inherits a session can read the keys in it. The other calls refused
here reach into the kernel itself, and no build or test needs them. A filter is of one architecture; calls by another's numbers, which
could go around it, are refused altogether. Where the architecture is not known there is no filter.
"""

import errno
import platform
import struct
from functools import cache
from typing import Literal

_LOAD, _EQUAL, _AT_LEAST, _ANY_OF, _MASKED, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_LOW, _FIRST_HIGH = 0, 4, 16, 20
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


_NEW_NAMESPACES = 0x7E020080
"""Flags of clone: time, cgroup, uts, ipc, user, pid, network and mount."""
_FAST_OPEN = 0x20000000
Sockets = Literal["none", "tcp", "all"]
_BEYOND = {
    # What a namespace would keep inside, where there is none: namespaces, mounts, other processes, memory and queues of the machine,
    # a way around this very filter. Then socket, clone, clone3, prlimit64, sendto, sendmsg and sendmmsg, which are refused in part.
    "x86_64": (
        (272, 308, 165, 166, 155, 161, 428, 429, 430, 431, 432, 433, 442, 101, 310, 311, 312, 438, 425, 426, 427, 175, 313, 246, 320,
         304, 29, 30, 64, 68, 240, 169, 170, 171, 227, 164, 305, 159),
        (41, 56, 435, 302, 44, 46, 307),
    ),
    "aarch64": (
        (97, 268, 40, 39, 41, 51, 428, 429, 430, 431, 432, 433, 442, 117, 270, 271, 272, 438, 425, 426, 427, 105, 273, 104, 294,
         265, 194, 196, 190, 186, 180, 142, 161, 162, 112, 170, 266, 171),
        (198, 220, 435, 261, 206, 211, 269),
    ),
}  # fmt: skip


@cache
def fenced(sockets: Sockets) -> bytes:
    """The filter for commands that no namespaces hold, with the `sockets` they may have. Empty if there is none."""
    known = _BEYOND.get(platform.machine())
    if known is None:
        return b""
    architecture, kernel = _KNOWN[platform.machine()]
    whole, (socket, clone, clone3, prlimit, *sending) = known
    # Threads are made by clone3 where it is there; without it by clone, whose flags can be looked at.
    blocks = [_only(clone3, [_said(errno.ENOSYS)])]
    blocks += [_only(call, [_said(errno.EPERM)]) for call in (*kernel, *whole)]
    blocks.append(_only(clone, [(_LOAD, 0, 0, _FIRST_LOW), (_ANY_OF, 0, 1, _NEW_NAMESPACES), _said(errno.EPERM), _PASS]))
    blocks.append(
        _only(
            prlimit,
            [(_LOAD, 0, 0, _FIRST_LOW), (_EQUAL, 0, 2, 0), (_LOAD, 0, 0, _FIRST_HIGH), (_EQUAL, 1, 0, 0), _said(errno.EPERM), _PASS],
        )
    )
    blocks.append(_only(socket, _SOCKETS[sockets]))
    if sockets == "tcp":
        # To begin by sending goes around what is asked of a connection.
        blocks += [
            _only(call, [(_LOAD, 0, 0, _FIRST_LOW + 8 * place), (_ANY_OF, 0, 1, _FAST_OPEN), _said(errno.EPERM), _PASS])
            for call, place in zip(sending, (3, 2, 3), strict=True)
        ]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        _said(errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _OTHER_ABI),
        _said(errno.EPERM),
        *(step for block in blocks for step in block),
        _PASS,
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


_Step = tuple[int, int, int, int]
_PASS: _Step = (_RETURN, 0, 0, _ALLOW)


def _said(error: int) -> _Step:
    return (_RETURN, 0, 0, _REFUSE | error)


def _only(call: int, steps: list[_Step]) -> list[_Step]:
    """Steps for one call alone; each way through them ends with a word on it."""
    return [(_EQUAL, 0, len(steps), call), *steps]


_SOCKETS: dict[Sockets, list[_Step]] = {
    "none": [_said(errno.EACCES)],
    # Both internets, and asking the kernel of its interfaces.
    "all": [
        (_LOAD, 0, 0, _FIRST_LOW), (_EQUAL, 3, 0, 2), (_EQUAL, 2, 0, 10), (_EQUAL, 1, 0, 16), _said(errno.EAFNOSUPPORT), _PASS,
    ],
    # A stream of TCP's own: nothing else is asked of Landlock when it connects.
    "tcp": [
        (_LOAD, 0, 0, _FIRST_LOW), (_EQUAL, 2, 0, 2), (_EQUAL, 1, 0, 10), _said(errno.EAFNOSUPPORT),
        (_LOAD, 0, 0, _FIRST_LOW + 8), (_MASKED, 0, 0, 0xFF), (_EQUAL, 1, 0, 1), _said(errno.EACCES),
        (_LOAD, 0, 0, _FIRST_LOW + 16), (_EQUAL, 2, 0, 0), (_EQUAL, 1, 0, 6), _said(errno.EPROTONOSUPPORT), _PASS,
    ],
}  # fmt: skip
