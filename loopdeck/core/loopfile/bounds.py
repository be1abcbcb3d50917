"""When a run starts, what it may do and where it ends: `[trigger]`, `[exit]`, `[workspace]`, `[sandbox]`."""

from datetime import date
from typing import get_args

from loopdeck.core import limits, shapes
from loopdeck.core.findings import SEVERITIES
from loopdeck.core.loopfile.remedies import remedies
from loopdeck.core.spec import Exit, Missed, Overlap, Sandbox, Trigger, Workspace
from loopdeck.core.tables import Table, kind_of
from loopdeck.core.usage import picodollars

_OVERLAPS: tuple[Overlap, ...] = get_args(Overlap)
_MISSED: tuple[Missed, ...] = get_args(Missed)
_SOURCES = ("cron", "every", "watch", "webhook", "message", "after", "git")


def read_trigger(table: Table) -> Trigger:
    """`[trigger]`."""
    trigger = Trigger(
        cron=table.text("cron", shape=shapes.cron),
        timezone=table.text("timezone", shape=shapes.timezone),
        every_s=table.seconds("every", 0.0, 1, limits.YEAR_S),
        watch=table.texts("watch", shape=shapes.path),
        webhook=table.text("webhook", shape=shapes.word),
        on=table.texts("on", shape=shapes.word),
        message=table.text("message", shape=shapes.label),
        after=table.text("after", shape=shapes.loop_name),
        git=table.text("git", shape=shapes.ref),
        overlap=table.choice("overlap", _OVERLAPS, "skip"),
        missed=table.choice("missed", _MISSED, "once"),
        until=_moment(table, "until"),
        jitter_s=table.seconds("jitter", 0.0, 0, 86_400),
        enabled=table.flag("enabled", True),
    )
    table.unknown(remedies("trigger"))
    if not any(source in table for source in _SOURCES):
        table.note("", "`[trigger]` names nothing that starts the loop", 'Write one, such as `every = "30m"`, or drop it.')
    if "on" in table and "webhook" not in table:
        table.note("on", "`trigger.on` needs a webhook whose events it names", 'Write `webhook = "github"`.')
    return trigger


def read_exit(table: Table, *, whole: bool) -> Exit:
    """`[exit]`. Only a `whole` one must have its caps; a deck's defaults need not."""
    dollars = table.number("max_cost_usd", None, limits.LEAST_DOLLARS, limits.MAX_DOLLARS)
    ends = Exit(
        max_iterations=table.whole("max_iterations", 1, 1, limits.MAX_ITERATIONS),
        max_cost=None if dollars is None else picodollars(dollars),
        max_tokens=table.whole("max_tokens", None, 1, limits.MAX_TOKENS),
        max_wall_s=table.seconds("max_wall", None, limits.LEAST_WALL_S, limits.YEAR_S),
        max_tool_calls=table.whole("max_tool_calls", None, 1, limits.MAX_TOOL_CALLS),
        no_progress=_no_progress(table),
        severity_floor=table.choice("severity_floor", SEVERITIES, "major"),
        final_pass=table.flag("final_pass", False),
    )
    table.unknown(remedies("exit"))
    if whole and "max_iterations" not in table:
        table.note("max_iterations", "`[exit]` has no max_iterations", "Write for example `max_iterations = 4`.")
    if whole and "max_cost_usd" not in table and "max_tokens" not in table:
        remedy = "Write `max_cost_usd = 2.00` or `max_tokens = 500_000`."
        table.note("", "`[exit]` has neither max_cost_usd nor max_tokens", remedy)
    return ends


def read_workspace(table: Table) -> Workspace:
    """`[workspace]`."""
    workspace = Workspace(
        base=table.text("base", "HEAD", shapes.ref),
        setup=table.text("setup", shape=shapes.command),
        copy=table.texts("copy", shape=shapes.path),
        link=table.texts("link", shape=shapes.path),
        sparse=table.texts("sparse", shape=shapes.path),
        protect=table.texts("protect", shape=shapes.path),
    )
    table.unknown(remedies("workspace"))
    return workspace


def read_sandbox(table: Table) -> Sandbox:
    """`[sandbox]`."""
    sandbox = Sandbox(
        read=table.texts("read", shape=shapes.outer_path),
        write=table.texts("write", shape=shapes.outer_path),
        network=_network(table, "network"),
        setup_network=_network(table, "setup_network"),
        env=table.texts("env", shape=shapes.variable),
    )
    table.unknown(remedies("sandbox"))
    return sandbox


def _network(table: Table, key: str) -> bool | tuple[str, ...]:
    value = table.get(key)
    if isinstance(value, list):
        return table.texts(key, shape=shapes.host)
    if value is None or isinstance(value, bool):
        return bool(value)
    what = f"{table.name(key)} must be false, true or a list of hosts, not {kind_of(value)}"
    table.note(key, what, f'Write `{key} = false`, or `{key} = ["pypi.org"]`.')
    return False


def _no_progress(table: Table) -> int:
    value = table.get("no_progress")
    if value is False:
        return 0
    if value is True or value == 0:
        what = "`exit.no_progress` must be a number of iterations, or false"
        table.note("no_progress", what, "Write `no_progress = 3`, or `no_progress = false` to switch it off.")
        return 3
    return table.whole("no_progress", 3, 1, limits.MAX_NO_PROGRESS)


def _moment(table: Table, key: str) -> str:
    value = table.get(key)
    if isinstance(value, date):
        return value.isoformat()
    return table.text(key, shape=shapes.moment)
