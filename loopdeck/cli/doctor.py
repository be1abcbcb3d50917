"""`loopdeck doctor`: what this machine offers, and plainly what it doesn't. No key's value is ever part of it."""

import argparse
import os
import platform
import shutil
import sys
from typing import Any

import msgspec

from loopdeck import __version__
from loopdeck.agents.keys import Vendor, find_key
from loopdeck.agents.outside.found import acp_programs, look
from loopdeck.agents.outside.registry import VENDORS
from loopdeck.agents.registry import MODEL_AGENTS
from loopdeck.cli import here, out
from loopdeck.cli.lint import entry
from loopdeck.core import barriers, tokens
from loopdeck.core.plural import some
from loopdeck.core.redact import secrets_of
from loopdeck.core.spec import Sandbox
from loopdeck.deck import servers
from loopdeck.deck.decks import Deck
from loopdeck.errors import LoopdeckError, UsageError
from loopdeck.git import program
from loopdeck.git import settings as git_settings
from loopdeck.sandbox.environment import environment
from loopdeck.sandbox.probe import facts
from loopdeck.store import specs
from loopdeck.store.machine import default_limit

_GIT_NEEDED = (2, 31)
_NO_GIT = 14
_FOUND = {True: "", False: "; {} is not on the PATH", None: ""}
_OWN_LOGIN = (
    "no key in the environment or a keyring: it goes by its own login, if a loop's `[sandbox]` shows it, and past the gateway,"
    " so that its budget is checked after the fact"
)
_CONFINED = (
    "commands of makers, checks and setup run in a sandbox: no network, no home, nothing written outside their worktree",
    "so `bash` needs no approval, unless a rule or the loop's `[sandbox]` says otherwise",
)
_UNCONFINED = (
    "commands of makers and checks run unsandboxed, with your rights",
    "so approvals are advisory: what a person has allowed can do anything that you can",
)


def run(options: argparse.Namespace) -> int:
    """Say it; 14 if something essential is missing."""
    git = _git()
    holds, told = facts()
    found: dict[str, Any] = {
        "loopdeck": __version__,
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "git": git,
        "agents": [_agent(kind) for kind in MODEL_AGENTS],
        "outside": [msgspec.to_builtins(one) for one in look(os.environ)],
        "sandbox": {"confines": holds, "facts": [*(_CONFINED if holds else _UNCONFINED), *told]},
        "environment": _environment(),
        "terminal": _terminal(),
        "deck": _deck() if git["ok"] else None,
    }
    if options.json:
        out.document(found)
    else:
        _say(found)
    return 0 if git["ok"] else _NO_GIT


def _git() -> dict[str, Any]:
    try:
        path, version = program.executable(), program.version()
    except UsageError as error:
        return {"ok": False, "path": None, "version": None, "problem": str(error)}
    wanted = ".".join(map(str, _GIT_NEEDED))
    old = "" if version >= _GIT_NEEDED else f"too old: {wanted} or newer is needed, for worktrees that are safe"
    return {"ok": not old, "path": path, "version": ".".join(map(str, version)), "problem": old or None}


def _agent(kind: str) -> dict[str, Any]:
    if kind == "scripted":
        return {"agent": kind, "sdk": None, "key": "none needed", "ready": True}
    # A quarter of a second is saved by asking for the version alone.
    from importlib.metadata import PackageNotFoundError, version

    vendor: Vendor = "openai" if kind == "openai" else "anthropic"
    try:
        sdk = version(kind)
    except PackageNotFoundError:
        sdk = None
    key = find_key(vendor)
    return {"agent": kind, "sdk": sdk, "key": key.source if key else None, "ready": bool(sdk and key)}


def _environment() -> dict[str, Any]:
    """Names only."""
    given = environment(os.environ, (), "", "")
    return {
        "redacted": sorted(name for name, value in os.environ.items() if secrets_of({name: value})),
        "redacted_kinds": list(tokens.KINDS),
        "seen": sorted(name for name, value in given.items() if os.environ.get(name) == value),
    }


def _terminal() -> dict[str, Any]:
    size = shutil.get_terminal_size((0, 0))
    return {
        "is_terminal": sys.stdout.isatty(),
        "columns": size.columns or None,
        "lines": size.lines or None,
        "term": os.environ.get("TERM"),
        "true_colour": os.environ.get("COLORTERM", "") in ("truecolor", "24bit"),
        "encoding": sys.stdout.encoding,
        "inside": [name for name, variable in (("tmux", "TMUX"), ("screen", "STY"), ("ssh", "SSH_TTY")) if os.environ.get(variable)],
    }


def _deck() -> dict[str, Any] | None:
    try:
        deck = here.deck()
    except UsageError:
        return None
    settings = specs.load_deck(deck.root)
    readings = {name: specs.load_loop(deck.root, name, deck=settings) for name in deck.loops()}
    problems = list(dict.fromkeys((*settings.problems, *(one for reading in readings.values() for one in reading.problems))))
    limit = settings.deck.max_runs
    return {
        "root": str(deck.root),
        "home": str(deck.home.path),
        **_room(deck),
        "max_runs": limit or default_limit(),
        "max_runs_from": "deck.toml" if limit else "cores and memory",
        "loops": list(readings),
        "connectors": [
            {"loop": each.loop, "name": each.name, "where": each.where, "program": each.program or None, "found": each.found}
            for one in readings.values()
            if one.spec is not None
            for each in servers.named(deck.root, one.spec)
        ],
        "env": {name: list(one.spec.sandbox.env) for name, one in readings.items() if one.spec is not None and one.spec.sandbox.env},
        "drivers": [{"kind": kind, "name": name} for kind, name in git_settings.of(deck.repo.common_dir).drivers],
        "network": {name: words for name, one in readings.items() if one.spec is not None and (words := _reach(one.spec.sandbox))},
        "problems": [entry(one) for one in problems],
    }


