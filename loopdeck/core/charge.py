"""How a model call is charged to a run: its reservation goes, what it took comes, once, for the run and for its iteration.

What a child took is charged to the run alone: by iteration it stands in the child's own journal.
"""

from loopdeck.core.run import CHILD, Run, Spend
from loopdeck.core.usage import Certainty, Usage


def charge(run: Run, call: str, usage: Usage, cost: int | None, certainty: Certainty) -> None:
    """Take `usage` and `cost` (picodollars, None without a price) for the reserved `call`. Raises KeyError if it isn't reserved."""
    reservation = run.reserved.pop(call)
    spends = [run.spend]
    if run.iterations and reservation.role != CHILD:
        spends.append(run.iterations[-1].spend)
        if reservation.role == "check":
            spends.append(run.iterations[-1].check_spend)
    for spend in spends:
        _add(spend, usage, cost, certainty)


def charge_unsettled(run: Run) -> None:
    """Take every call that is still reserved in full: nobody will say any more what it cost."""
    for call, reservation in list(run.reserved.items()):
        if reservation.role == CHILD and run.status != "ended":
            # It has a journal of its own, which says what it took; only where nobody will look any more its share counts.
            continue
        bound = Usage(input=reservation.input_bound, output=reservation.output_cap)
        charge(run, call, bound, reservation.cost, "estimated")


def _add(spend: Spend, usage: Usage, cost: int | None, certainty: Certainty) -> None:
    spend.usage += usage
    spend.model_calls += 1
    if cost is None:
        spend.unpriced = spend.unpriced or usage.tokens > 0
    else:
        spend.cost += cost
    if certainty == "estimated" or (certainty == "priced" and spend.certainty == "metered"):
        spend.certainty = certainty
