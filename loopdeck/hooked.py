"""What the deck says to a call of a session that it did not start: its rules, in the operator's own checkout.

The deck never loosens by itself what the session's agent would ask: what no rule of `deck.toml` names and nothing protects is left to
the agent's own permissions. Invariant: where the rules can't be read, nothing is let through unseen.
"""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from loopdeck.agents.outside.foreign import Tongue
from loopdeck.agents.outside.port import Shown
from loopdeck.core import gate, hooks, rules
from loopdeck.core.hooks import Happening, Verdict
from loopdeck.core.shapes import rule
from loopdeck.store.deckfiles import DECK
from loopdeck.tools.programs import Programs

_BUILT_IN = ("protect: ", "skills")


class _Gates(Struct, frozen=True, forbid_unknown_fields=True):
    allow: tuple[str | dict[str, Any], ...] = ()
    ask: tuple[str | dict[str, Any], ...] = ()
    deny: tuple[str | dict[str, Any], ...] = ()


class _Workspace(Struct, frozen=True):
    protect: tuple[str, ...] = ()


class _Rules(Struct, frozen=True):
    """Of a deck.toml what concerns a session in the operator's checkout."""

    gates: _Gates = _Gates()
    workspace: _Workspace = _Workspace()


class Word(Struct, frozen=True):
    """The deck's word on a call, by our name of its tool and in few words."""

    verdict: Verdict
    why: str
    tool: str
    summary: str


def judged(root: Path, found: Happening) -> Word:
    """What the rules of the deck at `root` say to the call."""
    shown = _shown(root, found)
    tool, summary = shown[0].tool, gate.summary(shown[0].tool, shown[0].arguments)
    policy = _policy(root)
    if isinstance(policy, str):
        return Word("unknown", policy, tool, summary)
    doubt = Programs(os.environ, (root,)).doubt
    words = [_word(policy, one, doubt) for one in shown]
    grave = {"deny": 0, "ask": 1, "none": 2, "allow": 3}
    verdict, why = min(words, key=lambda word: grave[word[0]])
    return Word(verdict, why, tool, summary)


def _word(policy: gate.Policy, call: Shown, doubt: gate.Doubt) -> tuple[Verdict, str]:
    ruling = gate.judge(policy, call.tool, call.arguments, doubt)
    if ruling.rule in (*policy.allow, *policy.ask, *policy.deny) or ruling.rule.startswith(_BUILT_IN):
        return ruling.verdict, ruling.reason
    if ruling.rule == "gated path":
        return "ask", ruling.reason
    return "none", ruling.reason


def _shown(root: Path, found: Happening) -> tuple[Shown, ...]:
    """The call as the gate knows it; a patch as a call for each file."""
    place = Path(found.cwd) if found.cwd else root
    if paths := hooks.patched(found):
        return tuple(Shown("", "edit_file", json.dumps({"path": _relative(root, place / path)}), found.tool_name) for path in paths)
    return (Tongue(root).shown("", found.tool_name, _placed(place, found.tool_input)),)


def _placed(place: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Paths of a call as they are from the session's folder, whole."""
    keys = ("file_path", "notebook_path")
    return given | {key: str(place / given[key]) for key in keys if isinstance(given.get(key), str)}


def _relative(root: Path, path: Path) -> str:
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except (ValueError, OSError):
        return str(path)


def _policy(root: Path) -> gate.Policy | str:
    """The deck's rules; in words why not."""
    try:
        found = msgspec.convert(tomllib.loads((root / DECK).read_text("utf-8")), _Rules)
        allow, ask, deny = (tuple(map(rules.text_of, each)) for each in (found.gates.allow, found.gates.ask, found.gates.deny))
        if not any(rule(text) for text in (*allow, *ask, *deny)):
            return gate.Policy(allow=allow, ask=ask, deny=deny, protect=found.workspace.protect)
    except FileNotFoundError:
        return gate.Policy()
    except (OSError, ValueError, RecursionError):
        pass
    return _trouble(root)


def _trouble(root: Path) -> str:
    """What is wrong with the deck's file, in the words of its linter."""
    from loopdeck.store.specs import load_deck  # what a whole deck.toml means takes a while to import, at each call of a session

    wrong = next((one for one in load_deck(root).problems if not one.warning), None)
    what = f"{wrong.file}:{wrong.line}: {wrong.what}" if wrong is not None else f"{DECK} can't be read"
    return f"{what}; until that is mended, the deck's rules are not known"
