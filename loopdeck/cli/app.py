"""From the command line to a verb and back to an exit code."""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence

from loopdeck.cli.arguments import VERBS, parser
from loopdeck.errors import LoopdeckError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb. Returns its exit code; a user's mistake is 2 and never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character gets its number; a verb never fails over it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(argv)
    if options.verb is None:
        return _no_verb()
    try:
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
        # Whoever read our output has had enough; the rest goes nowhere, also what is flushed at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _no_verb() -> int:
    parser().print_help()
    sys.stdout.write("\nThe control room comes next. Until then: `loopdeck status --watch`, or any verb above.\n")
    return 0
