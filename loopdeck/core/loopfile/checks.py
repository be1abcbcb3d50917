"""What grades the work: `[[check]]`, and that the maker never grades itself."""

from collections.abc import Sequence
from typing import NamedTuple, get_args

from msgspec import structs

from loopdeck.core import shapes
from loopdeck.core.findings import SEVERITIES
from loopdeck.core.harness import MAKER, PROTECT
from loopdeck.core.loopfile.available import refuse
from loopdeck.core.loopfile.remedies import remedies
from loopdeck.core.loopfile.who import agent_of, read_agent
from loopdeck.core.spec import CheckSpec, Maker, MetricCheck, Models, RubricCheck, SchemaCheck, ScopeCheck, When
from loopdeck.core.tables import Table, listed

KINDS = ("run", "links", "schema", "scope", "metric", "rubric", "human")
_WHENS: tuple[When, ...] = get_args(When)
_SELF = ("maker", "self", "same", "shared")
_RESERVED = (MAKER, PROTECT)
_DEFAULT_TIMEOUT_S = 600.0
_MAX_TIMEOUT_S = 7 * 86_400
_MANY = 1_000_000_000


class Grading(NamedTuple):
    """What a check must know of the rest: who makes the work, and whether self-grading is let through as a warning."""

    maker: Maker
    models: Models
    allow_self: bool = False


def read_checks(tables: Sequence[Table], grading: Grading) -> tuple[CheckSpec, ...]:
    """All checks, each with a name of its own."""
    checks = [_check(table, grading) for table in tables]
    taken = {check.name for check in checks if check.name}
    seen: set[str] = set()
    for index, (table, check) in enumerate(zip(tables, checks, strict=True)):
        if not check.name:
            checks[index] = structs.replace(check, name=_unused(_own_name(check), taken))
            taken.add(checks[index].name)
        elif check.name in seen or check.name in _RESERVED:
            used = "is used twice" if check.name in seen else "is one of loopdeck's own"
            table.note("name", f"the check's name {check.name!r} {used}", "Give it another name.")
        seen.add(check.name)
    return tuple(checks)


def _check(table: Table, grading: Grading) -> CheckSpec:
    kinds = [kind for kind in KINDS if kind in table]
    kind = kinds[0] if kinds else ""
    if len(kinds) != 1:
        what = f"a check is one thing, not {listed(kinds)} at once" if kinds else "a check that checks nothing"
        remedy = "Make each a `[[check]]` of its own." if kinds else f"Write one of {listed(KINDS)}."
        table.note(kinds[1] if kinds else "", what, remedy)
    if kind == "metric":
        refuse(table, "metric", "check metric")
    check = CheckSpec(
        name=table.text("name", shape=shapes.label),
        severity=table.choice("severity", SEVERITIES, "major"),
        timeout_s=table.seconds("timeout", _DEFAULT_TIMEOUT_S, 0.1, _MAX_TIMEOUT_S),
        when=table.choice("when", _WHENS, "others_pass" if kind in {"rubric", "human"} else "always"),
        run=table.text("run", shape=shapes.command),
        links=_some(table, "links"),
        schema=_schema(table) if "schema" in table else None,
        scope=_scope(table) if "scope" in table else None,
        metric=_metric(table) if "metric" in table else None,
        rubric=_rubric(table, grading) if "rubric" in table else None,
        human=_human(table),
    )
    # Asked for here, so that a misspelled kind is told the nearest one.
    for name in KINDS:
        table.get(name)
    table.unknown(remedies("check"))
    return check


def _own_name(check: CheckSpec) -> str:
    if check.run or check.metric:
        line = " ".join((check.run or (check.metric.run if check.metric else "")).split())
        line = "".join(character for character in line if character.isprintable())
        return line if len(line) <= 60 else line[:59] + "…"
    held = {"links": check.links, "schema": check.schema, "scope": check.scope, "rubric": check.rubric}
    return next((kind for kind, value in held.items() if value), "human" if check.human else "check")


