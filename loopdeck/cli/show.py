"""`loopdeck show`: one run, for a person who wants to know how it stands, what it cost and what is open."""

import argparse

from loopdeck.cli import here, out, receipts
from loopdeck.cli.showing import report_of, whole
from loopdeck.core.barriers import held
from loopdeck.core.findings import Finding, Verdict
from loopdeck.core.plural import some
from loopdeck.core.run import Approval, Iteration, Run
from loopdeck.core.shares import checker_share, cost_of, hit_share
from loopdeck.core.usage import dollars
from loopdeck.deck.reading import edited
from loopdeck.deck.view import RunView, waiting_for

_MOST_FINDINGS = 40
_TAIL_LINES = 6


def run(options: argparse.Namespace) -> int:
    """Print it. A damaged journal is shown as far as it can be read, with the damage named."""
    deck = here.deck()
    paths = deck.resolve(options.run)
    one = deck.view(paths)
    if options.json:
        money = {"receipts": receipts.entries(deck, paths), "routing": receipts.routing(deck, paths)}
        out.document(whole(one, paths, edited(one.run, deck.root)) | money)
        return 0
    _say_head(one, report_of(paths))
    if edited(one.run, deck.root):
        out.say("  the loop file has changed since the start: that applies to the next run")
    if saved := receipts.routing(deck, paths):
        dearest, all_of_it = saved["frontier"], saved["all_frontier_usd"]
        out.say(f"  routing saved about ${saved['saved_usd']:.4f}: {dearest} for all of it had come to about ${all_of_it:.4f}")
    _say_iterations(one.run)
    _say_findings(one.run.findings)
    _say_verdicts(one.run)
    _say_approvals(list(one.run.approvals.values()))
    _say_notices(one)
    return 0


def _say_head(one: RunView, report: str | None) -> None:
    run = one.run
    status = one.status if one.reason is None else f"ended: {one.reason}"
    doing = f" ({one.phase})" if one.phase else ""
    out.say(f"{run.loop} {run.id}  {status}{doing}")
    if one.damage:
        out.say(f"  DAMAGED: {one.damage}; what follows is as far as the journal can be read")
    commits = f"  {run.base[:12]}..{run.commit[:12]}" if run.base else ""
    best = f", iteration {run.best} is kept" if run.best else ""
    times = f"started {run.started_at or run.queued_at or 'not yet'}" + (f", ended {run.ended_at}" if run.ended_at else "")
    why = waiting_for(one)
    lines = [
        *([("why", why)] if why else []),
        *([("retry of", f"{run.origin}, from iteration {run.origin_iteration}")] if run.origin else []),
        ("branch", f"{run.branch}{commits}{best}" if run.branch else "none yet"),
        ("worktree", run.worktree or "none yet"),
        ("files", one.dir),
        ("report", report or "written when the run ends"),
        ("time", f"{times}, active for {run.clock:.1f} s" + (f", by {run.by}" if run.by else "")),
        *(("sandbox", text) for text, _ in held(run.door, run.walls, run.hosts, run.lacks)),
        *_limits(run),
    ]
    for name, text in lines:
        out.field(name, text)


def _limits(run: Run) -> list[tuple[str, str]]:
    """Each limit with what has been taken of it."""
    limits, spend = run.settings, run.spend
    cost = "unknown" if run.cost is None else f"${dollars(run.cost):.4f}"
    capped = limits.max_cost is not None and run.cost is not None
    dear = f" of ${dollars(limits.max_cost or 0):.2f}{_part(run.cost or 0, limits.max_cost)}" if capped else " (no cap)"
    tokens = f"{spend.usage.tokens:,}" + (
        f" of {limits.max_tokens:,}{_part(spend.usage.tokens, limits.max_tokens)}" if limits.max_tokens else ""
    )
    wall = f"{run.clock:.1f} s" + (f" of {limits.max_wall_s:g} s{_part(run.clock, limits.max_wall_s)}" if limits.max_wall_s else "")
    calls = f"{run.tool_calls} in {'the last' if run.status == 'ended' else 'this'} iteration" + (
        f" of {limits.max_tool_calls}{_part(run.tool_calls, limits.max_tool_calls)}" if limits.max_tool_calls else ""
    )
    inner = [("children", f"{one.loop} {one.run}: {one.reason or 'goes on'}") for one in run.children.values()]
    shared = f", ${dollars(run.children_cost):.4f} of it by its children" if run.children_cost else ""
    return [
        *inner,
        ("iterations", f"{run.iteration} of {limits.max_iterations}"),
        ("cost", f"{cost}{dear}{shared}, {spend.certainty}"),
        ("tokens", tokens + _hits(hit_share(spend.usage))),
        ("wall time", wall),
        ("tool calls", calls),
    ]


