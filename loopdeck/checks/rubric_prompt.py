"""What the grader of a rubric is told.

The invariants: the request and the rubric are there in full, however long the work; all that comes from the maker is declared
untrusted and set in tags with a code it can't know, and can't close them; what is left out for length is said.
"""

import re
import secrets
from collections.abc import Sequence
from importlib import resources
from string import Template

from msgspec import Struct

from loopdeck.checks.criteria import RubricCriterion
from loopdeck.checks.output import plain
from loopdeck.checks.port import ChangedPath, CheckContext
from loopdeck.checks.reading import Checkout
from loopdeck.core.conversation import Part

SOURCE = "prompts/rubric.md"
MOST_DIFF = 60_000
MOST_FILES = 60_000
MOST_OF_A_FILE = 12_000
MOST_STATE = 8_000
MOST_TRANSCRIPT = 24_000
_MOST_PATHS = 300
_NAMES = "request|rubric|criteria|measured|state|changes|diff|files|file|transcript"
_OUR_TAGS = re.compile(rf"<(?=\s*/?\s*(?:{_NAMES})\b)", re.IGNORECASE)


class GraderPrompt(Struct, frozen=True):
    """The steady part, and the message about this piece of work."""

    system: Part
    message: str


class Measured(Struct, frozen=True):
    """A criterion that a command has decided already."""

    id: str
    passed: bool
    said: str


def grader_prompt(
    rubric: str, criteria: Sequence[RubricCriterion], measured: Sequence[Measured], context: CheckContext, nonce: str = ""
) -> GraderPrompt:
    """The prompt that asks for a verdict on each of `criteria`."""
    nonce = nonce or secrets.token_hex(8)
    steady, _, asked = resources.files("loopdeck").joinpath(SOURCE).read_text("utf-8").partition("<!-- work -->\n")

    def block(name: str, text: str) -> str:
        return f"<{name}-{nonce}>\n{_OUR_TAGS.sub('&lt;', text).strip()}\n</{name}-{nonce}>"

    listed = "\n".join(f"- {one.id}: {' '.join(one.text.split())}" for one in criteria)
    message = Template(asked).safe_substitute(
        nonce=nonce,
        iteration=context.iteration,
        request=block("request", context.goal),
        rubric=block("rubric", rubric),
        criteria=block("criteria", listed),
        measured=block("measured", _measured(measured)) if measured else "",
        state=block("state", middle_out(plain(context.state), MOST_STATE)),
        changes=block("changes", _changes(context.changed)),
        diff=block("diff", middle_out(plain(context.diff), MOST_DIFF)),
        files=block("files", _files(context.changed, Checkout(context.checkout), nonce)),
        transcript=block("transcript", _end_of(plain(context.transcript), MOST_TRANSCRIPT)),
        ids=", ".join(one.id for one in criteria),
    )
    return GraderPrompt(Part("rubric", steady.strip(), SOURCE, stable=True), re.sub(r"\n{3,}", "\n\n", message).strip())


def middle_out(text: str, most: int) -> str:
    """`text`, of which a middle part is left out and counted if it is longer than `most` characters."""
    if len(text) <= most:
        return text or "(empty)"
    first = most * 2 // 3
    last = most - first
    return f"{text[:first]}\n[… {len(text) - most} characters in the middle are left out here …]\n{text[-last:]}"


def _end_of(text: str, most: int) -> str:
    if len(text) <= most:
        return text or "(empty)"
    return f"[… the first {len(text) - most} characters are left out here …]\n{text[-most:]}"


def _measured(measured: Sequence[Measured]) -> str:
    head = "These criteria of the rubric were decided by commands; don't grade them.\n"
    return head + "\n".join(f"- {one.id}: {'passed' if one.passed else 'failed'}: {plain(one.said)[:500]}" for one in measured)


def _changes(changed: Sequence[ChangedPath]) -> str:
    lines = [f"{_name(one.path)} +{one.added} -{one.removed}" for one in changed[:_MOST_PATHS]]
    more = [f"and {len(changed) - _MOST_PATHS} more"] if len(changed) > _MOST_PATHS else []
    return "\n".join([*lines, *more]) or "(nothing was changed)"


def _files(changed: Sequence[ChangedPath], checkout: Checkout, nonce: str) -> str:
    """The changed files as they are now, as far as there is room."""
    shown: list[str] = []
    left_out: list[str] = []
    room = MOST_FILES
    for one in changed[:_MOST_PATHS]:
        text = checkout.text(one.path, 4 * MOST_OF_A_FILE) if checkout.relative(one.path) == one.path else None
        if text is None or "\x00" in text[:8000]:
            continue
        text = middle_out(plain(text), MOST_OF_A_FILE)
        if len(text) > room:
            left_out.append(_name(one.path))
            continue
        room -= len(text)
        shown.append(f"[{nonce}] file {_name(one.path)}:\n{text}")
    if left_out:
        shown.append(f"[{nonce}] left out for length: {', '.join(left_out[:50])}")
    return "\n\n".join(shown) or "(none of them is a text file that is still there)"


def _name(path: str) -> str:
    return " ".join(plain(path).split())[:300]