def _unused(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken or free in _RESERVED:
        number, free = number + 1, f"{name} ({number})"
    return free


def _some(table: Table, key: str) -> tuple[str, ...]:
    if table.get(key) == []:
        table.note(key, f"{table.name(key)} is an empty list", f'Write at least one glob: `{key} = ["docs/**"]`.')
    return table.texts(key, shape=shapes.path)


def _schema(table: Table) -> SchemaCheck:
    inner = table.table("schema")
    schema = SchemaCheck(files=_some(inner, "files"), schema=inner.text("schema", shape=shapes.path))
    if isinstance(table.get("schema"), dict):
        for key, example in (("files", '["data/*.json"]'), ("schema", '"schema.json"')):
            if key not in inner:
                inner.note(key, f"a schema check has no {key}", f"Write `{key} = {example}`.")
    inner.unknown({})
    return schema


def _scope(table: Table) -> ScopeCheck:
    inner = table.table("scope")
    scope = ScopeCheck(
        paths=_some(inner, "paths"),
        max_files=inner.whole("max_files", 0, 1, _MANY),
        max_lines=inner.whole("max_lines", 0, 1, _MANY),
    )
    if table.get("scope") == {}:
        table.note("scope", "a scope check that bounds nothing", "Write one of `paths`, `max_files` and `max_lines`.")
    inner.unknown({})
    return scope


def _metric(table: Table) -> MetricCheck:
    inner = table.table("metric")
    metric = MetricCheck(
        run=inner.text("run", shape=shapes.command),
        pattern=inner.text("pattern", shape=shapes.pattern),
        at_most=inner.number("at_most", None, -1e300, 1e300),
        at_least=inner.number("at_least", None, -1e300, 1e300),
    )
    inner.unknown({})
    return metric


def _human(table: Table) -> bool:
    human = table.flag("human", False)
    if table.get("human") is False:
        table.note("human", "`check.human = false` checks nothing", "Write `human = true`, or take the check out.")
    return human


def _rubric(table: Table, grading: Grading) -> RubricCheck:
    told_self = _says_self(table, grading)
    rubric = RubricCheck(
        file=table.text("rubric", shape=shapes.path),
        agent="" if told_self else read_agent(table, "agent") or "",
        model="" if told_self == "model" else table.text("model", shape=shapes.label),
        base_url=table.text("base_url", shape=shapes.url),
        script=table.text("script", shape=shapes.path),
    )
    table.get("session")
    if "session" in table and told_self != "session":
        what = "a rubric can't choose its session: it always has one of its own"
        table.note("session", what, "Take `session` out.")
    if not told_self:
        _plays_the_maker(table, rubric, grading)
    return rubric


def _says_self(table: Table, grading: Grading) -> str:
    """The key in which the check says that the maker shall judge; empty if none does."""
    for key in ("session", "agent", "model"):
        value = table.get(key)
        if isinstance(value, str) and value.lower() in _SELF:
            self_grading(table, key, f"{table.name(key)} = {value!r} lets the maker grade its own work", grading)
            return key
    named = "agent" in table or "model" in table
    if not named and grading.models.check.lower() in _SELF:
        what = f"`models.check` = {grading.models.check!r} lets the maker grade its own work"
        self_grading(table, "rubric", what, grading)
        return "models.check"
    return ""


def _plays_the_maker(table: Table, rubric: RubricCheck, grading: Grading) -> None:
    """Two scripted agents are one and the same model if they play the same script."""
    agent = rubric.agent or agent_of(grading.models.check) or grading.maker.agent
    if agent != "scripted" or table.get("agent") not in (None, "scripted"):
        return
    if "script" not in table:
        if grading.maker.agent == "scripted":
            self_grading(table, "rubric", "without a script of its own the rubric would play the maker's", grading)
        else:
            table.note("rubric", "a scripted rubric has no script", 'Write `script = "judge.toml"`.')
    elif grading.maker.agent == "scripted" and _plain(rubric.script) == _plain(grading.maker.script):
        self_grading(table, "script", f"the rubric plays the maker's own script {rubric.script!r}", grading)


def self_grading(table: Table, key: str, what: str, grading: Grading) -> None:
    """Note the named error `self-grading`; a warning where the operator has let it through."""
    remedy = "Leave `session` and `agent` out, or name another model: a rubric has a session of its own."
    if "script" in what:
        remedy = 'Give the rubric a script of its own: `script = "judge.toml"`.'
    table.note(key, f"self-grading: {what}", remedy, warning=grading.allow_self)


def _plain(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in {"", "."})
