"""The harness around the models of a deck: every prompt, skill, rubric and check, with its version and the loops that use it.

Reads files, for a worker: never on the UI thread. A version is the first 12 hex digits of the SHA-256 of what the component says, as in
the runs' traces; what a loop's newest run was started with is compared with it.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from loopdeck.core.prompt import template_of, version
from loopdeck.core.spec import CheckSpec, LoopSpec, Problem
from loopdeck.deck.decks import Deck
from loopdeck.errors import LoopdeckError
from loopdeck.shipped import prompt_text
from loopdeck.store import specs
from loopdeck.store.deckfiles import LOOP_FILE, LOOPS
from loopdeck.store.texts import read_text

_PROMPT = "PROMPT.md"


class Component(Struct, frozen=True, eq=False):
    """One part of the harness.

    `kind` says what it is (`template`, `loop file`, `prompt`, `system`, `rubric`, `schema`, `skill`, `check`, `script`), `path` is its
    file, relative to the checkout, or the package's. `loops` use it; the newest run of those in `changed` was started with another
    version of it. `trouble` says why it can't be read.
    """

    kind: str
    name: str
    path: str
    version: str
    size: int
    loops: tuple[str, ...]
    changed: tuple[str, ...] = ()
    trouble: str = ""


class LoopHarness(Struct, frozen=True, eq=False):
    """A loop's harness as a whole: its hash as the files are now, and as its newest run was started with; empty if not known."""

    loop: str
    now: str
    run: str = ""
    run_hash: str = ""


class Inventory(Struct, frozen=True, eq=False):
    """All components of a deck, and each loop's harness."""

    components: tuple[Component, ...] = ()
    loops: tuple[LoopHarness, ...] = ()


def inventory(deck: Deck) -> Inventory:
    """The deck's harness as its files are now. A file that can't be read is in it, with its trouble."""
    settings = specs.load_deck(deck.root)
    found: dict[tuple[str, str, str], Component] = {}
    loops = []
    for name in deck.loops():
        reading = specs.load_loop(deck.root, name, deck=settings)
        started = _started(deck, name)
        spec = reading.spec
        problem = next((one for one in reading.problems if not one.warning), None)
        parts = [_loop_file(deck.root, name, spec, started, problem), *(_parts(deck.root, spec, started) if spec else ())]
        for part in parts:
            key = (part.kind, part.name, part.path)
            known = found.get(key)
            found[key] = _joined(known, part) if known else part
        loops.append(_whole(deck.root, name, spec, started))
    order = sorted(found.values(), key=lambda one: (_KINDS.index(one.kind), one.path, one.name))
    return Inventory(tuple(order), tuple(loops))


_KINDS = ("template", "loop file", "prompt", "system", "skill", "rubric", "check", "schema", "script")


def _started(deck: Deck, loop: str) -> specs.Frozen | None:
    """What the loop's newest run was started with; None if it has none that can be read."""
    runs = deck.home.runs_of(loop)
    if not runs:
        return None
    try:
        return specs.thaw(runs[-1].dir)
    except LoopdeckError:
        return None


def _whole(root: Path, name: str, spec: LoopSpec | None, started: specs.Frozen | None) -> LoopHarness:
    try:
        now = specs.harness_of(spec, {**specs.gather(root, spec), **_around(root, spec)}) if spec else ""
    except LoopdeckError:
        now = ""
    return LoopHarness(name, now, started.run if started else "", started.harness if started else "")


def _around(root: Path, spec: LoopSpec) -> dict[str, str]:
    """What the starter freezes beside the files that the loop names."""
    return {"template": prompt_text(template_of(spec)), "state": specs.initial_state(root, spec.name)}


def _joined(known: Component, part: Component) -> Component:
    return structs.replace(known, loops=(*known.loops, *part.loops), changed=(*known.changed, *part.changed))


def _loop_file(root: Path, name: str, spec: LoopSpec | None, started: specs.Frozen | None, problem: Problem | None) -> Component:
    path = f"{LOOPS}/{name}/{LOOP_FILE}"
    text = read_text(root / path, path)
    changed = (name,) if started and spec and specs.hash_of(spec) != started.spec_hash else ()
    part = _component("loop file", name, path, text, name)
    return structs.replace(part, changed=changed, trouble=part.trouble or (problem.what if problem else ""))


def _parts(root: Path, spec: LoopSpec, started: specs.Frozen | None) -> Iterator[Component]:
    before = started.files if started else {}
    template = template_of(spec)
    yield _compared(
        _component("template", template, f"loopdeck/prompts/{template}", prompt_text(template), spec.name), before, "template"
    )
    if any(check.rubric for check in spec.checks):
        yield _component("template", "rubric.md", "loopdeck/prompts/rubric.md", prompt_text("rubric.md"), spec.name)
    if spec.prompt:
        part = _component("prompt", _PROMPT, f"{LOOPS}/{spec.name}/{_PROMPT}", spec.prompt, spec.name)
        yield _compared(part, {"prompt": started.spec.prompt} if started else {}, "prompt")
    for one in specs.used(root, spec):
        kind, _, of = one.key.partition(":")
        yield _compared(_component(kind, of or kind, one.path, one.text, spec.name), before, one.key)
    known = {check.name: _said(check) for check in started.spec.checks} if started else {}
    for check in spec.checks:
        path = f"{LOOPS}/{spec.name}/{LOOP_FILE}"
        yield _compared(_component("check", check.name, path, _said(check), spec.name), known, check.name)


def _shipped(template: str, loop: str) -> Component:
    return _component("template", template, f"loopdeck/prompts/{template}", prompt_text(template), loop)


def _component(kind: str, name: str, path: str, text: str | Problem, loop: str) -> Component:
    if isinstance(text, Problem):
        return Component(kind, name, path or text.file, "", 0, (loop,), trouble=text.what)
    return Component(kind, name, path, version(text), len(text.encode("utf-8", "replace")), (loop,))


def _compared(part: Component, before: dict[str, str], key: str) -> Component:
    """`part`, marked as changed if what its loop's newest run was started with says something else."""
    was = before.get(key)
    return part if was is None or version(was) == part.version else structs.replace(part, changed=part.loops)


def _said(check: CheckSpec) -> str:
    """A check as text: all that makes it what it is."""
    return msgspec.json.encode(check, order="deterministic").decode()
