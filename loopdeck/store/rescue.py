"""The supervisor's memory of a run whose runner is gone, in the run's folder, so that the next supervisor goes on counting.

Written by whoever holds the supervisor's lease, before a runner is started, and by a runner that gives its run up; read by everybody.
"""

import msgspec

from loopdeck.core.rescue import Tries
from loopdeck.store.files import read_bytes, write_atomic
from loopdeck.store.layout import RunPaths

_decoder = msgspec.json.Decoder(Tries)


def load(paths: RunPaths) -> Tries:
    """What was written last; as if nothing had been done if nothing was, or it is damaged. Raises StoreError."""
    data = read_bytes(paths.rescue)
    if data is None:
        return Tries()
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError:
        return Tries()


def save(paths: RunPaths, tries: Tries, *, durable: bool = True) -> None:
    """Keep it, also through a power cut. Raises StoreError."""
    write_atomic(paths.rescue, msgspec.json.encode(tries), durable=durable)
