"""Supervisors that race for one deck: `python -m tests.supervisor.racers COUNT HOME ROOT` forks so many for each line of input.

Each says `won EPOCH`, or `refused` and leaves. Once only the winner is left it is killed, and the round is `over`.
"""

import os
import signal
import sys
from pathlib import Path

from loopdeck.store.layout import DeckHome
from loopdeck.supervisor.serving import serve


def race(gate: int, won: int, home: DeckHome, root: Path) -> None:
    """Begin when the gate opens; tell how it went, and whoever wins also on the descriptor `won`."""

    def tell(text: str) -> None:
        if text.startswith("supervises"):
            os.write(1, f"won {text.rpartition(' ')[2]}\n".encode())
            os.write(won, b".")

    os.read(gate, 1)
    if not serve(home, root, tell, for_ever=True, warm_after_s=3600.0):
        os.write(1, b"refused\n")


def main(count: int, home: DeckHome, root: Path) -> None:
    """A race for each line."""
    for _ in sys.stdin:
        (gate, handle), (known, won) = os.pipe(), os.pipe()
        racers = []
        for _ in range(count):
            if not (number := os.fork()):
                os.close(handle)
                race(gate, won, home, root)
                os._exit(0)
            racers.append(number)
        os.close(handle)
        os.close(gate)
        os.close(won)
        for _ in range(count - 1):
            racers.remove(os.wait()[0])
        os.read(known, 1)
        [winner] = racers
        os.kill(winner, signal.SIGKILL)
        os.waitpid(winner, 0)
        os.close(known)
        os.write(1, b"over\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), DeckHome(Path(sys.argv[2])), Path(sys.argv[3]))
