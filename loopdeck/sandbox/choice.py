"""Which door a run gets: a sandbox where the machine can make one, else none, and then it is said.

Invariant: a sandbox is taken only on proof, and what stands in its stead never claims to confine anything.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from loopdeck.core.happening import Walls as HeldBy
from loopdeck.core.spec import LoopSpec
from loopdeck.git.provision import found_in
from loopdeck.git.repository import Repository
from loopdeck.sandbox.plain import PlainDoor
from loopdeck.sandbox.port import Door, OnReached
from loopdeck.sandbox.probe import Proof, proof

if TYPE_CHECKING:
    from loopdeck.sandbox.walls import Walls

UNSANDBOXED = "unsandboxed: approvals are advisory, and what a command does it does with your rights"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The door, what `walls` it makes with which `hosts` beyond, what it `lacks`, and what the operator must be told (or nothing)."""

    door: Door
    notice: str
    walls: HeldBy = "none"
    hosts: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the commands of a run are at work: the maker's worktree `tree`, the deck's home, and what they see of the environment."""

    repo: Repository
    deck: Path
    tree: Path
    env: Mapping[str, str]


async def door_for(spec: LoopSpec, ground: Ground, marker: str, tell: OnReached | None = None) -> Chosen:
    """The door for commands of `spec`; `marker` names the run. `tell` hears of connections where hosts are listed."""
    repo, deck, tree, env = ground.repo, ground.deck, ground.tree, ground.env
    first, found = await _proven(deck / "walls.json")
    if not found.holds:
        return Chosen(PlainDoor(marker), f"{UNSANDBOXED} ({first.why}; {found.why})")
    # Nothing of this is needed without a sandbox.
    from loopdeck.sandbox import seals
    from loopdeck.sandbox.bubble import BubbleDoor
    from loopdeck.sandbox.toolchains import toolchains
    from loopdeck.sandbox.walls import Walls

    home = Path(env["HOME"]) if env.get("HOME", "").startswith("/") else None
    walls = Walls(
        tree=tree,
        home=home,
        hidden=(deck,),
        tools=toolchains(env, home),
        shared=(repo.common_dir, *_alternates(repo.common_dir), *_linked(spec, repo.root)),
        read=_outer(spec.sandbox.read, repo.root, home),
        write=_outer(spec.sandbox.write, repo.root, home),
        network=spec.sandbox.network,
        setup_network=spec.sandbox.setup_network,
        protect=spec.workspace.protect,
        caches=_caches(deck / "caches" / spec.name),
    )
    seals.clear(tree)
    if found is not first:
        return _second(spec, found, walls, marker)
    return Chosen(BubbleDoor(found.program, walls, marker, tell=tell), "", *_held(spec))


async def unheld(kept: Path) -> str:
    """Why nothing can hold commands on this machine, in a sentence; empty if something can. `kept` is where proofs are noted."""
    first, found = await _proven(kept)
    return "" if found.holds else f"{first.why}; {found.why}"


async def _proven(kept: Path) -> tuple[Proof, Proof]:
    """What was found of bubblewrap, and of what is to be used: the same where bubblewrap holds."""
    first = await proof(kept)
    if first.holds:
        return first, first
    from loopdeck.sandbox.second import second_proof

    return first, await second_proof(kept.with_name(f"second-{kept.name}"))


def _second(spec: LoopSpec, found: Proof, walls: "Walls", marker: str) -> Chosen:
    """A door that holds less, and says what."""
    from loopdeck.sandbox.second import second_door

    held, hosts = _held(spec)
    lacks = found.lacks
    if held == "listed":
        held, hosts = "closed", ()
    listed = {"network": spec.sandbox.network, "setup_network": spec.sandbox.setup_network}
    named = [key for key, hosts_of in listed.items() if not isinstance(hosts_of, bool) and hosts_of]
    if named:
        # Ports can be opened to all hosts or to none; what a list would let through is shut.
        lacks = (*lacks, f"hosts can't be listed with {found.name}: those in `{'` and `'.join(named)}` are out of reach")
    walls = replace(walls, network=walls.network is True, setup_network=walls.setup_network is True)
    notice = f"held by {found.name} and not by bubblewrap, so that commands ask: {'; '.join(lacks)}"
    scratch = walls.caches / "scratch" if walls.caches is not None else None
    return Chosen(second_door(found.name, walls, marker, scratch), notice, held, hosts, lacks)


def _held(spec: LoopSpec) -> tuple[HeldBy, tuple[str, ...]]:
    """What a whole sandbox makes of the loop's `network`."""
    match spec.sandbox.network:
        case True:
            return "open", ()
        case False:
            return "closed", ()
        case ():
            return "closed", ()
        case hosts:
            return "listed", hosts


def _caches(folder: Path) -> Path | None:
    """The loop's caches, made if need be; none if the disk refuses, since nothing depends on them."""
    try:
        for made in (folder.parent, folder, folder / "maker", folder / "checks", folder / "scratch"):
            made.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    return folder


def _outer(written: Sequence[str], root: Path, home: Path | None) -> tuple[Path, ...]:
    """Paths of the loop file: absolute, from the home, or relative to the operator's checkout."""
    paths = []
    for text in written:
        if text.startswith("~/"):
            paths += [home / text[2:]] if home is not None else []
        else:
            paths.append(root / text)
    return tuple(paths)


def _linked(spec: LoopSpec, root: Path) -> tuple[Path, ...]:
    """What worktrees link to in the operator's checkout, and where that really is."""
    places = [root / path for entry in spec.workspace.link for path in found_in(root, entry)]
    return tuple(dict.fromkeys(place for path in places for place in (path, path.resolve())))


def _alternates(common_dir: Path) -> tuple[Path, ...]:
    """Where a repository that was cloned by reference has its objects."""
    objects = common_dir / "objects"
    try:
        lines = (objects / "info" / "alternates").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ()
    return tuple(Path(os.path.normpath(objects / line)) for line in lines if line and not line.startswith("#"))