def _reach(sandbox: Sandbox) -> str:
    """What a loop lets its commands reach, in words; empty if nothing."""
    told = [barriers.network(sandbox.network)] if sandbox.network else []
    return "; ".join([*told, *([f"its setup {barriers.network(sandbox.setup_network)}"] if sandbox.setup_network else [])])


def _room(deck: Deck) -> dict[str, Any]:
    """Free bytes on the disk of the deck's home, and whether the home can be used."""
    place = deck.home.path
    while not place.exists():
        place = place.parent
    complaint = None if os.access(place, os.W_OK) else f"{place} can't be written"
    if place == deck.home.path:
        try:
            deck.home.make()
        except LoopdeckError as error:
            complaint = str(error)
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        free = None
    return {"free_bytes": free, "home_problem": complaint}


def _say(found: dict[str, Any]) -> None:
    python, git = found["python"], found["git"]
    _line("loopdeck", f"{found['loopdeck']}, on Python {python['version']} ({python['executable']})")
    _line("git", f"{git['version']} ({git['path']})" if git["ok"] else f"NOT USABLE: {git['problem']}")
    for one in found["agents"]:
        _line(f"agent {one['agent']}", _said_of(one))
    _say_outsiders(found["outside"])
    for fact in found["sandbox"]["facts"]:
        _line("sandbox", fact)
    names = found["environment"]
    kinds = names["redacted_kinds"]
    held = ", ".join(names["redacted"]) or "no variable looks like a secret"
    _line("redacted", f"{held}; and {some(len(kinds), 'kind')} of token by their looks: {', '.join(kinds)}")
    _line("commands see", ", ".join(names["seen"]))
    _line("terminal", _said_of_terminal(found["terminal"]))
    deck = found["deck"]
    if deck is None:
        _line("deck", "this folder is not inside a git repository" if git["ok"] else "can't be looked at without git")
        return
    free = "unknown" if deck["free_bytes"] is None else f"{deck['free_bytes'] / 2**30:.1f} GiB"
    _line("deck", deck["root"])
    _line("home", f"{deck['home']}, {free} free on its disk" + (f"; {deck['home_problem']}" if deck["home_problem"] else ""))
    _line("runs at once", f"{deck['max_runs']} (from {deck['max_runs_from']})")
    for loop, let_through in deck["env"].items():
        _line("commands see", f"in {loop} also {', '.join(let_through)}")
    if drivers := [f"{one['kind']} {one['name']}" for one in deck["drivers"]]:
        off = "off wherever a maker has written, so that files come as they are stored; on in your own checkout, when you merge"
        _line("git's drivers", f"{', '.join(drivers)}: {off}")
    for loop, reach in deck["network"].items():
        _line("commands reach", f"in {loop} {reach}")
    for one in deck["connectors"]:
        _line("connector", f"{one['name']} of {one['loop']}: {one['where']}{_FOUND[one['found']].format(one['program'])}")
    count = len(deck["problems"])
    _line("loops", f"{', '.join(deck['loops']) or 'none yet: `loopdeck new NAME`'}" + (f"; {some(count, 'problem')}" if count else ""))
    for one in deck["problems"]:
        mark = "warning: " if one["warning"] else ""
        _line("", f"{one['file']}:{one['line']}: {mark}{one['what']}")


def _say_outsiders(found: list[dict[str, Any]]) -> None:
    for one in found:
        _say_outside(one)
    there = {one["agent"] for one in found}
    for agent in sorted(VENDORS.keys() - there):
        _line(f"agent {agent}", f"not installed: there is no `{agent}` on the PATH")
    if "acp" not in there:
        _line("agent acp", f"not installed: none of {', '.join(acp_programs())} is on the PATH; `command` names any other")
    _line("agent command", "any program of yours that takes its instruction on stdin")


def _say_outside(one: dict[str, Any]) -> None:
    """An agent with a loop of its own: which one, and what it can and can't show."""
    name = one["agent"] if one["agent"] == one["program"] else f"{one['agent']}: {one['program']}"
    _line(f"agent {one['agent']}", f"{name} {one['version'] or 'of an unknown version'} ({one['path']})")
    _line("", "; ".join(one["says"]))
    if vendor := VENDORS.get(one["agent"]):
        key = find_key(vendor)
        _line("", f"key from {key.source}, which it never sees" if key else _OWN_LOGIN)
    if one["lacks"]:
        _line("", f"but it {'; it '.join(one['lacks'])}")
    if one["hides"]:
        _line("", f"not seen: {'; '.join(one['hides'])}")


def _said_of(agent: dict[str, Any]) -> str:
    if agent["agent"] == "scripted":
        return "built in, needs no key"
    sdk = f"SDK {agent['sdk']}" if agent["sdk"] else "its SDK is not installed"
    return f"{sdk}, " + (f"key from {agent['key']}" if agent["key"] else "no key in the environment or a keyring")


def _said_of_terminal(seen: dict[str, Any]) -> str:
    if not seen["is_terminal"]:
        return f"output is not a terminal; encoding {seen['encoding']}"
    inside = f", inside {' and '.join(seen['inside'])}" if seen["inside"] else ""
    colour = "true colour" if seen["true_colour"] else "no word of true colour"
    return f"{seen['columns']}x{seen['lines']}, {seen['term'] or 'no TERM'}, {colour}, {seen['encoding']}{inside}"


def _line(name: str, text: str) -> None:
    out.say(f"{name:<17}{text}")
