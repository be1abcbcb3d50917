"""The files a loop stands on beside its loop file: system prompt, scripts, rubrics, schemas, skills.

The core only names them, with the line that does; `store.specs` looks whether they are there, and freezes their texts.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from loopdeck.core.lines import Path
from loopdeck.core.spec import LoopSpec


class Use(Struct, frozen=True):
    """A file that the loop names at `line` of `file`.

    `key` is what it is: `system`, `script`, `skill:<name>`, or of a check `rubric:<check>`, `script:<check>`,
    `schema:<check>`. `path` is relative to the loop's folder, a schema's to the repository root; a skill has none.
    What lies beside a skill's SKILL.md is frozen as `skill:<name>/<path in its folder>`.
    """

    key: str
    path: str
    file: str = ""
    line: int = 0


class Named(NamedTuple):
    """A use, and where in the loop file it is written."""

    key: str
    path: str
    at: Path


def named(spec: LoopSpec) -> Iterator[Named]:
    """All files that `spec` names."""
    if spec.maker.system:
        yield Named("system", spec.maker.system, ("maker", "system"))
    if spec.maker.agent == "scripted" and spec.maker.script:
        yield Named("script", spec.maker.script, ("maker", "script"))
    for index, check in enumerate(spec.checks):
        if check.rubric and check.rubric.file:
            yield Named(f"rubric:{check.name}", check.rubric.file, ("check", index, "rubric"))
        if check.rubric and check.rubric.script:
            yield Named(f"script:{check.name}", check.rubric.script, ("check", index, "script"))
        if check.schema and check.schema.schema:
            yield Named(f"schema:{check.name}", check.schema.schema, ("check", index, "schema"))
    for index, skill in enumerate(spec.skills):
        yield Named(f"skill:{skill}", "", ("skills", index))
