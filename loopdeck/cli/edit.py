"""A state opened in the operator's editor and saved, if it fits.

Invariant: what was typed is on disk until it is the state, and its place is named whenever it could not become it.
"""

import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from loopdeck.cli import here, out
from loopdeck.deck import stating
from loopdeck.deck.decks import Deck
from loopdeck.errors import LoopdeckError, UsageError
from loopdeck.store.files import make_dir, read_bytes, write_atomic
from loopdeck.store.state import LoopState, StateClash, StateText


class _NotSaved(UsageError):
    """The text could not become the state; where it is kept is in the remedy."""


def edit(deck: Deck, loop: str, state: LoopState, *, as_json: bool = False) -> int:
    """Open the state, and save what came of it: merged with what others wrote meanwhile, or put beside it if that can't be.

    Raises UsageError if there is no editor, it fails, or the two don't go together; then nothing was changed.
    """
    before = state.peek() or state.read()
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    copy = deck.home.state_dir(loop) / f"STATE.yours-{stamp}-{os.getpid()}.md"
    make_dir(copy.parent)
    write_atomic(copy, before.text.encode())
    typed = _typed(copy, before)
    if typed is None:
        return _say(deck, loop, state, before, before, as_json)
    try:
        saved = stating.save(state, before, typed, here.operator())
    except LoopdeckError as error:
        raise _kept(loop, state, copy, typed, error) from error
    _forget(copy)
    return _say(deck, loop, state, saved.old, saved.new, as_json)


def _typed(copy: Path, before: StateText) -> str | None:
    """What the operator made of it; None if nothing."""
    try:
        _open(copy)
    except UsageError as error:
        typed = _text_of(copy, before)
        where = f" What you have typed is in {copy}." if typed != before.text else ""
        if not where:
            _forget(copy)
        raise UsageError(error.what, remedy=error.remedy + where) from error
    typed = _text_of(copy, before)
    if typed == before.text:
        _forget(copy)
        return None
    return typed


def _text_of(copy: Path, before: StateText) -> str:
    data = read_bytes(copy)
    return before.text if data is None else data.decode("utf-8", "replace")


def _forget(copy: Path) -> None:
    with suppress(OSError):
        copy.unlink()


def _open(copy: Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    remedy = "Set VISUAL or EDITOR to an editor that waits until you are done."
    if not editor and not sys.stdin.isatty():
        raise UsageError("there is no terminal for an editor, and none is named", remedy=remedy)
    try:
        words = shlex.split(editor) or ["vi"]
    except ValueError as error:
        raise UsageError(f"the editor {editor!r} is no command line: {error}", remedy=remedy) from error
    # Ctrl-C in an editor is the editor's; a handler (unlike ignoring) is not handed down to it.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        code = subprocess.run([*words, str(copy)], check=False).returncode
    except OSError as error:
        raise UsageError(f"the editor {words[0]!r} can't be started: {error.strerror}", remedy=remedy) from error
    finally:
        signal.signal(signal.SIGINT, before)
    if code:
        raise UsageError(f"the editor {words[0]!r} ended with {code}, so nothing was saved", remedy=remedy)


def _kept(loop: str, state: LoopState, copy: Path, typed: str, error: LoopdeckError) -> UsageError:
    """The refusal, once the operator's text is safe in two places."""
    version = ""
    with suppress(LoopdeckError):
        version = f" and as the version {state.keep_version(typed, 'operator', here.operator())}"
    if isinstance(error, StateClash):
        remedy = f"Yours is kept in {copy}{version}. Look at both, then `loopdeck state {loop} --edit` again."
        return _NotSaved("somebody else changed the same lines meanwhile, so yours are not saved", where=str(state.path), remedy=remedy)
    return _NotSaved(error.what, where=str(state.path), remedy=f"Yours is kept in {copy}{version}. {error.remedy}")


def _say(deck: Deck, loop: str, state: LoopState, old: StateText, new: StateText, as_json: bool) -> int:
    diff = "\n".join(stating.difference(old.text, new.text))
    if as_json:
        out.document({"loop": loop, "path": str(state.path), "saved": old.hash != new.hash, "hash": new.hash, "diff": diff})
        return 0
    if old.hash == new.hash:
        out.say("nothing was changed")
        return 0
    out.say(diff.rstrip("\n"))
    out.say(f"\nsaved: {state.path}")
    for one in deck.views():
        if one.run.loop != loop or one.status == "ended":
            continue
        if one.run.asking == "state":
            out.say(f"The run {one.run.id} waits for this: `loopdeck resume {one.run.id}` goes on with the state as it is now.")
        else:
            out.say(f"The run {one.run.id} reads it at its next iteration.")
    return 0
