"""The demo itself: copy, commit, start everything, answer approvals by the announced rule, wait for the ends."""

import shutil
import stat
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import tomli_w
from msgspec import Struct

from loopdeck import shipped, unpriced
from loopdeck.cli import here
from loopdeck.core.commands import Decide, Hold
from loopdeck.core.gate import Policy, judge
from loopdeck.core.happening import Reason
from loopdeck.deck.decks import Deck
from loopdeck.deck.launch import readied, start
from loopdeck.deck.reading import Watch, over
from loopdeck.deck.view import RunView
from loopdeck.errors import UsageError, WorkspaceError
from loopdeck.git.fresh import commit_all_of, is_clean
from loopdeck.store.layout import RunPaths

PROJECT = "workshop"
PACE_S = 8.0
"""How much longer a turn takes in the room: the longest loop then takes about two minutes."""
PATIENCE_S = 300.0
"""How long the demo waits for its loops; on two cores they take a few seconds."""
_BY = "the demo's rule"

Tell = Callable[[str], None]


class Announced(Struct, frozen=True):
    """A loop, the reason it will end for, and what that shows."""

    name: str
    reason: Reason
    says: str


class Demo(Struct, frozen=True):
    """A copied project with its deck. `base` is what LOOPDECK_HOME must be to see it; `approve` are the rules for approvals."""

    deck: Deck
    base: Path
    announced: tuple[Announced, ...]
    approve: tuple[str, ...]


class Played(Struct, frozen=True):
    """How it went: each loop's run at its end, the calls approved, whether the checkout was left alone, how long it took (seconds)."""

    demo: Demo
    views: dict[str, RunView]
    approved: list[str]
    clean: bool
    seconds: float

    def fits(self, one: Announced) -> bool:
        """True if the loop ended for the announced reason."""
        return self.views[one.name].reason == one.reason

    @property
    def as_announced(self) -> bool:
        """True if all of it went as announced."""
        return self.clean and all(self.fits(one) for one in self.demo.announced)


def scratch(wanted: str, prefix: str = "loopdeck-demo-") -> Path:
    """The scratch folder: `wanted`, made if it isn't there, or a new one whose name begins with `prefix`. Raises UsageError."""
    if not wanted:
        return Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    folder = Path(wanted).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise UsageError(
            f"can't be a scratch folder: {error.strerror}", where=str(folder), remedy="Name a new or empty one."
        ) from error
    if taken:
        raise UsageError("the folder isn't empty", where=str(folder), remedy="Name a new or empty one; it will be filled.")
    return folder


def opened(folder: Path, environ: Mapping[str, str], *, pace_s: float = 0.0) -> Demo:
    """Copy the sample project into `folder`, commit it there, and open its deck with a home beside it. Raises WorkspaceError.

    With a pace, every turn of the copy's scripts takes that many seconds longer, so that a person can watch.
    """
    root, base = folder / PROJECT, folder / "home"
    try:
        shutil.copytree(shipped.sample_project(PROJECT), root, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        for place in (root, *root.rglob("*")):
            # An installation may be read-only; its copy is for working in.
            place.chmod(stat.S_IMODE(place.stat().st_mode) | stat.S_IWUSR)
    except OSError as error:
        raise WorkspaceError(f"the sample project can't be copied: {error}", where=str(root)) from error
    if pace_s:
        for script in root.glob(".loopdeck/loops/*/play.toml"):
            _slow_down(script, pace_s)
    commit_all_of(root, "The workshop, as it is before any loop has run")
    said = tomllib.loads((root / "DEMO.toml").read_text(encoding="utf-8"))
    announced = tuple(Announced(one["name"], one["reason"], one["says"]) for one in said["loop"])
    return Demo(Deck.open(root, {**environ, "LOOPDECK_HOME": str(base)}), base, announced, tuple(said["approve"]))


def _slow_down(script: Path, pace_s: float) -> None:
    played = tomllib.loads(script.read_text(encoding="utf-8"))
    for turn in played["turn"]:
        turn["delay_s"] = turn.get("delay_s", 0.0) + pace_s
    script.write_text(tomli_w.dumps(played), encoding="utf-8")


def started(demo: Demo) -> dict[str, RunPaths]:
    """A run of every announced loop, by its name. Raises UsageError if a loop file has problems."""
    deck = demo.deck
    ready = readied(deck, [one.name for one in demo.announced])
    unpriced.refuse(deck, ready)
    return {spec.name: start(deck, spec, here.operator()) for spec in ready}


def hold(demo: Demo, loop: str, paths: RunPaths) -> None:
    """Have a run stand still before its next iteration, so that there is a state to edit by hand."""
    demo.deck.send(paths, Hold(by="the demo", at=here.now()), name=f"hold-{loop}")


def play(demo: Demo, tell: Tell) -> Played:
    """Start every announced loop and wait until all have ended, saying what happens. Interrupting it stops no run.

    Raises UsageError if a loop file has problems; a loop that does not end in time is left as it is and seen in the result.
    """
    began = time.monotonic()
    runs = started(demo)
    approved: list[str] = []
    said: dict[str, str] = {}
    watch = Watch(list(runs.values()))
    while True:
        views = dict(zip(runs, watch.look(), strict=True))
        for name, view in views.items():
            approved += _answer(demo, view, tell)
            _tell(name, view, said, tell)
        if all(over(view) for view in views.values()) or time.monotonic() - began > PATIENCE_S:
            break
        watch.rest()
    return Played(demo, views, approved, is_clean(demo.deck.repo), time.monotonic() - began)


def _answer(demo: Demo, view: RunView, tell: Tell) -> list[str]:
    """Approve what the announced rules allow, and name it; what they don't waits for a person."""
    given: list[str] = []
    for approval in view.run.pending_approvals:
        ruling = judge(Policy(allow=demo.approve), approval.tool, approval.arguments)
        if ruling.verdict != "allow" or ruling.rule not in demo.approve:
            continue
        command = Decide(by=_BY, at=here.now(), approval=approval.id, approved=True, why=ruling.rule, digest=approval.digest)
        paths = demo.deck.home.run_dir(view.run.loop, view.run.id)
        if demo.deck.send(paths, command, name=f"decision-{approval.id}"):
            tell(f"{view.run.loop} asks to run `{approval.summary}`: approved by the rule {ruling.rule}")
            given.append(f"{approval.tool} {approval.summary}")
    return given


def _tell(name: str, view: RunView, said: dict[str, str], tell: Tell) -> None:
    now = f"ended: {view.reason}" if view.status == "ended" else f"iteration {view.run.iteration}"
    if view.run.iteration and said.get(name) != now:
        tell(f"{name} {now}")
    said[name] = now
