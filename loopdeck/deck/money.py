"""The ledger of a deck, read from the journals of its runs.

Invariant: a run that has ended is read once; of one that goes on, only what is new. What is remembered is in memory alone and can be
read again at any time. A journal that can't be read is named and left out; a damaged one counts as far as it can be read.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from loopdeck.core.fold import Stamp
from loopdeck.core.ledger import Account, Charge, Saving, Statement
from loopdeck.core.loopfile.who import judge_of
from loopdeck.core.routing import routes
from loopdeck.core.script import Script, read_script
from loopdeck.core.spec import LoopSpec, Price
from loopdeck.core.usage import Usage
from loopdeck.deck.decks import Deck
from loopdeck.errors import LoopdeckError
from loopdeck.git.landed import landed
from loopdeck.store.frozen import Frozen, thaw
from loopdeck.store.journal import tail_journal
from loopdeck.store.layout import RunPaths

PriceOf = Callable[[str, Usage, str, Mapping[str, Price]], int | None]
"""Picodollars for a usage of a model, by its name, the kind of its agent, and the deck's own prices; None if no list knows it."""

_PATIENCE = 1
"""Days before the first run from which on commits are looked at: a clock may have been set."""


def no_price(model: str, usage: Usage, kind: str, own: Mapping[str, Price]) -> int | None:
    """The price where there is no price list."""
    return None


class Ledger(Struct, frozen=True):
    """All runs of a deck, oldest first, and what could not be read, in words.

    `merged` are the ids of those that are in the operator's branch; None if git did not say.
    """

    statements: tuple[Statement, ...] = ()
    merged: frozenset[str] | None = None
    trouble: tuple[str, ...] = ()

    def of(self, loop: str) -> tuple[Statement, ...]:
        """The runs of one loop, oldest first."""
        return tuple(one for one in self.statements if one.loop == loop)


class Books:
    """Reads the ledger of one deck, again and again. Not for several threads at once."""

    def __init__(self, deck: Deck, price: PriceOf = no_price) -> None:
        self._deck = deck
        self._price = price
        self._closed: dict[RunPaths, Statement] = {}
        self._open: dict[RunPaths, _Open] = {}

    def read(self) -> Ledger:
        """The ledger as it is now."""
        runs = self._deck.home.all_runs()
        statements: list[Statement] = []
        trouble: list[str] = []
        for paths in runs:
            try:
                statements.append(self._closed.get(paths) or self._looked(paths))
            except LoopdeckError as error:
                trouble.append(f"{paths.loop} {paths.run}: {error.what}")
        self._open = {paths: one for paths, one in self._open.items() if paths in set(runs)}
        return Ledger(tuple(statements), self._merged(runs), tuple(trouble))

    def _looked(self, paths: RunPaths) -> Statement:
        one = self._open.setdefault(paths, _Open(paths, self._price))
        now = one.statement()
        if now.reason is not None:
            self._closed[paths] = now
            del self._open[paths]
        return now

    def _merged(self, runs: list[RunPaths]) -> frozenset[str] | None:
        if not runs:
            return frozenset()
        first = datetime.strptime(runs[0].run[:8], "%Y%m%d").replace(tzinfo=UTC)
        try:
            return landed(self._deck.repo, datetime.fromtimestamp(first.timestamp() - _PATIENCE * 86_400, UTC))
        except LoopdeckError:
            return None


class _Open:
    """A run that may still go on: its journal is followed."""

    def __init__(self, paths: RunPaths, price: PriceOf) -> None:
        self._paths = paths
        self._tail = tail_journal(paths.journal)
        self._saving = saving(paths, price)
        self._account = Account(paths.loop, paths.run, self._saving)
        self._generation = 0

    def statement(self) -> Statement:
        while entries := self._tail.poll():
            if self._tail.generation != self._generation:
                self._generation = self._tail.generation
                self._account = Account(self._paths.loop, self._paths.run, self._saving)
            for entry in entries:
                self._account.take(entry.event, Stamp(entry.at, entry.clock, entry.epoch))
        return self._account.statement()


def statement_of(paths: RunPaths, price: PriceOf = no_price) -> Statement:
    """The statement of one run. Raises StoreError."""
    return _Open(paths, price).statement()


def saving(paths: RunPaths, price: PriceOf) -> Saving:
    """What caching saved on a call of the run: its input at the price of fresh input, less what the same list says it cost."""
    known: list[Frozen | None] = []

    def saved(charge: Charge) -> int | None:
        usage = charge.usage
        if not usage.cache_read and not usage.cache_write:
            return 0
        if not known:
            # Read only for a call that a cache took part in: most runs of most decks never ask.
            known.append(_frozen(paths))
        if known[0] is None:
            return None
        kind, model = _asked(known[0], charge)
        fresh = Usage(usage.tokens - usage.output, usage.output)
        as_fresh, as_was = (price(model, one, kind, known[0].spec.prices) for one in (fresh, usage))
        return None if as_fresh is None or as_was is None else as_fresh - as_was

    return saved


def _frozen(paths: RunPaths) -> Frozen | None:
    try:
        return thaw(paths.dir)
    except LoopdeckError:
        return None


def _asked(frozen: Frozen, charge: Charge) -> tuple[str, str]:
    """The kind of agent that was called, and the model whose price counts."""
    for key, kind, model in callers(frozen.spec):
        if (key == "script") == (charge.role != "check") and (not model or not charge.model or model == charge.model):
            return kind, priced_as(kind, charge.model or model, frozen.files.get(key, ""))
    for route in routes(frozen.spec):
        if route.model == charge.model:
            return route.agent, route.model
    return frozen.spec.maker.agent, charge.model


def callers(spec: LoopSpec) -> list[tuple[str, str, str]]:
    """Whom a run of `spec` calls: the maker first, then each check's model, as (key of its script, kind of agent, model)."""
    makers = [("script", str(spec.maker.agent), spec.maker.model)]
    judges = [(check.name, *judge_of(spec, check.rubric)) for check in spec.checks if check.rubric is not None]
    return makers + [(f"script:{name}", kind, model) for name, kind, model in judges]


def priced_as(kind: str, model: str, script: str) -> str:
    """The model whose price counts for `model`: a script may name another."""
    played = read_script(script, "script") if kind == "scripted" and script else None
    return (played.model if isinstance(played, Script) else "") or model
