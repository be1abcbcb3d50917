"""The gate in a run's surroundings: which program a command comes to, and all that an approval of it is bound to, as things stand."""

import os
from pathlib import Path

import msgspec
from msgspec import structs

from loopdeck.core import binding, gate
from loopdeck.core.binding import Parts
from loopdeck.core.shellwords import plain
from loopdeck.errors import WorkspaceError
from loopdeck.git.admin import made_at
from loopdeck.runner.site import Site
from loopdeck.tools import named
from loopdeck.tools.programs import Programs
from loopdeck.tools.shell import shell


class Gating:
    """What the gate has to know of one run."""

    def __init__(self, site: Site) -> None:
        self._site = site
        home = Path(site.env.get("HOME") or "/")
        written = (home / text[2:] if text.startswith("~/") else site.root / text for text in site.spec.sandbox.write)
        self._programs = Programs(site.env, (site.workplace.path, *written))

    def judged(self, tool: str, arguments: str) -> gate.Ruling:
        """The rules' word on a call."""
        return gate.judge(self._site.policy(tool), tool, arguments, self._programs.doubt)

    def bound(self, tool: str, arguments: str) -> Parts:
        """All that an approval of the call is bound to, as it is now."""
        site = self._site
        frozen = structs.replace(site.policy(tool), allow=site.spec.gates.allow)
        profile = (
            site.door.name,
            site.door.confines,
            site.spec.level,
            msgspec.to_builtins(site.spec.sandbox),
            site.spec.workspace.protect,
        )
        return (
            ("tool", tool),
            ("arguments", binding.short(binding.canonical(arguments))),
            ("argv", binding.short(self._argv(tool, arguments))),
            ("program", binding.short(self._program(tool, arguments))),
            ("folder", binding.short(self._folder())),
            ("environment", binding.short(sorted(site.env.items()))),
            ("sandbox", binding.short(profile)),
            ("policy", gate.policy_digest(frozen)[:24]),
            *self.files(tool, arguments),
        )

    def files(self, tool: str, arguments: str) -> Parts:
        """The files that a call names."""
        return named.files(self._site.workplace.path, tool, arguments)

    def _folder(self) -> list[object]:
        """What tells the worktree from another in its place, whose folder may have been given the same number."""
        workplace = self._site.workplace
        try:
            return [_identity(workplace.path), made_at(workplace.worktree)]
        except WorkspaceError:
            return [_identity(workplace.path)]

    def _argv(self, tool: str, arguments: str) -> list[str]:
        return [shell(), "-c", str((gate.parsed(arguments) or {}).get("command", ""))] if tool == "bash" else []

    def _program(self, tool: str, arguments: str) -> list[str]:
        """The program that a plain command starts, and what tells it from another in its place."""
        words = plain(str((gate.parsed(arguments) or {}).get("command", ""))) if tool == "bash" else None
        place = self._programs.found(words[0])[0] if words else ""
        return [place, os.path.realpath(place), _identity(Path(place), content=True)] if place else []


def _identity(path: Path, *, content: bool = False) -> str:
    """What tells a file or folder from another one at the same place; with `content` also from itself, changed."""
    try:
        about = path.stat()
    except OSError:
        return f"{path} is gone"
    changed = f" {about.st_size} {about.st_mtime_ns} {about.st_mode}" if content else ""
    return f"{path} {about.st_dev}:{about.st_ino}{changed}"
