"""Keep-or-discard loops: `[experiment]`. Read in full, though this version doesn't run them yet."""

from typing import Literal

from loopdeck.core import shapes
from loopdeck.core.loopfile.remedies import remedies
from loopdeck.core.spec import Experiment, MetricSource
from loopdeck.core.tables import Table

_DIRECTIONS: tuple[Literal["min", "max"], ...] = ("min", "max")
_DAY_S = 86_400


def read_experiment(table: Table) -> Experiment:
    """`[experiment]`."""
    experiment = Experiment(
        run=table.text("run", shape=shapes.command),
        metric=_metric(table),
        editable=table.texts("editable", shape=shapes.path),
        frozen=table.texts("frozen", shape=shapes.path),
        direction=table.choice("direction", _DIRECTIONS, "min"),
        min_delta=table.number("min_delta", 0.0, 0, 1e300),
        repeats=table.whole("repeats", 1, 1, 1000),
        time_box_s=table.seconds("time_box", 0.0, 1, 7 * _DAY_S),
        kill_after_s=table.seconds("kill_after", 0.0, 1, 7 * _DAY_S),
    )
    for key, example in (("run", '"python train.py"'), ("metric", '{pattern = "val: ([0-9.]+)"}')):
        if key not in table:
            table.note(key, f"`[experiment]` has no {key}", f"Write `{key} = {example}`.")
    table.unknown(remedies("experiment"))
    return experiment


def _metric(table: Table) -> MetricSource:
    inner = table.table("metric")
    source = MetricSource(inner.text("pattern", shape=shapes.pattern), inner.text("json", shape=shapes.label))
    if isinstance(table.get("metric"), dict) and ("pattern" in inner) == ("json" in inner):
        remedy = 'Write `{pattern = "val: ([0-9.]+)"}` or `{json = "val.loss"}`.'
        table.note("metric", "an experiment's metric is one of pattern and json", remedy)
    inner.unknown({})
    return source
