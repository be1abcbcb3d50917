"""`loopdeck init` and `loopdeck new`: a deck, and a loop made from a template.

Invariant: nothing that is there is ever written to.
"""

import argparse
import tomllib
from collections.abc import Mapping
from pathlib import Path

from loopdeck import shipped
from loopdeck.cli import here, out
from loopdeck.cli.lint import entry
from loopdeck.core.shapes import loop_name
from loopdeck.core.spec import CheckSpec, LoopSpec
from loopdeck.core.usage import dollars
from loopdeck.deck.decks import Deck
from loopdeck.errors import UsageError, WorkspaceError
from loopdeck.store import specs
from loopdeck.store.deckfiles import DECK, FOLDER, LOOPS, loop_dir

_LOOP = "loop.toml"


def run(options: argparse.Namespace) -> int:
    """`init` or `new`."""
    deck = here.deck()
    return _new(deck, options) if options.verb == "new" else _init(deck, options)


def _init(deck: Deck, options: argparse.Namespace) -> int:
    files = _write(deck.root, {DECK: shipped.deck_template()}, skip=True)
    if options.json:
        out.document({"deck": str(deck.root), "home": str(deck.home.path), "files": files})
        return 0
    out.say(f"made {files[0]}" if files else f"{DECK} is there already; nothing was changed")
    if not deck.loops():
        out.say(f"\nNext: `loopdeck new NAME --template T`, T one of {', '.join(shipped.templates())}.")
        out.say("`loopdeck doctor` says what this machine offers, `loopdeck demo` shows loops at work.")
    else:
        out.say(f"\nLoops here: {', '.join(deck.loops())}. `loopdeck check` lints them, `loopdeck start NAME --wait` starts one.")
    return 0


def _new(deck: Deck, options: argparse.Namespace) -> int:
    name: str = options.name
    if complaint := loop_name(name):
        raise UsageError(complaint[0], remedy=complaint[1])
    folder = loop_dir(deck.root, name)
    shown = f"{LOOPS}/{name}"
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"there is a loop '{name}' already", where=shown, remedy="Take another name, or edit what is there.")
    made = {f"{shown}/{file}": text for file, text in shipped.template(options.template, {"loop": name}).items()}
    files = _write(deck.root, made | _skills(deck.root, made[f"{shown}/{_LOOP}"]))
    reading = specs.load_loop(deck.root, name)
    grave = any(not one.warning for one in reading.problems)
    if options.json:
        out.document({"loop": name, "template": options.template, "files": files, "problems": [entry(one) for one in reading.problems]})
        return 2 if grave else 0
    for file in files:
        out.say(f"made {file}")
    for problem in reading.problems:
        out.say(str(problem))
    if reading.spec is not None:
        _say_steps(reading.spec, shown, made[f"{shown}/{_LOOP}"])
    return 2 if grave else 0


def _skills(root: Path, text: str) -> dict[str, str]:
    """The shipped skills that the loop file `text` names and the repository lacks."""
    lacking = set(tomllib.loads(text).get("skills", ())) - set(specs.find_skills(root).found)
    return {f"{FOLDER}/skills/{name}/{file}": text for name in sorted(lacking) for file, text in shipped.skill(name).items()}


def _say_steps(spec: LoopSpec, shown: str, text: str) -> None:
    """The five decisions that a loop is made of, as they are now and where to change them."""
    budget = f"${dollars(spec.exit.max_cost):.2f}" if spec.exit.max_cost is not None else f"{spec.exit.max_tokens} tokens"
    checks = "; ".join(f"{one.name} ({_grades(one)})" for one in spec.checks)
    steps = (
        ("task", spec.goal, "goal"),
        ("check", checks, "[[check]]"),
        ("stop", f"done when every check of severity {spec.exit.severity_floor} or above passes, or after "
         f"{spec.exit.max_iterations} iterations", "max_iterations"),
        ("budget", budget, "max_cost_usd"),
        ("schedule", "none: it starts when you say so", ""),
    )  # fmt: skip
    out.say(f"\nFive things to decide, all in {shown}/{_LOOP}:")
    for number, (step, now, key) in enumerate(steps, 1):
        line = _line_of(text, key)
        out.say(f"  {number}. {step:<9}{now}" + (f"  (line {line})" if line else ""))
    out.say(f"\nThen `loopdeck check {spec.name}`, and `loopdeck start {spec.name} --wait`.")


def _grades(check: CheckSpec) -> str:
    if check.run:
        return check.run
    kinds = {"links": check.links, "schema": check.schema, "scope": check.scope, "rubric": check.rubric, "human": check.human}
    return next((kind for kind, given in kinds.items() if given), "metric")


def _line_of(text: str, key: str) -> int:
    return next((number for number, line in enumerate(text.splitlines(), 1) if key and line.startswith(key)), 0)


def _write(root: Path, files: Mapping[str, str], *, skip: bool = False) -> list[str]:
    """Make `files` (path below `root` → text), and name those made. One that is there is an error, or with `skip` left alone."""
    made: list[str] = []
    for name, text in files.items():
        target = root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError as error:
            if skip and target.is_file():
                continue
            raise UsageError("something is there already", where=str(error.filename or target), remedy="Move it away first.") from error
        except OSError as error:
            raise WorkspaceError(f"can't be made: {error.strerror}", where=str(target)) from error
        made.append(name)
    return made
