"""The gate: `approvals`, `approve`, `deny`."""

import argparse
import json

from loopdeck.cli import here, out
from loopdeck.core import asking
from loopdeck.core.barriers import held
from loopdeck.core.commands import Decide
from loopdeck.core.durations import written
from loopdeck.core.run import Approval
from loopdeck.deck.decks import Deck
from loopdeck.deck.view import RunView
from loopdeck.errors import UsageError
from loopdeck.store.layout import RunPaths

PATIENCE_S = 10.0


def run(options: argparse.Namespace) -> int:
    """List what waits, or answer one of them."""
    deck = here.deck()
    if options.verb == "approvals":
        return _list(deck, options.json)
    one, approval = _find(deck, options.id, exactly=options.verb == "approve")
    if one.run.status == "ended" and not approval.decided:
        raise UsageError(f"its run has ended: {one.reason}", where=approval.id, remedy="Start another with `loopdeck start`.")
    # What rules mean takes a while to import, and a list needs none of it.
    from loopdeck import deciding

    approved = options.verb == "approve"
    edit = _answer(approval, options.answer) if approved and options.answer else options.edit if approved else ""
    more = {"arguments": edit, "always": options.always, "lasting": options.lasting} if approved else {"why": options.why}
    command = deciding.decided(approval, deciding.Answer(approved=approved, **more), by=here.operator(), at=here.now())
    paths = deck.home.run_dir(one.run.loop, one.run.id)
    given = deciding.put(deck, paths, command)
    if not given.ours:
        raise UsageError(deciding.said(given.counts), where=approval.id, remedy="`loopdeck show` says what came of it.")
    return _answered(deck, paths, one, approval, command, options.json)


def _answered(deck: Deck, paths: RunPaths, one: RunView, approval: Approval, command: Decide, as_json: bool) -> int:
    word = "approved" if command.approved else "denied"
    if one.live:
        deck.wait_until(paths, lambda now: now.run.approvals[approval.id].decided, PATIENCE_S)
    if as_json:
        out.document({"id": approval.id, "run": one.run.id, "decision": word})
    else:
        what = f"as edited: {approval.tool} {command.arguments}" if command.arguments else f"{approval.tool} {approval.summary}"
        out.say(f"{approval.id} {word}{', ' if command.arguments else ': '}{what}")
        if command.always:
            span = f"for {written(command.for_s)}, at most to the end of this run" if command.for_s else "to the end of this run"
            out.say(f"and from now on, {span}, what the rule {command.always} says")
    if not one.live:
        out.warn(f"its runner is gone; `loopdeck resume {one.run.id}` goes on with this answer")
    return 0


def _answer(approval: Approval, text: str) -> str:
    """The arguments of a question with its answer. Raises UsageError for a call that is no question."""
    if approval.tool != asking.TOOL:
        raise UsageError("this call is no question", where=approval.id, remedy="Approve it as it is, or give `--edit`.")
    return asking.answered(approval.arguments, text)


def _list(deck: Deck, as_json: bool) -> int:
    waiting = [(one, approval) for one in deck.views() for approval in one.run.pending_approvals if one.reason in (None, "lost")]
    if as_json:
        out.document({"approvals": [entry(one, approval) for one, approval in waiting]})
        return 0
    if not waiting:
        out.say("Nothing waits for you.")
    for one, approval in waiting:
        until = f", to be answered by {approval.expires}" if approval.expires else ""
        out.say(f"{approval.id}  {one.run.loop}  {approval.tier}  since {approval.since}{until}")
        out.say(f"  {approval.tool} {approval.summary}")
        out.say(f"  in {approval.cwd}; {approval.reason or approval.rule}")
        run = one.run
        for text, tone in held(run.door, approval.walls, run.hosts, run.lacks):
            if tone != "plain":
                out.say(f"  {text}")
    return 0


def entry(one: RunView, approval: Approval) -> dict[str, object]:
    """An approval as JSON: everything its answer binds to."""
    return {
        "id": approval.id, "run": one.run.id, "loop": one.run.loop, "tool": approval.tool, "summary": approval.summary,
        "arguments": json.loads(approval.arguments), "cwd": approval.cwd, "rule": approval.rule, "tier": approval.tier,
        "reason": approval.reason, "digest": approval.digest, "since": approval.since, "expires": approval.expires or None,
        "walls": approval.walls or None,
    }  # fmt: skip


def _find(deck: Deck, reference: str, *, exactly: bool) -> tuple[RunView, Approval]:
    """The approval whose id is `reference`, or, if not `exactly`, begins with it; or the only one of a loop of that name.

    What is allowed must be what was read: under a loop's name another call may wait by now. So only its whole id allows a call.
    """
    waiting = [(one, approval) for one in deck.views() for approval in one.run.approvals.values()]
    exact = [pair for pair in waiting if pair[1].id == reference]
    if exact:
        return exact[0]
    pending = [pair for pair in waiting if not pair[1].decided and pair[0].reason in (None, "lost")]
    found = [pair for pair in pending if pair[1].id.startswith(reference) or pair[0].run.loop == reference]
    if not found:
        raise UsageError(f"no approval '{reference}' waits", remedy="`loopdeck approvals` lists them.")
    some = "; ".join(f"{approval.id} ({approval.tool} {approval.summary})" for _, approval in found[:5])
    if exactly:
        raise UsageError(f"'{reference}' is not the id of a call, and only what was read can be allowed", remedy=f"There waits {some}.")
    if len(found) == 1:
        return found[0]
    raise UsageError(f"'{reference}' means {len(found)} approvals", remedy=f"Name one: {some}.")
