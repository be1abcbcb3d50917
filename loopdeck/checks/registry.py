"""Which check a `[[check]]` table means."""

from loopdeck.checks.command import CommandCheck
from loopdeck.checks.human import HumanCheck
from loopdeck.checks.links import LinksCheck
from loopdeck.checks.port import Check
from loopdeck.checks.rubric import DEFAULT_MAX_OUTPUT, RubricCheck
from loopdeck.checks.schema import SchemaFilesCheck
from loopdeck.checks.scope import ScopeOfChange
from loopdeck.core.spec import CheckSpec
from loopdeck.errors import UsageError


def make_check(spec: CheckSpec, *, rubric_text: str = "", model: str = "", max_output: int = DEFAULT_MAX_OUTPUT) -> Check:
    """The check that `spec` asks for.

    For a rubric, `rubric_text` is its frozen text, `model` the one to be asked if `spec` names none, and `max_output` the most it
    may answer, in tokens. Raises UsageError for a kind that this version doesn't have.
    """
    match spec:
        case CheckSpec(run=command) if command:
            return CommandCheck()
        case CheckSpec(links=globs) if globs:
            return LinksCheck()
        case CheckSpec(schema=schema) if schema is not None:
            return SchemaFilesCheck()
        case CheckSpec(scope=scope) if scope is not None:
            return ScopeOfChange()
        case CheckSpec(rubric=rubric) if rubric is not None:
            return RubricCheck(rubric_text, rubric.model or model, max_output)
        case CheckSpec(human=True):
            return HumanCheck()
        case CheckSpec(metric=metric) if metric is not None:
            raise UsageError(
                f"check {spec.name!r}: metric checks are not available in this version",
                remedy="Grade by a command instead: `run` passes when its exit code is 0.",
            )
    raise UsageError(
        f"check {spec.name!r} says nothing to check", remedy="Give it `run`, `links`, `schema`, `scope`, `rubric` or `human`."
    )
