"""`spec.toml`: the loop as it was when its run started, with every text it stands on.

A run reads nothing else of the operator's, so an edit of the loop counts from the next run. The file is written once and for
all; its second line is the digest of all that follows, and one that doesn't fit is never run.
"""

import hashlib
import os
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from loopdeck.core.findings import Finding
from loopdeck.core.spec import Deck, LoopSpec
from loopdeck.errors import StoreError, UsageError

NAME = "spec.toml"
_HEAD = "# The loop as it was frozen when this run started. Edit the loop file instead: that counts from the next run.\n"
_LITERAL = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]*")
_BEGINNING = re.compile(rb'((?:#[^\n]*\n)?digest = "([0-9a-f]{64})"\n)')
_FORMAT = 1


class Origin(Struct, frozen=True):
    """What a retry goes on from: the run and its iteration, that iteration's `commit`, the run's `base`, and what was open then."""

    run: str
    iteration: int
    base: str
    commit: str
    findings: tuple[Finding, ...] = ()


class Frozen(Struct, frozen=True):
    """All that a run was started with.

    `root` is the operator's checkout, `common_dir` the git directory that all its worktrees share. `created` is UTC,
    RFC 3339; `by` who started it and `input` what they said. `files` are texts by `Use.key`, and whatever else the
    starter froze (prompt templates). `origin` is set for a retry; `lineage` are the loops of the runs above it, if a
    run started it. The three hashes are SHA-256 in hex, filled in by `sealed`.
    """

    loop: str
    run: str
    root: str
    common_dir: str
    created: str
    spec: LoopSpec
    deck: Deck = Deck()
    files: dict[str, str] = {}
    by: str = ""
    input: str = ""
    origin: Origin | None = None
    lineage: tuple[str, ...] = ()
    spec_hash: str = ""
    exit_hash: str = ""
    harness: str = ""


def hash_of(spec: LoopSpec) -> str:
    """The hash of the whole loop."""
    return _hash(_plain(spec))


def exit_hash_of(spec: LoopSpec) -> str:
    """The hash of what was agreed before the start: the exit and the checks, and nothing else."""
    return _hash({"exit": _plain(spec.exit), "checks": _plain(spec.checks)})


def harness_of(spec: LoopSpec, files: dict[str, str]) -> str:
    """The hash of what is around the model: prompts, skills, rubrics, tools, checks. Scripts stand for the model itself."""
    texts = {key: text for key, text in files.items() if key.partition(":")[0] != "script"}
    around = {"goal": spec.goal, "prompt": spec.prompt, "context": spec.context, "tools": _plain(spec.maker.tools)}
    if spec.maker.connectors:
        around["connectors"] = _plain(spec.maker.connectors)
    return _hash({**around, "checks": _plain(spec.checks), "files": texts})


def sealed(frozen: Frozen) -> Frozen:
    """`frozen` with its hashes."""
    spec = frozen.spec
    harness = harness_of(spec, frozen.files)
    return structs.replace(frozen, spec_hash=hash_of(spec), exit_hash=exit_hash_of(spec), harness=harness)


def freeze(run_dir: Path, frozen: Frozen) -> Frozen:
    """Write `spec.toml` into `run_dir`, whole or not at all, and give back what was written, with its hashes.

    Raises StoreError if it can't be written or is there already, UsageError if a text in it is not valid Unicode.
    """
    frozen = sealed(frozen)
    try:
        body = _body(frozen).encode()
    except UnicodeEncodeError as error:
        what = "a text of the run is not valid Unicode"
        raise UsageError(what, where=frozen.loop, remedy="Give the input as UTF-8.") from error
    head = f'{_HEAD}digest = "{hashlib.sha256(body).hexdigest()}"\n'.encode()
    aside = run_dir / f".{NAME}.{os.urandom(4).hex()}"
    try:
        try:
            _write(aside, head + body)
            # A link never replaces what is there: a run is frozen once.
            os.link(aside, run_dir / NAME)
        finally:
            aside.unlink(missing_ok=True)
        _sync(run_dir)
    except FileExistsError as error:
        where = str(run_dir / NAME)
        raise StoreError("the run is frozen already", where=where, remedy="Start a new run.") from error
    except OSError as error:
        remedy = "See whether the folder is there and the disk has room."
        raise StoreError(f"{NAME} can't be written: {error.strerror}", where=str(run_dir), remedy=remedy) from error
    return frozen


