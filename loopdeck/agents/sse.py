"""Server-sent events, from bytes to the data of whole events.

Pure, and written for the hot path: a reply streams in as hundreds of small events, and each costs one split
and one slice here. Invariant: however the bytes are cut into chunks, the same events come out, each once.
"""


class EventSplitter:
    """Collects chunks of a body and gives the data of every event that is complete.

    Names of events are not needed by anybody.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that `chunk` completes, in order; events without data are left out."""
        text = self._rest + chunk
        held = b""
        if b"\r" in text:
            # A carriage return at the very end may be half of a line end: it waits for the next chunk.
            if text.endswith(b"\r"):
                text, held = text[:-1], b"\r"
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, rest = text.split(b"\n\n")
        self._rest = rest + held
        return [data for event in whole if (data := _data(event))]

    def close(self) -> bytes:
        """The data of a last event that no blank line ended, or nothing.

        Servers differ in whether they send that line.
        """
        rest, self._rest = self._rest, b""
        return _data(rest.strip(b"\r\n"))


def _data(event: bytes) -> bytes:
    """The data of one event; its lines end in `\\n`."""
    parts = [line[6:] if line.startswith(b"data: ") else line[5:] for line in event.split(b"\n") if line.startswith(b"data:")]
    return parts[0] if len(parts) == 1 else b"\n".join(parts)
