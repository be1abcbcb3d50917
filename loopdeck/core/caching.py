"""How long a provider is asked to keep the steady part of a loop's prompts, by how often the loop comes back to it.

A mark for five minutes costs a quarter more to write and pays after one reading; one for an hour costs as much again and pays after
two (Anthropic's price list). Within a run calls follow each other fast enough for the short one; it is the time between runs that
counts, and a loop whose period lies between the two asks for the hour.
"""

from loopdeck.core.conversation import Keep
from loopdeck.core.spec import LoopSpec

SHORT_S = 300.0
LONG_S = 3600.0


def keep_for(spec: LoopSpec) -> Keep:
    """For how long the steady part of the maker's prompt is to be kept."""
    return "1h" if SHORT_S < spec.trigger.every_s <= LONG_S else "5m"


def lost_between(spec: LoopSpec) -> str:
    """What a loop's period costs it in caching, as a sentence for whoever writes the loop; empty if nothing."""
    every = spec.trigger.every_s
    if every <= SHORT_S or spec.maker.agent != "anthropic":
        return ""
    if every <= LONG_S:
        return (
            f"a run every {every / 60:g} min loses the 5-minute cache each time: "
            "the steady part of its prompts is marked for an hour, which costs twice the input price to write"
        )
    return f"a run every {every / 60:g} min finds nothing in a cache: each run pays once for the steady part of its prompts"
