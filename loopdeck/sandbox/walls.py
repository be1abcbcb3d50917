"""The walls of a run's sandbox, as options for bubblewrap: what of the machine its commands see, and what they may write.

There is no root to begin with: the system's folders, the tools, the shared git folder and what the loop file names are shown
read-only; the home is an empty one, gone with the command; the rest of the machine isn't there. /proc is read-only, because as root
some of its files belong to whoever reads them. Order matters: what comes later covers what came before, so the command's own folders
come last, after what hides the deck's home.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from loopdeck.sandbox import caches
from loopdeck.sandbox.port import Command
from loopdeck.sandbox.toolchains import SYSTEM, is_system, program

TMP_BYTES = 1 << 30
"""Room in /tmp and in the home, each; it counts as memory."""
SHM_BYTES = 256 << 20
MOST_PROCESSES = 4096
"""Of one command, for an ordinary user: the kernel counts none of root's."""
LARGEST_FILE = 16 << 30
NAMESPACES = (
    "--unshare-user", "--unshare-all", "--disable-userns", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
    "--hostname", "loopdeck",
)  # fmt: skip
ETC = (
    "passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache", "ssl", "pki", "crypto-policies", "alternatives", "localtime",
    "protocols", "services", "mime.types", "os-release", "fonts", "java-17-openjdk", "java-21-openjdk", "static",
)  # fmt: skip
"""What programs need of /etc. Accounts, keys, and registries with their tokens are none of it."""
NETWORK_ETC = ("resolv.conf", "host.conf", "gai.conf")
_PSEUDO = (
    "--proc", "/proc", "--remount-ro", "/proc",
    "--dev", "/dev", "--perms", "1777", "--size", str(SHM_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev",
    "--perms", "1777", "--size", str(TMP_BYTES), "--tmpfs", "/tmp", "--dir", "/run", "--dir", "/var", "--symlink", "/tmp", "/var/tmp",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Walls:
    """What a run's commands get to see. `home` is replaced by an empty one; `hidden` are folders that nothing shows.

    `tools` are what commands need to run beside the system's folders, `read` and `write` what the loop file lets in, `shared` what is
    shown read-only besides (the git folder, linked folders); all absolute. `protect` are globs relative to the maker's worktree `tree`,
    which is the one place that is sealed. `caches` is where the loop's tools keep what they fetch.
    """

    tree: Path
    home: Path | None = None
    hidden: tuple[Path, ...] = ()
    tools: tuple[Path, ...] = ()
    shared: tuple[Path, ...] = ()
    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    network: bool | tuple[str, ...] = False
    setup_network: bool | tuple[str, ...] = False
    protect: tuple[str, ...] = ()
    caches: Path | None = None

    def open_to(self, command: Command) -> bool:
        """True if the command may use the network as it likes."""
        return (self.setup_network if command.role == "setup" else self.network) is True

    def listed(self, command: Command) -> tuple[str, ...]:
        """The hosts that the command may reach, and no other; none if it may reach all, or nothing."""
        named = self.setup_network if command.role == "setup" else self.network
        return () if isinstance(named, bool) else named

    def options(self, command: Command, seals: Sequence[str] = ()) -> list[str]:
        """All of bubblewrap's options for `command`; `seals` are mounts within its own folders."""
        network = self.open_to(command)
        shown = [*NAMESPACES, *(("--share-net",) if network else ()), *_system(network), *_PSEUDO]
        if self.home is not None and self.home != Path("/"):
            shown += ["--size", str(TMP_BYTES), "--tmpfs", str(self.home)]
        own = tuple(self.agents_own(command))
        outside = (*self.tools, *self.read, *own)
        for path in outside:
            shown += ("--symlink", str(path.readlink()), str(path)) if path in own and path.is_symlink() else _bound("--ro-bind", path)
        for path in self.write:
            shown += _bound("--bind", path)
        shown += self._curtains((*outside, *self.write))
        if self.caches is not None:
            shown += _bound("--bind", caches.cache(self.caches, command))
        for path in self.shared:
            shown += _bound("--ro-bind", path)
        shown += self._places(command)
        shown += [*seals, "--remount-ro", "/", "--chdir", str(command.cwd)]
        return [*shown, *_variables({**command.env, **self.cached(command)})]

    def cached(self, command: Command) -> dict[str, str]:
        """What tells the command's tools of its cache; nothing if there is none."""
        if self.caches is None:
            return {}
        return caches.variables(self.caches, command, self.open_to(command) or bool(self.listed(command)))

    def agents_own(self, command: Command) -> Iterator[Path]:
        """What an agent consists of, unless it is shown anyhow: it may be installed where no tool of the operator's is.

        Links to it are given too, and made again as links: it may look at what is around the place they lead to.
        """
        if command.role != "agent":
            return
        seen = (*self.tools, *self.read, *self.write, *self.shared, *command.writable, command.cwd)
        parts = program(command.argv[0], command.env, command.cwd, self.home)
        for path in parts:
            if not any(path.is_relative_to(other) for other in (*seen, *(part for part in parts if part != path))):
                yield path

    def _curtains(self, shown: Sequence[Path]) -> Iterator[str]:
        """An empty folder over each hidden one that something shown would show."""
        for hidden in self.hidden:
            if any(hidden.is_relative_to(path) or path.is_relative_to(hidden) for path in shown):
                yield from ("--size", "65536", "--tmpfs", str(hidden))

    def _places(self, command: Command) -> Iterator[str]:
        """The folders the command works in."""
        if not any(command.cwd.is_relative_to(path) for path in command.writable):
            yield from _bound("--ro-bind", command.cwd)
        for path in command.writable:
            yield from _bound("--bind", path)
            if os.path.lexists(path / ".git"):
                yield from _bound("--ro-bind", path / ".git")


def own_folders(command: Command, home: Path, temporary: Path) -> dict[str, str]:
    """Variables for doors that can't put an empty home in the place of the operator's: one that may be written to stays."""
    given = command.env.get("HOME", "")
    keeps = given.startswith("/") and any(Path(given).is_relative_to(path) for path in command.writable)
    return {"TMPDIR": str(temporary)} if keeps else {"TMPDIR": str(temporary), "HOME": str(home)}


@cache
def _system(network: bool) -> tuple[str, ...]:
    return tuple(_shown_of_system(network))


def _shown_of_system(network: bool) -> Iterator[str]:
    for folder in SYSTEM:
        if folder.is_symlink():
            yield from ("--symlink", str(folder.readlink()), str(folder))
        else:
            yield from _bound("--ro-bind", folder)
    yield from ("--dir", "/etc")
    for name in (*ETC, *(NETWORK_ETC if network else ())):
        place = Path("/etc", name)
        # A link into the system stays one; what it leads to elsewhere (a resolver's folder in /run) is shown in its place.
        real = Path(os.path.realpath(place))
        if place.is_symlink() and is_system(real):
            yield from ("--symlink", str(real), str(place))
        else:
            yield from _bound("--ro-bind", place)


def _bound(how: str, path: Path) -> tuple[str, ...]:
    return (how, str(path), str(path)) if os.access(path, os.R_OK) else ()


def _variables(env: Mapping[str, str]) -> Iterator[str]:
    for name, value in env.items():
        # The folder for temporary files is the sandbox's own, wherever the operator's is.
        yield from ("--setenv", name, "/tmp" if name == "TMPDIR" else value)
