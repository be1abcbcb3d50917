"""The MCP servers that loops name, looked at without starting one: who they are, and whether their programs are there.

Nothing of a server is run for it: its command is the operator's word for what a run may start, and a look is no run.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from loopdeck.core.shellwords import plain
from loopdeck.core.spec import Connector, LoopSpec, Problem
from loopdeck.core.tables import parse
from loopdeck.store.deckfiles import LOOP_FILE, LOOPS
from loopdeck.store.texts import read_text


class Named(Struct, frozen=True):
    """A server of `loop`: its command or address, its program, and whether that is there (None: it can't be told beforehand)."""

    loop: str
    name: str
    where: str
    program: str = ""
    found: bool | None = None


def named(root: Path, spec: LoopSpec) -> Iterator[Named]:
    """The servers of one loop."""
    for one in spec.maker.connectors:
        program = _program(one)
        found = _is_there(root, program) if program else None
        yield Named(spec.name, one.name, one.url or one.command, program, found)


def warnings(root: Path, spec: LoopSpec) -> list[Problem]:
    """What a lint has to say of them, at the lines that name them."""
    file = f"{LOOPS}/{spec.name}/{LOOP_FILE}"
    told = []
    for number, one in enumerate(named(root, spec)):
        if one.found is False:
            what = f"connector {one.name!r}: there is no program {one.program!r} on the PATH"
            told.append(Problem(*_place(root, file, number), what, "Install it, or mend the command.", warning=True))
    return told


def _place(root: Path, file: str, number: int) -> tuple[str, int]:
    text = read_text(root / file, file)
    tables = [] if isinstance(text, Problem) else parse(text, file).table("maker").tables("connector")
    return tables[number].place("command") if number < len(tables) else (file, 1)


def _program(one: Connector) -> str:
    """The program that a plain command line begins with; nothing of one that a shell has to make sense of."""
    words = plain(one.command) if one.command else None
    return words[0] if words else ""


def _is_there(root: Path, program: str) -> bool:
    if "/" in program:
        return (root / program).exists()
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))
    return shutil.which(program, path=places) is not None
