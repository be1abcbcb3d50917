"""A front door for each test, opened on a repository of its own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from loopdeck.cli.app import main
from tests.kit.front import Front, Said, opened

Open = Callable[[Mapping[str, str | bytes]], Front]


@pytest.fixture
def front(tmp_path) -> Iterator[Open]:
    """A function that makes a repository of the given files and gives its front door; all of it ends with the test."""
    with ExitStack() as stack:
        yield lambda files: stack.enter_context(opened(tmp_path, {"README.md": "# A project\n", **files}))


@pytest.fixture
def inside(monkeypatch, capsys) -> Callable[..., Said]:
    """A function that runs a verb as `Front.run` does, but in this process: for the many cases that need no other.

    It fails if anything but an exit code comes out.
    """

    def run(door: Front, *args: str) -> Said:
        monkeypatch.chdir(door.repo)
        for name, value in door.env.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        try:
            code = main(args)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run
