"""A person's answer to a gated call, made into the command that carries it: one way for the verbs and the room.

Invariant: what comes out of `decided` makes sense to the runner: a refusal has a reason, edited arguments are ones that the tool takes,
and a rule covers the very call it is given with. Of two answers to one call the first counts, and who came second is told whose it was.
"""

import json
from datetime import datetime

import msgspec
from msgspec import Struct

from loopdeck.core import gate
from loopdeck.core.commands import Command, Decide
from loopdeck.core.run import Approval
from loopdeck.core.spec import Level
from loopdeck.core.text import clean_line
from loopdeck.deck.decks import Deck
from loopdeck.errors import UsageError
from loopdeck.store import inbox
from loopdeck.store.layout import RunPaths

_BUILT_IN = frozenset({"default", "gated path", "level: report", ""})
"""What `Approval.rule` says where no rule of the operator's asked."""
_STILL = "Nothing was answered: the call still waits."


class Answer(Struct, frozen=True, kw_only=True):
    """What a person says to a call. `arguments` (JSON text) are to run instead; `always` is a rule to allow to the end of the run."""

    approved: bool
    why: str = ""
    arguments: str = ""
    always: str = ""


def decided(approval: Approval, answer: Answer, *, by: str, at: str) -> Decide:
    """The command that `answer` is; `at` is UTC, RFC 3339. Raises UsageError for one that would make no sense."""
    if approval.decided:
        raise UsageError(f"{approval.by} has answered it already", where=approval.id)
    if not answer.approved:
        if not answer.why.strip():
            raise UsageError("to deny a call takes a reason", where=approval.id, remedy="Say why: its maker is told.")
        return Decide(by=by, at=at, approval=approval.id, approved=False, why=answer.why.strip())
    if expired(approval, at):
        raise UsageError(f"it expired at {approval.expires}", where=approval.id, remedy="It can only be denied by now.")
    arguments = edited(approval.tool, answer.arguments) if answer.arguments else ""
    always = answer.always.strip()
    if always and (wrong := rule_complaint(approval, always, arguments)):
        raise UsageError(wrong, where=approval.id, remedy=_STILL)
    return Decide(by=by, at=at, approval=approval.id, approved=True, why=answer.why, arguments=arguments, always=always)


def expired(approval: Approval, at: str) -> bool:
    """True if nobody may allow it any more at `at`; one whose time can't be read has expired."""
    if not approval.expires:
        return False
    try:
        return datetime.fromisoformat(at) >= datetime.fromisoformat(approval.expires)
    except (ValueError, TypeError):
        return True


def edited(tool: str, text: str) -> str:
    """The arguments to be run instead, as JSON text, if `tool` can make sense of them. Raises UsageError."""
    from loopdeck.tools import arguments as args

    remedy = f"Give all arguments of the call: {args.shape(tool)}." if tool in args.TYPES else "Give all arguments of the call."
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the edited arguments are not JSON: {error}", remedy=remedy) from error
    if not isinstance(value, dict):
        raise UsageError("the edited arguments must be a JSON object", remedy=remedy)
    made = json.dumps(value)
    wrong = args.parse(tool, made) if tool in args.TYPES else ""
    if isinstance(wrong, str) and wrong:
        raise UsageError(f"as edited: {wrong}", remedy=_STILL)
    return made


def proposed_rule(approval: Approval) -> str:
    """The narrowest rule that would let such a call through from now on; empty if there is none that could be read.

    Whether it would hold says `rule_complaint`: what asks is stronger than what allows.
    """
    text = gate.rule_for(approval.tool, approval.arguments)
    return text if clean_line(text, len(text) + 40) == text else ""


def rule_complaint(approval: Approval, text: str, arguments: str = "") -> str:
    """Why `text` can't be the rule that is given with this call (as edited, if `arguments` are given); empty if it can."""
    # What a rule may look like takes a while to import, and is seldom asked.
    from loopdeck.core.shapes import rule

    if complaint := rule(text):
        return f"the rule {complaint[0]}. {complaint[1]}"
    if clean_line(text, len(text) + 40) != text:
        return "the rule holds characters that can't be seen"
    arguments = arguments or approval.arguments
    if not gate.covers(text, approval.tool, arguments):
        return f"the rule {text} does not cover this call, so it would allow others and not this one"
    asks = () if approval.rule in _BUILT_IN else (approval.rule,)
    level: Level = "report" if approval.rule == "level: report" else "assisted"
    ruling = gate.judge(gate.Policy(allow=(text,), ask=asks, level=level), approval.tool, arguments)
    return (
        ""
        if ruling.verdict == "allow"
        else f"the rule would change nothing, for what asks is stronger than what allows: {ruling.reason}"
    )


class Given(Struct, frozen=True):
    """What came of an answer: whether it is `ours` that counts, and the one that does, None if that can't be read."""

    ours: bool
    counts: Decide | None


def put(deck: Deck, paths: RunPaths, command: Decide) -> Given:
    """Carry the answer to its run. Raises StoreError."""
    if deck.send(paths, command, name=_name(command.approval)):
        return Given(True, command)
    return Given(False, decision(paths, command.approval))


def said(counts: Decide | None) -> str:
    """Who answered what and when, for whoever came second. Raw text."""
    if counts is None:
        return "somebody else answered first"
    how = "approved" if counts.approved else "denied"
    why = f": {counts.why}" if counts.why else ""
    return f"{counts.by} answered first: {how}{' at ' + counts.at if counts.at else ''}{why}"


def decision(paths: RunPaths, approval: str) -> Decide | None:
    """The answer that lies in the run's inbox, taken up or not; None if there is none."""
    payload = inbox.look(paths.inbox, _name(approval))
    if payload is None:
        return None
    try:
        command: Command = msgspec.json.decode(payload, type=Command)
    except (msgspec.DecodeError, RecursionError):
        return None
    return command if isinstance(command, Decide) else None


def _name(approval: str) -> str:
    return f"decision-{approval}"
