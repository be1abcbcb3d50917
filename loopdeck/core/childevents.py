"""What happens between a run and the runs that its maker starts: journal events of the parent."""

from loopdeck.core.happening import Happening, Reason
from loopdeck.core.usage import Certainty, Usage


class ChildStarted(Happening, frozen=True):
    """A call of the maker's started a run of another loop; its share, picodollars and tokens (0: none), is set aside."""

    call: str
    loop: str
    run: str
    cost: int = 0
    tokens: int = 0


class ChildEnded(Happening, frozen=True):
    """The child is over; what it took is the parent's. `cost` is None where some of it has no known price."""

    run: str
    reason: Reason
    usage: Usage = Usage()
    cost: int | None = None
    certainty: Certainty = "priced"


ChildEvent = ChildStarted | ChildEnded
