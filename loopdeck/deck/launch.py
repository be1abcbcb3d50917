"""Starting runs: the loop frozen into a run directory, and a runner started on it in a session of its own."""

from collections.abc import Callable
from datetime import UTC, datetime
from shutil import rmtree

from loopdeck.core.prompt import template_of
from loopdeck.core.spec import LoopSpec, Problem
from loopdeck.deck.decks import Deck
from loopdeck.errors import LoopdeckError, UsageError
from loopdeck.git.base import resolve_base
from loopdeck.git.status import is_ignored
from loopdeck.shipped import prompt_text
from loopdeck.store import specs
from loopdeck.store.frozen import Frozen, freeze
from loopdeck.store.layout import RunPaths, claim_run
from loopdeck.supervisor.spawn import Started
from loopdeck.supervisor.start import start as start_runner


class Refused(UsageError):
    """Loop files with problems; nothing was started, nothing written."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(one) for one in problems))
        self.problems = problems


def readied(deck: Deck, loops: list[str]) -> list[LoopSpec]:
    """The specs of `loops`, all of them without a problem. Raises UsageError, before anything is written; Refused for their files."""
    _keep_out(deck)
    settings = specs.load_deck(deck.root)
    problems: list[Problem] = []
    ready: list[LoopSpec] = []
    for name in loops:
        reading = specs.load_loop(deck.root, name, deck=settings)
        # Nobody is there to read a warning of an unattended loop, also one of its skills.
        alone = reading.spec is not None and reading.spec.level == "unattended"
        problems += [one for one in reading.problems if alone or not one.warning]
        if reading.spec is not None:
            ready.append(reading.spec)
            resolve_base(deck.repo, reading.spec.workspace.base)
    if problems or len(ready) != len(loops):
        raise Refused(problems)
    return ready


def _keep_out(deck: Deck) -> None:
    """Refuse a home inside the operator's checkout that git would show there: runs must not be seen in its status."""
    home, root = deck.home.path, deck.root
    if home.is_relative_to(root) and not is_ignored(deck.repo, home):
        what = "the deck's home is inside the checkout, where its files would show up as your changes"
        remedy = f"Set LOOPDECK_HOME elsewhere, or ignore it: echo '/{home.relative_to(root).parts[0]}/' >> .git/info/exclude"
        raise UsageError(what, where=str(home), remedy=remedy)


def start(deck: Deck, spec: LoopSpec, by: str, given: str = "") -> RunPaths:
    """Freeze `spec` into a new run and start its runner; returns at once."""
    now = datetime.now(UTC)
    paths = claim_run(deck.home, spec.name, now)
    template = prompt_text(template_of(spec))
    files = {**specs.gather(deck.root, spec), "template": template, "state": specs.initial_state(deck.root, spec.name)}
    settings = specs.load_deck(deck.root).deck
    frozen = Frozen(spec.name, paths.run, str(deck.root), str(deck.repo.common_dir), stamped(now), spec, settings, files, by, given)
    begin(paths, frozen)
    return paths


def stamped(now: datetime) -> str:
    """`now`, which is UTC, as RFC 3339."""
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def begin(paths: RunPaths, frozen: Frozen, first: Callable[[], object] = lambda: None) -> None:
    """Freeze a run whose folder is there, do what is to be done `first`, and start its runner; if one fails, the folder goes again."""
    try:
        freeze(paths.dir, frozen)
        first()
    except LoopdeckError:
        # Nobody will ever run it: left there, it would wait for a place, and then be lost.
        rmtree(paths.dir, ignore_errors=True)
        raise
    launch(paths)


def launch(paths: RunPaths) -> Started:
    """Start a runner on the run, detached: it outlives this process and its terminal. Raises StoreError."""
    return start_runner(paths)
