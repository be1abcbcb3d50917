"""A person's answer to a gated call, made into the command that carries it: one way for the verbs and the room.

Invariant: what comes out of `decided` makes sense to the runner: a refusal has a reason, edited arguments are ones that the tool takes,
and a rule covers the very call it is given with. Of two answers to one call the first counts, and who came second is told whose it was.
"""

import json
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from loopdeck.core import gate
from loopdeck.core.binding import Parts
from loopdeck.core.commands import Command, Decide
from loopdeck.core.durations import seconds
from loopdeck.core.run import Approval
from loopdeck.core.spec import Level
from loopdeck.core.text import clean_line
from loopdeck.deck.decks import Deck
from loopdeck.deck.whereabouts import whereabouts
from loopdeck.errors import UsageError
from loopdeck.store import inbox
from loopdeck.store.layout import RunPaths

_BUILT_IN = frozenset({"default", "gated path", "level: report", ""})
"""What `Approval.rule` says where no rule of the operator's asked."""
LEAST_S, MOST_S = 1.0, 7 * 86_400.0
"""Seconds for which a rule may be given."""
_STILL = "Nothing was answered: the call still waits."


class Answer(Struct, frozen=True, kw_only=True):
    """What a person says to a call. `arguments` (JSON text) are to run instead; `always` is a rule to allow from now on in the run.

    `lasting` says for how long that rule holds (`2h`); empty: to the end of the run.
    """

    approved: bool
    why: str = ""
    arguments: str = ""
    always: str = ""
    lasting: str = ""


def decided(approval: Approval, answer: Answer, *, by: str, at: str) -> Decide:
    """The command that `answer` is; `at` is UTC, RFC 3339. Raises UsageError for one that would make no sense."""
    if approval.decided:
        what = f"{approval.by} has answered it already" if approval.by else f"it is no longer asked: {approval.why}"
        raise UsageError(what, where=approval.id)
    if not answer.approved:
        if not answer.why.strip():
            raise UsageError("to deny a call takes a reason", where=approval.id, remedy="Say why: its maker is told.")
        return Decide(by=by, at=at, approval=approval.id, approved=False, why=answer.why.strip())
    if expired(approval, at):
        raise UsageError(f"it expired at {approval.expires}", where=approval.id, remedy="It can only be denied, or is asked anew.")
    arguments = edited(approval.tool, answer.arguments) if answer.arguments else ""
    always = answer.always.strip()
    if always and (wrong := rule_complaint(approval, always, arguments)):
        raise UsageError(wrong, where=approval.id, remedy=_STILL)
    return Decide(
        by=by, at=at, approval=approval.id, approved=True, why=answer.why, arguments=arguments, always=always, digest=approval.digest,
        for_s=lasting_s(answer.lasting, always), bound=_named(approval, arguments) if arguments else (),
    )  # fmt: skip


def lasting_s(text: str, rule: str) -> float:
    """For how many seconds a rule is to hold; 0: to the end of the run. Raises UsageError."""
    if not text.strip():
        return 0.0
    if not rule:
        raise UsageError("a time without a rule to hold for it", remedy="Give the rule with `--always RULE --for 2h`.")
    found = seconds(text.strip())
    if found is None or not LEAST_S <= found <= MOST_S:
        raise UsageError(f"'{text}' is no time for a rule", remedy="Write for example 30m, 2h or 1d; at most 7d.")
    return found


def timed(text: str) -> tuple[str, str]:
    """A rule as it is typed, apart from the time it is to hold: `bash(make) for 2h`; the time is empty if none is said."""
    rule, sep, last = text.strip().rpartition(" for ")
    return (rule.strip(), last.strip()) if sep and seconds(last) is not None else (text.strip(), "")


def timed_complaint(approval: Approval, text: str) -> str:
    """Why `text`, a rule and perhaps its time, can't be given with this call; empty if it can."""
    rule, lasting = timed(text)
    try:
        lasting_s(lasting, rule)
    except UsageError as error:
        return error.what
    return rule_complaint(approval, rule)


def _named(approval: Approval, arguments: str) -> Parts:
    """The files that edited arguments name, as they are where the call will run."""
    from loopdeck.tools import named

    return named.files(Path(approval.cwd), approval.tool, arguments)


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
    command = structs.replace(command, where=command.where or whereabouts())
    if deck.send(paths, command, name=_name(command.approval)):
        return Given(True, command)
    if _name(command.approval) in deck.view(paths).run.refused:
        # What lies there came too early, or was none: it has been refused, and stands in nobody's way.
        deck.send(paths, command)
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
