"""What people put into the run's inbox, taken up once each and written into the journal."""

import msgspec

from loopdeck.core import binding
from loopdeck.core import events as ev
from loopdeck.core.commands import Command, Resume
from loopdeck.core.hand import answer
from loopdeck.errors import StoreError
from loopdeck.runner.record import Record
from loopdeck.store.inbox import Inbox
from loopdeck.store.state import LoopState

_decoder = msgspec.json.Decoder(Command)


class Hand:
    """Reads the inbox. A file that is no command is taken up too, and refused, so that it is looked at only once."""

    def __init__(self, record: Record, inbox: Inbox, state: LoopState) -> None:
        self._record = record
        self._inbox = inbox
        self._state = state

    def take(self) -> None:
        """Take up what is new, and see that no question stands for longer than it may. Cheap when nothing is."""
        self._taken()
        due = binding.due(self._record.run, self._record.now())
        if due is not None:
            self._record.happened(ev.ApprovalLapsed(due[0].id, due[1]), durable=True)

    def _taken(self) -> None:
        run = self._record.run
        for name, payload in self._inbox.pending(run.commands):
            try:
                command = _decoder.decode(payload)
            except msgspec.DecodeError as error:
                if run.status != "ended":
                    self._record.happened(ev.CommandTaken(name, "unknown", refused=f"not a command: {error}"))
                continue
            try:
                settled = self._state.read().hash if run.asking == "state" and isinstance(command, Resume) else ""
            except StoreError as error:
                self._record.happened(ev.CommandTaken(name, "resume", command.by, error.what))
                continue
            for event in answer(run, name, command, settled):
                self._record.happened(event, durable=True)