def _part(taken: float, most: float | None) -> str:
    return f" ({100 * taken / most:.0f} %)" if most else ""


def _hits(share: float | None) -> str:
    return "" if share is None else f", {100 * share:.0f} % of the input from cache"


def _say_iterations(run: Run) -> None:
    if not run.iterations:
        return
    head = ("n", "score", "checks", "change", "tokens", "cost", "cached", "checker", "seconds", "")
    out.say("\nIterations")
    out.table(head, [_row(one, run.best) for one in run.iterations])


def _row(one: Iteration, best: int) -> list[str]:
    passed = sum(outcome == "passed" for outcome in one.outcomes.values())
    cost = cost_of(one.spend)
    change = "" if not one.commit else "none" if one.empty else f"{some(one.files, 'file')} +{one.added} -{one.removed}"
    remarks = [f"{signal.detector} x{signal.streak}" for signal in one.signals]
    remarks += [f"maker: {one.maker}"] if one.maker not in ("", None, "ended") else []
    remarks += ["protected paths put back"] if one.protected else []
    remarks += ["final pass"] if one.final else []
    remarks += ["kept"] if one.number == best else []
    return [
        str(one.number),
        "" if one.score is None else f"{one.score:.2f}",
        f"{passed}/{len(one.outcomes)}" if one.outcomes else "",
        change,
        f"{one.spend.usage.tokens}",
        "unknown" if cost is None else f"${cost:.4f}",
        _percent(hit_share(one.spend.usage)),
        _percent(checker_share(one)),
        f"{one.seconds:.1f}",
        ", ".join(remarks),
    ]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _say_findings(findings: tuple[Finding, ...]) -> None:
    if not findings:
        return
    out.say(f"\nOpen findings: {len(findings)}")
    for one in findings[:_MOST_FINDINGS]:
        again = ", regression" if one.regression else ""
        out.say(f"  {one.fingerprint} {one.severity}, {one.status}{again}: {_flat(f'{one.check} {one.location} {one.message}')}")
    if len(findings) > _MOST_FINDINGS:
        out.say(f"  and {len(findings) - _MOST_FINDINGS} more: `--json` has them all")


def _say_verdicts(run: Run) -> None:
    if not run.verdicts and not run.skipped:
        return
    out.say("\nVerdicts")
    for one in run.verdicts:
        out.say(f"  {'✓' if one.passed else '✗'} {_flat(one.check)}: {one.outcome}, score {one.score:.2f}, {_proof(one)}")
        if not one.passed:
            for line in one.evidence.tail.strip().splitlines()[-_TAIL_LINES:]:
                out.say(f"      {line}")
    for name in run.skipped:
        out.say(f"  - {_flat(name)}: not run, it waits for the others to pass")


def _proof(one: Verdict) -> str:
    proof = one.evidence
    parts = [
        f"`{_flat(proof.command)}`" if proof.command else "",
        f"exit code {proof.exit_code}" if proof.exit_code is not None else "",
        proof.model,
        f"{one.seconds:.2f} s",
        f"output {proof.output_hash[:12]}" if proof.output_hash else "",
        proof.at,
    ]
    return ", ".join(part for part in parts if part)


def _say_approvals(approvals: list[Approval]) -> None:
    if not approvals:
        return
    out.say("\nApprovals")
    for one in approvals:
        word = ("approved" if one.approved else "denied") if one.decided else "WAITS"
        who = f" by {one.by}" if one.by else ""
        why = f": {_flat(one.why)}" if one.why else ""
        out.say(f"  {one.id} {word}{who}{why}  asked {one.since}")
        out.say(f"    {one.tool} {_flat(one.summary)}  ({_flat(one.reason or one.rule)})")


def _say_notices(one: RunView) -> None:
    run = one.run
    notices = [*run.notices, *(f"the command {name} had no effect: {why}" for name, why in sorted(run.refused.items()))]
    when = "was never told, since the run ended before the next iteration" if run.reason else "will be told at the next iteration"
    notices += [f"{when}: {text}" for text in run.nudges]
    if notices:
        out.say("\nNotices")
    for text in notices:
        out.say(f"  {_flat(text)}")


def _flat(text: str) -> str:
    return " ".join(text.split())
