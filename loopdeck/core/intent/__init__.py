"""A plain sentence, such as "all tests pass and lint is clean, stop after two passes", as checks and caps to be confirmed.

`understand` is the door; `facts` is what it is told of the repository, `wish` what it gives back, the others are its rules.
"""

from loopdeck.core.intent.facts import Facts
from loopdeck.core.intent.understand import understand
from loopdeck.core.intent.wish import Caps, Missed, Wish

__all__ = ["Caps", "Facts", "Missed", "Wish", "understand"]
