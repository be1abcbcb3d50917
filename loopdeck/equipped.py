"""What a maker's agent needs of this machine and of its loop file, said before a run is started for it.

Invariant: nothing is run for it, and nothing is refused: what a person's machine has when the run begins may be something else.
"""

import shutil
from collections.abc import Iterator

from loopdeck.agents.outside import acpquirks
from loopdeck.core.loopfile.who import agent_of
from loopdeck.core.shellwords import plain
from loopdeck.core.spec import CHILDREN, OUTSIDE, LoopSpec, Problem
from loopdeck.core.tables import Table, parse
from loopdeck.deck.decks import Deck
from loopdeck.store.deckfiles import LOOP_FILE, LOOPS
from loopdeck.store.texts import read_text

_OWN = ("draft", "review", "fallback")
"""Roles for the maker's own turns."""


def warnings(deck: Deck, spec: LoopSpec) -> list[Problem]:
    """What a lint has to say of the maker of `spec`, at the lines that name it."""
    file = f"{LOOPS}/{spec.name}/{LOOP_FILE}"
    text = read_text(deck.root / file, file)
    if isinstance(text, Problem):
        return []
    root = parse(text, file)
    told = (
        *_of_agent(spec, root.table("maker")),
        *_of_roles(spec, root.table("models")),
        *_of_tools(deck, spec, root.table("maker")),
    )
    return list(told)


def _of_agent(spec: LoopSpec, table: Table) -> Iterator[Problem]:
    maker = spec.maker
    if maker.agent not in OUTSIDE:
        return
    words = (maker.agent,) if maker.agent in ("claude", "codex") else plain(maker.command) or ()
    if words and "/" not in words[0] and shutil.which(words[0]) is None:
        what = f"there is no program {words[0]!r} on the PATH"
        yield _warning(table, "command" if maker.command else "agent", what, "Install it; `loopdeck doctor` says what is there.")
    if maker.agent == "acp" and not maker.model and (quirks := acpquirks.quirks_of(words)).wants_model:
        what = f"{quirks.name} is told no model, and through the gateway it has none of its own"
        yield _warning(table, "command", what, 'Write `model = "…"` into `[maker]`.')


def _of_roles(spec: LoopSpec, table: Table) -> Iterator[Problem]:
    """An agent with a loop of its own makes all turns itself: another one's models are nothing to it."""
    if spec.maker.agent not in OUTSIDE:
        return
    for role in _OWN:
        named = agent_of(getattr(spec.models, role))
        if named is not None and named != spec.maker.agent:
            what = f"`models.{role}` is not used: the maker's turns are all made by {spec.maker.agent}, not by {named}"
            yield _warning(table, role, what, f"Name a model of {spec.maker.agent} alone, or take the role out.")


def _of_tools(deck: Deck, spec: LoopSpec, table: Table) -> Iterator[Problem]:
    if spec.maker.agent in OUTSIDE and "tools" in table:
        what = f"`tools` has no effect: {spec.maker.agent} brings tools of its own, and can't start other loops"
        remedy = "Hold its calls by rules in `[gates]`; other loops are started by a maker of anthropic, openai or scripted."
        yield _warning(table, "tools", what, remedy)
        return
    there = deck.loops()
    for tool in spec.maker.tools:
        name = tool.removeprefix(CHILDREN)
        if name == tool:
            continue
        if name == spec.name:
            yield _warning(table, "tools", f"`{tool}` is this loop, which can't start itself", "Take it out of `tools`.")
        elif name not in there:
            known = ", ".join(one for one in there if one != spec.name) or "none yet"
            yield _warning(table, "tools", f"`{tool}`: there is no loop {name!r}", f"Other loops here: {known}.")


def _warning(table: Table, key: str, what: str, remedy: str) -> Problem:
    return Problem(*table.place(key), what, remedy, warning=True)
