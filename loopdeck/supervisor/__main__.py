"""`python -m loopdeck.supervisor HOME ROOT [now]`: a supervisor in the background; `now` warms up its process without delay.

It leaves at once if the deck has one, and by itself when there is nothing left to look after.
"""

import sys
import time
from pathlib import Path

from loopdeck.core.text import clean_line
from loopdeck.errors import LoopdeckError
from loopdeck.store.layout import DeckHome
from loopdeck.supervisor.service import WARM_AFTER_S
from loopdeck.supervisor.serving import serve


def main(argv: list[str]) -> int:
    """Returns 0 when it is time to go, 3 if the deck has a supervisor, 14 if it can't be supervised."""
    try:
        delay = 0.0 if argv[3:] == ["now"] else WARM_AFTER_S
        return 0 if serve(DeckHome(Path(argv[1])), Path(argv[2]), _tell, for_ever=False, warm_after_s=delay) else 3
    except LoopdeckError as error:
        _tell(str(error))
        return 14


def _tell(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {clean_line(text)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