def thaw(run_dir: Path) -> Frozen:
    """The run's `spec.toml`. Raises StoreError if it is gone, damaged or edited."""
    path = run_dir / NAME
    try:
        data = path.read_bytes()
    except OSError as error:
        remedy = "The run can't go on without it; start a new one."
        raise StoreError(f"{NAME} can't be read: {error.strerror}", where=str(path), remedy=remedy) from error
    head, digest, body = _split(data)
    if not head or hashlib.sha256(body).hexdigest() != digest:
        remedy = "It was edited or damaged after the start: put it back, or start a new run."
        raise StoreError(f"{NAME} does not fit its digest", where=str(path), remedy=remedy)
    try:
        return _frozen(tomllib.loads(body.decode()))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        remedy = "Use the version of loopdeck that started the run, or start a new run."
        raise StoreError(f"{NAME} is not one of this version", where=str(path), remedy=remedy) from error


def _split(data: bytes) -> tuple[bytes, str, bytes]:
    """Head, digest and body; empty if the digest isn't where it belongs."""
    found = _BEGINNING.match(data)
    return (found[1], found[2].decode(), data[found.end() :]) if found else (b"", "", b"")


def _body(frozen: Frozen) -> str:
    import tomli_w

    values = _plain(frozen)
    texts = {f"file:{key}": text for key, text in values.pop("files", {}).items()}
    texts = {"prompt": values["spec"].pop("prompt", "")} | texts
    # Texts come last, each as it is: a person can read them, and so can the parser, ten times faster than escaped ones.
    written = (f"{_escaped(key)} = {_literal(text)}\n" for key, text in texts.items())
    return tomli_w.dumps({"format": _FORMAT, **values}) + "\n[texts]\n" + "".join(written)


def _frozen(values: dict[str, Any]) -> Frozen:
    if values.pop("format") != _FORMAT:
        raise ValueError("format")
    texts: dict[str, str] = values.pop("texts")
    values["spec"]["prompt"] = texts.pop("prompt")
    values["files"] = {key.removeprefix("file:"): text for key, text in texts.items()}
    return msgspec.convert(values, Frozen)


def _literal(text: str) -> str:
    """`text` as TOML: a literal block if it may be one, else an escaped string."""
    if "'''" in text or text.endswith("'") or not _LITERAL.fullmatch(text):
        return _escaped(text)
    return f"'''\n{text}'''"


def _escaped(text: str) -> str:
    # JSON's escapes are TOML's, but that TOML wants DEL escaped too.
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


def _plain(value: Any) -> Any:  # noqa: ANN401  # any of our values comes in, plain ones go out
    """`value` in lists, tables and scalars, with its defaults spelled out, so that a later version's can't change it.

    Only what is empty by default and empty is left out.
    """
    match value:
        case Struct():
            plain = {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
            kept = _kept(type(value))
            return {name: one for name, one in plain.items() if one is not None and (one or name in kept)}
        case tuple() | list():
            return [_plain(one) for one in value]
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case _:
            return value


@lru_cache(maxsize=64)
def _kept(kind: type[Struct]) -> frozenset[str]:
    """The fields that say something even when they are empty: those without a default, or with another one."""
    empty = (field.name for field in structs.fields(kind) if field.default_factory is dict or not field.default)
    nested = (field.name for field in structs.fields(kind) if isinstance(field.default, Struct))
    return frozenset(kind.__struct_fields__) - {*empty, *nested}


def _hash(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
