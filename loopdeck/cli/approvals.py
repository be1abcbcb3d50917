"""The gate: `approvals`, `approve`, `deny`."""

import argparse
import json

from loopdeck.cli import here, out
from loopdeck.core.commands import Decide
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
    one, approval = _find(deck, options.id)
    if approval.decided:
        raise UsageError(f"{approval.by} has answered it already", where=approval.id)
    if one.run.status == "ended":
        raise UsageError(f"its run has ended: {one.reason}", where=approval.id, remedy="Start another with `loopdeck start`.")
    approved = options.verb == "approve"
    command = Decide(
        by=here.operator(), at=here.now(), approval=approval.id, approved=approved,
        why="" if approved else options.why, arguments=_edited(options.edit) if approved else "",
        always=_rule(options.always) if approved else "",
    )  # fmt: skip
    paths = deck.home.run_dir(one.run.loop, one.run.id)
    if not deck.send(paths, command, name=f"decision-{approval.id}"):
        raise UsageError("somebody else has just answered it", where=approval.id, remedy="`loopdeck show` says who and how.")
    return _answered(deck, paths, one, approval, approved, options.json)


def _answered(deck: Deck, paths: RunPaths, one: RunView, approval: Approval, approved: bool, as_json: bool) -> int:
    word = "approved" if approved else "denied"
    if one.live:
        deck.wait_until(paths, lambda now: now.run.approvals[approval.id].decided, PATIENCE_S)
    if as_json:
        out.document({"id": approval.id, "run": one.run.id, "decision": word})
    else:
        out.say(f"{approval.id} {word}: {approval.tool} {approval.summary}")
    if not one.live:
        out.warn(f"its runner is gone; `loopdeck resume {one.run.id}` goes on with this answer")
    return 0


def _list(deck: Deck, as_json: bool) -> int:
    waiting = [(one, approval) for one in deck.views() for approval in one.run.pending_approvals if one.reason in (None, "lost")]
    if as_json:
        out.document({"approvals": [entry(one, approval) for one, approval in waiting]})
        return 0
    if not waiting:
        out.say("Nothing waits for you.")
    for one, approval in waiting:
        out.say(f"{approval.id}  {one.run.loop}  {approval.tier}  since {approval.since}")
        out.say(f"  {approval.tool} {approval.summary}")
        out.say(f"  in {approval.cwd}; {approval.reason or approval.rule}")
    return 0


def entry(one: RunView, approval: Approval) -> dict[str, object]:
    """An approval as JSON: everything its answer binds to."""
    return {
        "id": approval.id, "run": one.run.id, "loop": one.run.loop, "tool": approval.tool, "summary": approval.summary,
        "arguments": json.loads(approval.arguments), "cwd": approval.cwd, "rule": approval.rule, "tier": approval.tier,
        "reason": approval.reason, "digest": approval.digest, "since": approval.since, "expires": approval.expires or None,
    }  # fmt: skip


def _find(deck: Deck, reference: str) -> tuple[RunView, Approval]:
    """The approval whose id is, or uniquely begins with, `reference`; or the only one of a run or loop of that name."""
    waiting = [(one, approval) for one in deck.views() for approval in one.run.approvals.values()]
    exact = [pair for pair in waiting if pair[1].id == reference]
    if exact:
        return exact[0]
    pending = [pair for pair in waiting if not pair[1].decided]
    found = [pair for pair in pending if pair[1].id.startswith(reference) or pair[0].run.loop == reference]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"no approval '{reference}' waits", remedy="`loopdeck approvals` lists them.")
    some = ", ".join(approval.id for _, approval in found[:5])
    raise UsageError(f"'{reference}' means {len(found)} approvals", remedy=f"Name one: {some}.")


def _edited(text: str) -> str:
    if not text:
        return ""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--edit is not JSON: {error}", remedy='For example --edit \'{"command": "git push --dry-run"}\'.') from error
    if not isinstance(value, dict):
        raise UsageError("--edit must be a JSON object", remedy="Give all arguments of the call.")
    return json.dumps(value)


def _rule(text: str) -> str:
    if not text:
        return ""
    # What a rule may look like takes a while to import, and is seldom asked.
    from loopdeck.core.shapes import rule

    if complaint := rule(text):
        raise UsageError(f"--always {complaint[0]}", remedy=complaint[1])
    return text
