"""One run in full, as JSON: what `loopdeck show --json` prints."""

from pathlib import Path
from typing import Any

import msgspec

from loopdeck.core.findings import Finding, Verdict
from loopdeck.core.run import Approval, Iteration
from loopdeck.core.shares import checker_share, cost_of, hit_share
from loopdeck.deck.view import RunView, document
from loopdeck.store.layout import RunPaths


def whole(one: RunView, paths: RunPaths, changed: bool) -> dict[str, Any]:
    """The entry of `status --json`, and everything else there is to say; `changed`: the loop file is not what it was at the start."""
    run = one.run
    return {
        **document(one),
        "base": run.base or None,
        "commit": run.commit or None,
        "best": run.best or None,
        "by": run.by,
        "input": run.input,
        "origin": {"run": run.origin, "iteration": run.origin_iteration} if run.origin else None,
        "children": [{"run": one.run, "loop": one.loop, "reason": one.reason} for one in run.children.values()],
        "clock_s": round(run.clock, 3),
        "limit": run.limit or None,
        "detector": run.detector or None,
        "ended_by": run.ended_by or None,
        "iterations": [_iteration(each) for each in run.iterations],
        "findings": [_finding(each) for each in run.findings],
        "verdicts": [_verdict(each) for each in run.verdicts],
        "skipped": list(run.skipped),
        "approvals": [_approval(each) for each in run.approvals.values()],
        "notices": list(run.notices),
        "sandbox": {"door": run.door, "walls": run.walls, "hosts": list(run.hosts), "lacks": list(run.lacks)} if run.walls else None,
        "commands": [{"id": each, "refused": run.refused.get(each)} for each in sorted(run.commands)],
        "spec_hash": run.spec_hash or None,
        "exit_hash": run.exit_hash or None,
        "changed": changed,
        "damage": one.damage or None,
        "report": report_of(paths),
    }


def report_of(paths: RunPaths) -> str | None:
    """Where the run's report is, once it has been written."""
    return str(paths.report) if Path(paths.report).is_file() else None


def _iteration(one: Iteration) -> dict[str, Any]:
    usage = one.spend.usage
    return {
        "number": one.number,
        "started": one.started,
        "seconds": round(one.seconds, 3),
        "final": one.final,
        "maker": one.maker,
        "turns": one.turns,
        "tool_calls": one.spend.tool_calls,
        "commit": one.commit or None,
        "files": one.files,
        "added": one.added,
        "removed": one.removed,
        "protected": list(one.protected),
        "score": one.score,
        "passed": one.passed,
        "outcomes": one.outcomes,
        "findings": len(one.fingerprints),
        "signals": [msgspec.to_builtins(each) for each in one.signals],
        "usage": {
            "input": usage.input,
            "output": usage.output,
            "cache_read": usage.cache_read,
            "cache_write": usage.cache_write,
        },
        "cost_usd": cost_of(one.spend),
        "cache_hit_share": hit_share(usage),
        "checker_share": checker_share(one),
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "id": one.fingerprint,
        "check": one.check,
        "criterion": one.criterion,
        "severity": one.severity,
        "status": one.status,
        "seen": one.seen,
        "regression": one.regression,
        "path": one.path or None,
        "line": one.line or None,
        "message": one.message,
        "snippet": one.snippet,
        "evidence": one.evidence,
    }


def _verdict(one: Verdict) -> dict[str, Any]:
    proof = one.evidence
    return {
        "check": one.check,
        "kind": one.kind,
        "outcome": one.outcome,
        "score": one.score,
        "severity": one.severity,
        "seconds": one.seconds,
        "findings": [each.fingerprint for each in one.findings],
        "criteria": [{"id": each.id, "outcome": each.outcome, "reason": each.reason} for each in one.criteria],
        "evidence": {
            "command": proof.command or None,
            "exit_code": proof.exit_code,
            "model": proof.model or None,
            "output_hash": proof.output_hash or None,
            "tail": proof.tail,
            "at": proof.at or None,
        },
    }


def _approval(one: Approval) -> dict[str, Any]:
    decision = ("approved" if one.approved else "denied") if one.decided else None
    return {
        "id": one.id,
        "tool": one.tool,
        "summary": one.summary,
        "arguments": one.arguments,
        "cwd": one.cwd,
        "rule": one.rule,
        "tier": one.tier,
        "reason": one.reason,
        "digest": one.digest,
        "since": one.since,
        "expires": one.expires or None,
        "decision": decision,
        "by": one.by or None,
        "why": one.why or None,
    }
