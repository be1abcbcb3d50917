"""The schema check: data files hold to a JSON Schema.

JSON, TOML, flat YAML, and the front matter of Markdown are read. The schema is policy: it is taken from the operator's own repository
root (`context.root`), never from the clean checkout, so that a maker who loosens it in its worktree has gained nothing; the
evidence names its hash. The invariants: nothing is fetched from a network; a file that can't be read is a finding; a schema
that can't be used is `error`; a glob that matches nothing is a finding.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from loopdeck.checks.clock import Deadline, OutOfTime, in_thread
from loopdeck.checks.datafiles import READABLE, Data, Path, load, load_json
from loopdeck.checks.frontmatter import Unreadable
from loopdeck.checks.grading import Stopwatch, broken, capped, found, graded, sha256, share, timed, with_snippet
from loopdeck.checks.port import CheckContext
from loopdeck.checks.reading import Checkout
from loopdeck.core.findings import Evidence, Finding, Verdict
from loopdeck.core.globs import matches
from loopdeck.core.plural import some
from loopdeck.core.spec import CheckSpec, SchemaCheck

MOST_BYTES = 2_000_000
_MOST_OF_A_FILE = 50


class SchemaUnusable(Exception):
    """The schema itself is at fault."""


class SchemaFilesCheck:
    """Validates the files of the globs in the clean checkout."""

    async def run(self, spec: CheckSpec, context: CheckContext) -> tuple[Verdict, bytes]:
        """As `Check.run`; `timeout` is held between files and errors."""
        watch = Stopwatch()
        assert spec.schema is not None
        audit = _Audit(spec, spec.schema, Checkout(context.root), Checkout(context.checkout))
        try:
            await in_thread(audit.go, spec.timeout_s)
        except OutOfTime:
            audit.findings.insert(0, found(spec, f"timed out after {spec.timeout_s:g} s", criterion="time"))
        except SchemaUnusable as error:
            return broken(spec, "schema", f"{spec.schema.schema}: {error}", context.now)
        summary = audit.summary()
        output = "\n".join([*audit.report, summary, ""]).encode("utf-8", "replace")
        evidence = Evidence(command=f"schema {spec.schema.schema}", output_hash=sha256(output), tail=summary, at=context.now)
        score = share(audit.good, audit.total) if audit.findings else 1.0
        return timed(graded(spec, "schema", capped(spec, audit.findings), evidence, score=score), watch.seconds), output


class _Wrong(NamedTuple):
    path: Path
    message: str


class _Audit:
    """One walk over all files, with what it has found so far."""

    def __init__(self, spec: CheckSpec, schema: SchemaCheck, policy: Checkout, checkout: Checkout) -> None:
        self._spec = spec
        self._schema = schema
        self._policy = policy
        self._checkout = checkout
        self._digest = ""
        self.findings: list[Finding] = []
        self.report: list[str] = []
        self.total = self.good = 0

    def go(self, deadline: Deadline) -> None:
        validator = self._validator()
        paths = self._checkout.matching(self._schema.files)
        for pattern in self._schema.files:
            if not any(matches(path, pattern) for path in paths):
                self.findings.append(found(self._spec, f"no file matches {pattern}, so nothing was checked", criterion=pattern))
        for path in paths:
            deadline.step()
            before = len(self.findings)
            self.findings.extend(self._file(path, validator, deadline))
            self.total += 1
            self.good += len(self.findings) == before
            self.report.extend(f"{one.location} {one.message}" for one in self.findings[before:])
            self.report.extend([f"{path} ok"] if len(self.findings) == before else [])

    def summary(self) -> str:
        return f"{self.good} of {some(self.total, 'file')} hold to {self._schema.schema} (SHA-256 {self._digest[:12]})"

    def _validator(self) -> Any:  # noqa: ANN401 -- jsonschema builds its validator classes at run time and gives them no common type
        name = self._policy.relative(self._schema.schema)
        text = self._policy.text(name, MOST_BYTES) if name is not None else None
        if name is None or text is None:
            raise SchemaUnusable("there is no such schema in the repository")
        self._digest = sha256(text.encode("utf-8", "replace"))
        try:
            return make_validator(load_json(text).value, name, self._policy)
        except Unreadable as error:
            raise SchemaUnusable(f"line {error.line}: {error.why}" if error.line else error.why) from error

    def _file(self, path: str, validator: Any, deadline: Deadline) -> list[Finding]:  # noqa: ANN401 -- as above
        try:
            data = self._load(path)
        except Unreadable as error:
            one = found(self._spec, error.why, criterion="readable", path=path, line=error.line)
            return [with_snippet(one, self._checkout.snippet(path, error.line))]
        wrongs = list(_wrongs(validator, data.value, deadline))
        lines = data.lines_of({wrong.path for wrong in wrongs})
        return [self._finding(path, wrong, lines.get(wrong.path, 0)) for wrong in wrongs]

    def _finding(self, path: str, wrong: _Wrong, line: int) -> Finding:
        where = json_path(wrong.path)
        one = found(self._spec, f"{where}: {wrong.message}", criterion=where, path=path, line=line)
        return with_snippet(one, self._checkout.snippet(path, line))

    def _load(self, path: str) -> Data:
        if PurePosixPath(path).suffix.lower() not in READABLE:
            raise Unreadable(f"files of this kind can't be checked, only {', '.join(sorted(READABLE))}")
        if (size := self._checkout.size(path)) > MOST_BYTES:
            raise Unreadable(f"it is too large to be checked ({size} bytes)")
        data = self._checkout.read(path, MOST_BYTES)
        if data is None:
            raise Unreadable("it can't be read inside the repository")
        try:
            return load(path, data.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise Unreadable("it is not UTF-8", 1 + data.count(b"\n", 0, error.start)) from error


def make_validator(schema: object, name: str, policy: Checkout) -> Any:  # noqa: ANN401 -- as above
    """A validator for `schema`, the file `name` of `policy`; `$ref` reaches only files there. Raises SchemaUnusable."""
    import jsonschema
    import referencing
    import referencing.jsonschema

    if not isinstance(schema, dict | bool):
        raise SchemaUnusable("a JSON Schema is an object, true or false")
    try:
        kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        kind.check_schema(schema)  # type: ignore[arg-type]  # its stub forgets that true and false are schemas
        resource = referencing.Resource.from_contents(schema, default_specification=referencing.jsonschema.DRAFT202012)
    except jsonschema.SchemaError as error:
        raise SchemaUnusable(
            f"it is not a valid JSON Schema: {json_path(tuple(error.absolute_path))}: {_short(error.message)}"
        ) from error
    except (referencing.exceptions.CannotDetermineSpecification, RecursionError) as error:
        raise SchemaUnusable(f"it is not a JSON Schema that can be used: {_short(str(error))}") from error
    base = resource.id()
    if isinstance(schema, dict) and base is None:
        schema = {"id" if "draft-04" in str(schema.get("$schema")) else "$id": f"file:///{name}", **schema}
    fetch = _Neighbours(policy, base or "file:///", str(PurePosixPath(name).parent) if base else "")
    registry: referencing.Registry[Any] = referencing.Registry(retrieve=fetch)  # type: ignore[call-arg]  # attrs hides the name
    return kind(schema, registry=registry, format_checker=kind.FORMAT_CHECKER)


class _Neighbours:
    """Schemas that a schema refers to, out of the same repository; nothing is ever fetched."""

    def __init__(self, policy: Checkout, base: str, folder: str) -> None:
        self._policy = policy
        self._prefix = base.rsplit("/", 1)[0] + "/"
        self._folder = folder

    def __call__(self, uri: str) -> Any:  # noqa: ANN401 -- the registry's resources are typed by what they hold
        import referencing
        import referencing.jsonschema

        inside = uri.startswith(self._prefix)
        name = self._policy.relative(f"{self._folder}/{uri[len(self._prefix) :]}".lstrip("/")) if inside else None
        text = self._policy.text(name, MOST_BYTES) if name else None
        try:
            contents = load_json(text).value if text is not None else None
        except Unreadable:
            contents = None
        if contents is None:
            raise referencing.exceptions.NoSuchResource(ref=uri)  # type: ignore[call-arg]  # attrs makes it
        return referencing.Resource.from_contents(contents, default_specification=referencing.jsonschema.DRAFT202012)


def _wrongs(validator: Any, value: object, deadline: Deadline) -> Iterator[_Wrong]:  # noqa: ANN401 -- as above
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        for error in islice(validator.iter_errors(value), _MOST_OF_A_FILE):
            deadline.step()
            leaf = best_match(iter([error])) or error
            yield _Wrong(tuple(leaf.absolute_path), _short(leaf.message))
    except RecursionError:
        yield _Wrong((), "it is nested too deep to be checked")
    except ArithmeticError as error:
        yield _Wrong((), f"it holds a number that can't be checked: {error}")
    except Unresolvable as error:
        raise SchemaUnusable(f"$ref to {error.ref!r} leads to no schema in the repository") from error
    except re.error as error:
        raise SchemaUnusable(f"a pattern in it is no regular expression: {error}") from error


def json_path(path: Sequence[str | int]) -> str:
    """A path as JSONPath says it: `$.users[3].name`."""
    said = ["$"]
    for part in islice(path, 40):
        if isinstance(part, int):
            said.append(f"[{part}]")
        else:
            said.append(f".{part}" if re.fullmatch(r"\w{1,60}", part) else f"[{part[:60]!r}]")
    return "".join(said)


def _short(message: str) -> str:
    """What is wrong stands at the end, behind the whole of the value that is."""
    return message if len(message) <= 300 else f"{message[:140]} … {message[-140:]}"
