"""Puts a fence of Landlock's around itself and becomes the command: a program of its own, started by path, importing nothing of ours.

`fence.py FILE COMMAND…`: the file, JSON, says what may be read and written and which system calls are refused. It is read before the
fence stands. Invariant: either all of it stands or the command does not begin (exit code 125, with a line that says why).
"""

import contextlib
import ctypes
import json
import os
import resource
import stat
import sys

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_NO_NEW_PRIVILEGES, _DROP_BOUND, _SECCOMP, _AMBIENT = 38, 24, 22, 47
_AMBIENT_CLEAR = 4
_CAPSET = {"x86_64": 126, "aarch64": 91}
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_EVERY = (1 << 16) - 1
"""All rights on files that the version we ask for knows."""
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = _EVERY & ~(_MAKE_CHAR | _MAKE_BLOCK | _IOCTL)
_DEVICE = _READ_FILE | _WRITE_FILE
_BIND, _CONNECT = 1, 2
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2
_PATH_RULE, _PORT_RULE = 1, 2
_CAPABILITY_VERSION = 0x20080522


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("ports", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)


def main(asked: str, command: list[str]) -> None:
    """Stand, then run. Never returns."""
    try:
        with open(asked, encoding="utf-8") as file:  # noqa: PTH123 - a start costs what it imports
            wanted = json.load(file)
        _stand(wanted)
        for name in wanted["unset"]:
            # What the interpreter has set for itself.
            os.environ.pop(name, None)
    except Exception as error:  # whatever it is: without the whole fence nothing begins
        os.write(2, f"the fence could not be put up: {error}\n".encode("utf-8", "replace"))
        os._exit(125)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode("utf-8", "replace"))
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def _stand(wanted: dict[str, object]) -> None:
    for limit, most in wanted["limits"]:  # type: ignore[attr-defined]  # JSON of our own
        with contextlib.suppress(OSError, ValueError):
            hard = resource.getrlimit(limit)[1]
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (least, least))
    _give_up_rights()
    held = 0 if wanted["network"] else _BIND | _CONNECT
    asked = _Ruleset(_EVERY, held, _ABSTRACT_SOCKETS | _SIGNALS)
    ruleset = _checked(_libc.syscall(_CREATE, ctypes.byref(asked), ctypes.sizeof(asked), 0))
    for paths, rights in (("read", _READ), ("write", _WRITE), ("devices", _DEVICE)):
        for path in wanted[paths]:  # type: ignore[attr-defined]  # as above
            _add(ruleset, str(path), rights)
    for port in wanted["ports"]:  # type: ignore[attr-defined]  # as above
        rule = (ctypes.c_uint64 * 2)(_CONNECT, port)
        _checked(_libc.syscall(_ADD, ruleset, _PORT_RULE, ctypes.byref(rule), 0))
    _checked(_libc.syscall(_RESTRICT, ruleset, 0))
    os.close(ruleset)
    steps = bytes.fromhex(str(wanted["filter"]))
    program = _Filter(len(steps) // 8, steps)
    _checked(_libc.prctl(_SECCOMP, 2, ctypes.byref(program), 0, 0))


def _add(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there can't be shown
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_A_FILE
        rule = _Beneath(rights, place)
        _checked(_libc.syscall(_ADD, ruleset, _PATH_RULE, ctypes.byref(rule), 0))
    finally:
        os.close(place)


def _give_up_rights() -> None:
    """What root has beyond the files that are root's; nobody else has any of it."""
    _checked(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    if os.geteuid() != 0:
        return
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:  # noqa: PTH123 - as above
        last = int(file.read())
    for one in range(last + 1):
        _libc.prctl(_DROP_BOUND, one, 0, 0, 0)
    _libc.prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _checked(_libc.syscall(_CAPSET[os.uname().machine], ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)())))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
