"""What an outside agent asks of its runner while it is at work, by files in `.loop/`: a question for a person, a look at the books.

A question becomes a call that always asks, and its answer is text in a file. Invariant: nothing that stands in `.loop/` is believed to
be more than the agent's own words; each ask is answered once, and only so many are looked at.
"""

import asyncio
from contextlib import suppress

import msgspec

from loopdeck.agents.outside.port import Denied, Shown
from loopdeck.core import asking
from loopdeck.core.asking import Answer, Ask
from loopdeck.core.left import left
from loopdeck.errors import LoopdeckError
from loopdeck.runner.hosting import Hosting
from loopdeck.runner.site import Site
from loopdeck.store.loopfolder import LoopFolder

POLL_S = 0.2


class Errands:
    """Serves one turn of an agent."""

    def __init__(self, site: Site, hosting: Hosting) -> None:
        self._record = site.record
        self._hosting = hosting
        self._folder = LoopFolder(site.workplace.path)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        for name in self._folder.names():
            if name.startswith(("ask-", "answer-")):
                # Of an earlier turn: an answer that was given is remembered by the journal.
                self._folder.remove(name)

    async def serve(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self._look()
                await asyncio.sleep(POLL_S)
        finally:
            for task in self._under_way.values():
                task.cancel()
            if self._under_way:
                await asyncio.wait(self._under_way.values())

    def _look(self) -> None:
        for name in self._folder.names():
            if not name.startswith("ask-") or not name.endswith(".json") or name in self._under_way:
                continue
            if len(self._under_way) >= asking.MOST_OPEN:
                return
            ask = self._read(name)
            if ask is not None:
                self._under_way[name] = asyncio.create_task(self._serve(name, ask))

    def _read(self, name: str) -> Ask | None:
        try:
            ask = msgspec.json.decode(self._folder.read(name) or "", type=Ask)
        except msgspec.DecodeError:
            return None
        return ask if len(ask.text) <= asking.MOST_QUESTION else None

    async def _serve(self, name: str, ask: Ask) -> None:
        text = left(self._record.run) if ask.kind == "budget" else await self._asked(name, ask.text)
        # Where not even that can be written, what the run does next says so.
        with suppress(LoopdeckError):
            self._folder.write(asking.answer_name(name), msgspec.json.encode(Answer(text)).decode())

    async def _asked(self, name: str, question: str) -> str:
        """A person's answer."""
        call = f"{name.removesuffix('.json')}-{self._record.run.turns}"
        arguments = asking.arguments_of(question)
        said = await self._hosting.ask(Shown(call, asking.TOOL, arguments))
        if isinstance(said, Denied):
            return said.why
        answer = asking.answer_in(said.arguments or arguments)
        self._hosting.returned(call, answer)
        return answer
