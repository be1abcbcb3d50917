"""Opens ports in other network namespaces: a program of its own, started by path, that imports nothing of ours.

A socket belongs to the namespace it was made in, whoever holds it. So whoever wants to be reached from within a sandbox needs nobody
in there: a child of this program goes in, makes the sockets, hands them out and is gone. Requests come on the socket whose descriptor
it is told: a JSON list of ports, with a descriptor of the namespace. It answers `ok` with the listening sockets, or why not. It ends
when nobody is at the other end any more.
"""

import ctypes
import fcntl
import json
import os
import socket
import sys

_NS_GET_USERNS = 0xB701
_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_BACKLOG = 128
_FREE_BIND = 15


def main(handle: int) -> None:
    """Serve until the other end is gone."""
    libc = ctypes.CDLL(None, use_errno=True)
    with socket.socket(fileno=handle) as asker:
        while True:
            asked, given, _, _ = socket.recv_fds(asker, 4096, 4)
            if not asked:
                return
            child = os.fork()
            if child == 0:
                _answer(libc, asker, json.loads(asked), given[0])
            for one in given:
                os.close(one)
            os.waitpid(child, 0)


def _answer(libc: ctypes.CDLL, asker: socket.socket, ports: list[int], namespace: int) -> None:
    """In the child: never returns."""
    try:
        # Who made the user namespace that owns it has every right in there, root or not.
        owner = fcntl.ioctl(namespace, _NS_GET_USERNS)
        libc.setns(owner, _NEWUSER)
        if libc.setns(namespace, _NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        made = [_listening(port) for port in ports]
        socket.send_fds(asker, [b"ok"], [one.fileno() for one in made])
    except BaseException as error:  # whatever it is, the one who asked must hear of it
        asker.send(f"{type(error).__name__}: {error}"[:200].encode())
    finally:
        os._exit(0)


def _listening(port: int) -> socket.socket:
    """A socket that listens on the loopback interface, which may not be up yet."""
    made = socket.socket()
    made.setsockopt(socket.IPPROTO_IP, _FREE_BIND, 1)
    made.bind(("127.0.0.1", port))
    made.listen(_BACKLOG)
    return made


if __name__ == "__main__":
    main(int(sys.argv[1]))
