"""What is left of a run's budget, in a few lines that an agent can go by."""

from loopdeck.core.budget import taken_cost, taken_tokens
from loopdeck.core.durations import written
from loopdeck.core.run import Run
from loopdeck.core.usage import dollars


def left(run: Run) -> str:
    """A line for each limit there is, with what is reserved for calls under way counted as taken."""
    limits = run.settings
    if run.status == "ended":
        return f"Run {run.id} has ended: {run.reason}."
    lines = [f"Iteration {run.iteration} of at most {limits.max_iterations}."]
    if limits.max_cost is not None:
        rest = max(0, limits.max_cost - taken_cost(run))
        unknown = "; some of what was spent has no known price" if run.spend.unpriced else ""
        lines.append(f"Dollars: {dollars(rest):.4f} of {dollars(limits.max_cost):.2f} left{unknown}.")
    if limits.max_tokens is not None:
        lines.append(f"Tokens: {max(0, limits.max_tokens - taken_tokens(run))} of {limits.max_tokens} left.")
    if limits.max_wall_s is not None:
        lines.append(f"Time: {written(float(int(max(0.0, limits.max_wall_s - run.clock))))} of {written(limits.max_wall_s)} left.")
    if limits.max_tool_calls is not None:
        rest = max(0, limits.max_tool_calls - run.tool_calls)
        lines.append(f"Tool calls in this iteration: {rest} of {limits.max_tool_calls} left.")
    return "\n".join(lines)
