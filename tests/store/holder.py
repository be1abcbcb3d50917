"""Processes that contend for the same thing: `python -m tests.store.holder COUNT GATE WHAT PATH …` forks so many and leaves them to it.

All begin when the descriptor GATE is at its end, and each says `PID ANSWER` or nothing. Those that hold something do so until the
input ends.

- `lease PATH`: answers `took EPOCH` or `refused`
- `slot DIR LIMIT`: likewise, with the number of the place
- `mutex PATH TIMES`: so many times, alone, reads a number from `PATH.number` and writes the next
- `put DIR NAME`: answers `first` or `second`
- `state DIR TIMES`: adds so many lines to the state, each in a write of its own
- `child PATH`: takes the lease, starts a child that outlives it, and answers with the child's number
"""

import os
import subprocess
import sys
from pathlib import Path

from loopdeck.store import inbox
from loopdeck.store.lease import Lease
from loopdeck.store.locks import Mutex, SlotPool
from loopdeck.store.state import LoopState, StateClash


def say(text: str) -> None:
    os.write(1, f"{os.getpid()} {text}\n".encode())


def hold() -> None:
    while os.read(0, 1):
        pass


def lease(path: Path) -> None:
    taken = Lease.take(path)
    say(f"took {taken.epoch}" if taken else "refused")
    hold()


def slot(folder: Path, limit: int) -> None:
    taken = SlotPool(folder).try_take(limit)
    say(f"took {taken.number}" if taken else "refused")
    hold()


def mutex(path: Path, times: int) -> None:
    number = Path(f"{path}.number")
    for _ in range(times):
        with Mutex(path).held(30):
            number.write_text(str(int(number.read_text()) + 1))


def state(folder: Path, times: int) -> None:
    loop = LoopState(folder, "start\n")
    for number in range(times):
        now = loop.read()
        while True:
            try:
                loop.write(f"{now.text}{os.getpid()} {number}\n", "maker", f"{os.getpid()}-i{number}", now.hash)
            except StateClash as clash:
                now = clash.current
            else:
                break


def child(path: Path) -> None:
    taken = Lease.take(path)
    assert taken is not None
    say(str(subprocess.Popen(["sleep", "60"], start_new_session=True).pid))
    hold()


def contend(what: str, path: Path, *more: str) -> None:
    match what:
        case "lease":
            lease(path)
        case "slot":
            slot(path, int(more[0]))
        case "mutex":
            mutex(path, int(more[0]))
        case "put":
            say("first" if inbox.put(path, more[0], b'{"by": %d}' % os.getpid()) else "second")
        case "state":
            state(path, int(more[0]))
        case _:
            child(path)


def main(count: int, gate: int, *args: str) -> int:
    children = []
    for _ in range(count):
        if (number := os.fork()) == 0:
            os.read(gate, 1)
            contend(args[0], Path(args[1]), *args[2:])
            return 0
        children.append(number)
    return max(os.waitpid(number, 0)[1] for number in children)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]) != 0)
