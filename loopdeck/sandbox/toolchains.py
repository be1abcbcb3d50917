"""Where the tools are that a command may run: found from PATH, from what toolchains set, and from our own interpreter.

Tools are often installed in a home folder (pyenv, nvm, conda, uv, cargo, a project's virtual environment), and a home folder is what a
sandbox is there to hide. So a tool's own folder is shown, never what surrounds it. Invariant: no path given here is a home folder, is
above one, or holds credentials by its purpose (`~/.cargo` is not shown, its `bin` is).
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import loopdeck

SYSTEM = tuple(Path(name) for name in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"))
"""Folders of the system, shown as a whole."""
_SHOWN = tuple(f"{folder}/" for folder in SYSTEM)
_WHOLE = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYENV_ROOT", "GOROOT", "JAVA_HOME", "RUSTUP_HOME")
_ALONE = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_BESIDE = ("lib", "lib64", "libexec", "share", "include", "pkg/mod")
_MANAGERS = ("versions", "installs", "candidates")
_MOST_LINKS = 500
_MOST_HOPS = 20


def toolchains(env: Mapping[str, str], home: Path | None) -> tuple[Path, ...]:
    """Existing files and folders that the commands of `env` need to be able to read, beside those of the system."""
    return tuple(_Search(home).found(env))


def program(name: str, env: Mapping[str, str], cwd: Path, home: Path | None) -> tuple[Path, ...]:
    """What a program named like this consists of, links to it first: its package, wherever it was installed, and never a home.

    Nothing for what the system shows, or what can't be found.
    """
    found = shutil.which(str(cwd / name) if "/" in name else name, path=env.get("PATH", os.defpath))
    if found is None:
        return ()
    places = [Path(os.path.normpath(Path.cwd() / found))]
    while places[-1].is_symlink() and len(places) < _MOST_HOPS:
        places.append(Path(os.path.normpath(places[-1].parent / places[-1].readlink())))
    search = _Search(home)
    links = [place for place in places[:-1] if not is_system(place)]
    real = Path(os.path.realpath(found))
    return tuple(dict.fromkeys((*links, *search.kept(search.package(real)))))


def own() -> tuple[Path, ...]:
    """The interpreter that runs this, and the package it runs."""
    return tuple(dict.fromkeys(Path(name) for name in (sys.prefix, sys.base_prefix, Path(loopdeck.__file__).parent)))


def is_system(path: Path) -> bool:
    """True if it is shown with the system."""
    return f"{path}/".startswith(_SHOWN)


class _Search:
    def __init__(self, home: Path | None) -> None:
        self._home = home
        self._broad = {Path("/"), Path("/opt"), Path("/usr/local"), Path("/srv"), Path("/var"), Path("/tmp")}
        if home is not None:
            self._broad |= {home, *home.parents, home / ".local", home / ".local/share", home / ".cache", home / ".config"}

    def found(self, env: Mapping[str, str]) -> list[Path]:
        """All of them, those inside others left out."""
        names = [part for part in env.get("PATH", "").split(os.pathsep) if part.startswith("/")]
        every = [path for name in dict.fromkeys(names) for path in self._around(Path(name))]
        every += [path for name in _WHOLE if env.get(name, "").startswith("/") for path in self._prefix(Path(env[name]))]
        alone = [env.get(name, "") for name in _ALONE] + env.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        every += [Path(name) for name in alone if name.startswith("/")]
        every += [path for prefix in own() for path in self._prefix(prefix)]
        return self.kept(every)

    def kept(self, every: Iterable[Path]) -> list[Path]:
        """Those that may be shown, without what is inside others."""
        kept: list[Path] = []
        for path in sorted(dict.fromkeys(path for path in every if self._may(path)), key=lambda path: len(path.parts)):
            if not any(path.is_relative_to(other) for other in kept):
                kept.append(path)
        return kept

    def _may(self, path: Path) -> bool:
        return path not in self._broad and not is_system(path) and os.access(path, os.R_OK)

    def _around(self, folder: Path) -> Iterator[Path]:
        """What belongs to the programs in `folder`, a part of the PATH."""
        for place in dict.fromkeys((folder, folder.resolve())):
            if is_system(place):
                if place == Path("/usr/local/bin"):
                    yield from self._linked(place)
                continue
            prefix = place.parent
            shims = place.name == "shims" and any((prefix / name).is_dir() for name in _MANAGERS)
            if shims or place.name == ".bin":
                yield prefix
            elif prefix.name == ".cargo":
                yield from (place, prefix / "registry", prefix / "git", prefix.parent / ".rustup")
            elif self._is_prefix(prefix):
                yield from self._prefix(prefix)
            else:
                yield place
                if prefix not in self._broad:
                    yield from (prefix / name for name in _BESIDE)
                elif prefix.name == ".local":
                    yield from prefix.glob("lib/python3*")
                yield from self._linked(place)

    def _is_prefix(self, prefix: Path) -> bool:
        """True if the folder is one installation and nothing else."""
        if prefix in self._broad:
            return False
        return (prefix / "pyvenv.cfg").is_file() or (prefix / "conda-meta").is_dir()

    def _prefix(self, prefix: Path) -> Iterator[Path]:
        """An installation as a whole; of a virtual environment also what it was made from."""
        yield from dict.fromkeys((prefix, prefix.resolve()))
        try:
            lines = (prefix / "pyvenv.cfg").read_text("utf-8", "replace").splitlines()
        except OSError:
            return
        for line in lines:
            name, _, value = line.partition("=")
            if name.strip() == "home" and value.strip().startswith("/"):
                base = Path(value.strip()).parent
                yield from dict.fromkeys((base, base.resolve()))

    def _linked(self, folder: Path) -> Iterator[Path]:
        """What links in `folder` lead to: tools that their installers keep elsewhere."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)[:_MOST_LINKS]
        except OSError:
            return
        for entry in entries:
            if not entry.is_symlink():
                continue
            real = Path(os.path.realpath(entry.path))
            if is_system(real) or not real.exists():
                continue
            yield from self.package(real)

    def package(self, real: Path) -> Iterator[Path]:
        """What the program at `real`, which is no link, needs of what is around it."""
        prefix = real.parent.parent
        modules = [above for above in real.parents if above.name == "node_modules"]
        if modules:
            # The outermost: what it needs may lie beside it.
            yield modules[-1]
        elif self._is_prefix(prefix):
            yield from self._prefix(prefix)
        elif real.parent.name == "bin" and prefix not in self._broad:
            yield from (real.parent, *(prefix / name for name in _BESIDE))
        else:
            yield real
