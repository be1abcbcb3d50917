"""Importing a vendor's SDK without the parts that nobody here uses.

Both SDKs load every type of every endpoint before they give out a client: 3,300 modules, a second of CPU and 80 MB for each
runner. Inside `lean` a package of theirs doesn't run its `__init__`; a name asked of it is looked up in the source of that file, and
only the module it comes from is loaded. Nothing is replaced or left out: whatever was not looked up in this way is loaded, as always,
when it is asked for.

Invariant: an SDK newer than the newest that loopdeck was tested with is imported in its own way.
"""

import ast
import gc
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

TESTED = {"anthropic": (2, 12), "openai": (3, 54)}
"""The newest versions of the SDKs that the tests were run with; `tests/agents/test_lean.py` says when there is a newer one."""


@contextmanager
def lean(sdk: str) -> Iterator[None]:
    """Within the block, `import sdk` loads what is used of it and no more."""
    if sdk not in sys.modules and _tested(sdk):
        sys.meta_path.insert(0, _Finder(sdk))
    collecting = gc.isenabled()
    # What an import makes is there to stay; looking through it for garbage a hundred times costs a tenth of it.
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _tested(sdk: str) -> bool:
    try:
        installed = version(sdk).split(".")
    except PackageNotFoundError:
        return False
    return tuple(int(part) if part.isdigit() else 0 for part in installed[:2]) <= TESTED[sdk]


class _Finder(MetaPathFinder):
    """Finds the packages of an SDK that only gather names: itself, its types, its resources."""

    def __init__(self, sdk: str) -> None:
        self._sdk = sdk
        self._below = (f"{sdk}.types", f"{sdk}.resources")

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec of such a package; None for everything else."""
        if fullname != self._sdk and not fullname.startswith(self._below):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is None or spec.loader is None or not spec.submodule_search_locations or not (spec.origin or "").endswith(".py"):
            return None
        spec.loader = _Deferred(spec.loader)
        return spec


class _Deferred(Loader):
    """Loads a package without running it."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the package's own loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Let the module find its names when they are asked for."""
        names = _Names(module, self._loader)
        module.__getattr__ = names.find  # type: ignore[method-assign]  # as PEP 562 has it


class _Names:
    """The names of a package that has not been run."""

    def __init__(self, module: ModuleType, loader: Loader) -> None:
        self._module = module
        self._loader = loader

    @cached_property
    def _gathered(self) -> "_Gathered":
        return _gathered(Path(str(self._module.__file__)))

    def find(self, name: str) -> Any:  # noqa: ANN401 - whatever a module holds
        """The value of `name`, as the package would have it. Raises AttributeError."""
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        if name in self._gathered.origins:
            origin, known_as = self._gathered.origins[name]
            value = getattr(importlib.import_module(f"{self._module.__name__}.{origin}"), known_as)
            setattr(self._module, name, value)
            return value
        inner = f"{self._module.__name__}.{name}"
        if name not in self._gathered.made and PathFinder.find_spec(inner, self._module.__path__) is not None:
            return importlib.import_module(inner)
        self._run()
        return getattr(self._module, name)

    def _run(self) -> None:
        """Make it an ordinary package after all."""
        del self._module.__getattr__
        self._loader.exec_module(self._module)


class _Gathered(NamedTuple):
    """What an `__init__` gathers: name → (module below the package, name there); and the names that it makes in other ways."""

    origins: dict[str, tuple[str, str]]
    made: set[str]


def _gathered(init: Path) -> _Gathered:
    tree = ast.parse(init.read_bytes())
    origins: dict[str, tuple[str, str]] = {}
    made: set[str] = set()
    for statement in tree.body:
        match statement:
            case ast.ImportFrom(module=str(origin), level=1):
                origins.update({each.asname or each.name: (origin, each.name) for each in statement.names})
            case ast.ImportFrom():
                pass
            case _:
                made.update(_bound(statement))
    return _Gathered({name: origin for name, origin in origins.items() if name != "*" and name not in made}, made)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement, or one within it, may bind."""
    for node in ast.walk(statement):
        match node:
            case ast.alias(name=name, asname=known_as):
                yield known_as or name.partition(".")[0]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case _:
                pass
