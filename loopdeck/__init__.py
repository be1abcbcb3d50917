"""loopdeck: a terminal control room for agent loops.

Facts flow up from disk to the operator, wishes flow down from the operator to disk, and one process per run, in the
middle, decides. `core` is pure; every other package acts on what it says.
"""

__version__ = "0.1.0"
