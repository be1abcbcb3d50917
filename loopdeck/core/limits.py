"""How large a number of a loop file, or of a live run's settings, may be: beyond these it is a slip of the pen."""

LEAST_DOLLARS = 0.0001
MAX_DOLLARS = 1_000_000
MAX_TOKENS = 10**12
MAX_ITERATIONS = 100_000
MAX_TOOL_CALLS = 1_000_000
MAX_NO_PROGRESS = 10_000
LEAST_WALL_S = 0.1
YEAR_S = 366 * 86_400
