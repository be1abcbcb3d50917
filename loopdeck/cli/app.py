"""From the command line to a verb and back to an exit code."""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Iterable, Sequence

from loopdeck.errors import LoopdeckError, UsageError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb. Returns its exit code; a user's mistake is 2 and never a traceback."""
    _mend_streams()
    try:
        words = sys.argv[1:] if argv is None else argv
        if not words:
            # The parser takes a while to load, and there is nothing to parse.
            return _room(words)
        from loopdeck.cli.arguments import VERBS, parser

        if words[0] not in VERBS and (_is_place(words[0]) or os.sep in words[0]):
            return _room(words)
        if words[0] not in VERBS and not words[0].startswith("-"):
            raise _no_verb(words[0], VERBS)
        options = parser(*words[:1]).parse_args(words)
        module = importlib.import_module(f"loopdeck.cli.{VERBS[options.verb].module}")
        code = int(module.run(options))
        sys.stdout.flush()
    except LoopdeckError as error:
        from loopdeck.cli.out import complain

        complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:
        if error.filename is not None:
            raise
        # A write to no named file: our output is what can't be written.
        _drop_output()
        sys.stderr.write(f"loopdeck: the output can't be written: {error.strerror}\n")
        return 1
    return code


def _mend_streams() -> None:
    """Streams that were closed lead nowhere, and no file of ours may get their numbers; a character that can't be shown is a number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Whoever read our output has had enough, or there is no room: the rest goes nowhere, also what is flushed at exit."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _room(words: Sequence[str]) -> int:
    from loopdeck.cli import room

    return room.run(words)


def _no_verb(word: str, verbs: Iterable[str]) -> UsageError:
    """What is said of a word that is no verb and no folder: the nearest verb."""
    import difflib

    from loopdeck.core.text import clean_line

    near = difflib.get_close_matches(word, verbs, 1, 0.5)
    hint = f"Did you mean `loopdeck {near[0]}`? " if near else ""
    return UsageError(f"there is no verb {clean_line(word, 60)!r}", remedy=f"{hint}`loopdeck --help` lists them all.")


def _is_place(word: str) -> bool:
    """True if it is a folder, which only the room takes."""
    return not word.startswith("-") and os.path.isdir(word)  # noqa: PTH112 - pathlib takes 10 ms to load
