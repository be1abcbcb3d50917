"""What an outside agent's turn takes: by the gateway where its requests go through one, else by the agent's own word.

Invariant: either every request is metered before it goes, or the agent's figures are taken as they come, and marked as such.
"""

from types import TracebackType

from loopdeck.agents import prices
from loopdeck.agents.gateway.address import Address
from loopdeck.agents.gateway.gateway import Gateway
from loopdeck.agents.gateway.upstream import Upstreams
from loopdeck.agents.keys import Vendor
from loopdeck.agents.outside.registry import VENDORS
from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.budget import NoRoom, Room, spent_out, taken_cost
from loopdeck.core.usage import Usage, picodollars
from loopdeck.runner.account import Account
from loopdeck.runner.purse import RunPurse
from loopdeck.runner.record import Record
from loopdeck.runner.site import Site


class Metering:
    """The books of one turn. As a context: the gateway's address while the turn lasts, None if the agent goes its own way."""

    def __init__(self, record: Record, site: Site, kind: str, *, metered: bool) -> None:
        self._record = record
        self._site = site
        self._kind = kind
        self._gateway: Gateway | None = None
        self._purse: RunPurse | None = None
        self._metered = metered
        self._account = Account(record, site.day)
        self._seen: set[str] = set()
        self._said = Usage()
        self._before = record.run.spend.usage

    async def __aenter__(self) -> Address | None:
        if not self._metered:
            return None
        maker = self._site.spec.maker
        self._purse = RunPurse(self._record, "agent", self._site.prices, maker.max_output_tokens, self._site.day)
        self._gateway = Gateway(self._purse, Upstreams(base_urls(self._kind, maker.base_url)))
        return await self._gateway.start()

    def has_traced(self, text: str) -> bool:
        """True if the trace has it already as what a model replied."""
        return self._purse is not None and self._purse.has_traced(text)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._gateway is not None:
            await self._gateway.stop()
            self._compare()

    def used(self, request: str, model: str, usage: Usage, cost_usd: float | None) -> None:
        """The agent's own word on a request: what is charged if nobody else meters, else something to compare with."""
        if request in self._seen:
            return
        self._seen.add(request)
        self._said += usage
        if self._gateway is None:
            self._charge(model or self._record.run.settings.model, usage, cost_usd)

    def _charge(self, model: str, usage: Usage, cost_usd: float | None) -> None:
        vendor, run = VENDORS.get(self._kind) or "", self._record.run
        # By the name that the agent gives the model, else by that of the loop file, else as the agent says.
        known = (prices.cost(name, usage, vendor, self._site.prices) for name in dict.fromkeys((model, run.settings.model)) if name)
        cost = next((one for one in known if one is not None), None if cost_usd is None else picodollars(cost_usd))
        called = self._account.reserve("agent", model, usage.tokens - usage.output, Room(usage.output, cost))
        self._account.settle(ev.ModelCallSettled(called.id, usage, cost, "estimated"))
        # What can't be priced can't be held to a cap in dollars either.
        limit = "cost_usd" if cost is None and run.settings.max_cost and not run.settings.max_tokens else spent_out(run)
        if limit in ("cost_usd", "tokens") and not run.no_room:
            left = max(0, (run.settings.max_cost or 0) - taken_cost(run)) if limit == "cost_usd" else 0
            self._account.no_room("agent", NoRoom(limit, left))

    def _compare(self) -> None:
        metered = _less(self._record.run.spend.usage, self._before)
        if self._said.tokens and self._said != metered:
            told = f"the agent says that its turn took {_words(self._said)}; metered were {_words(metered)}, and those count"
            self._record.traced(tr.Noted(self._record.run.iteration, told))


def base_urls(kind: str, base_url: str) -> dict[Vendor, str]:
    """Where the gateway goes on to, if the loop file says so: for an agent of no vendor's own, all of them."""
    if not base_url:
        return {}
    vendor = VENDORS.get(kind)
    known: tuple[Vendor, ...] = ("anthropic", "openai", "google")
    return {one: base_url for one in known if vendor in (None, one)}


def _less(after: Usage, before: Usage) -> Usage:
    return Usage(
        after.input - before.input, after.output - before.output, after.cache_read - before.cache_read,
        after.cache_write - before.cache_write,
    )  # fmt: skip


def _words(usage: Usage) -> str:
    return f"{usage.input} in, {usage.output} out, {usage.cache_read} from the cache, {usage.cache_write} into it"
