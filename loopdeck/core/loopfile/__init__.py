"""Loop files: text in, a `LoopSpec` or problems out, each with line and remedy. See `files` for the two doors."""

from loopdeck.core.loopfile.files import DeckFile, Reading, read_deck, read_loop
from loopdeck.core.loopfile.uses import Use, named

__all__ = ["DeckFile", "Reading", "Use", "named", "read_deck", "read_loop"]
