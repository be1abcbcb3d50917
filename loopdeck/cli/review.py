"""What a run produced, and what becomes of it: `diff`, `merge`, `discard`."""

import argparse
from pathlib import Path

from loopdeck.cli import here, out
from loopdeck.core.findings import Verdict
from loopdeck.core.plural import some
from loopdeck.core.run import Run
from loopdeck.deck.decks import Deck
from loopdeck.deck.review import mark_of, protected
from loopdeck.deck.view import RunView
from loopdeck.errors import UsageError, WorkspaceError
from loopdeck.git import diff as diffs
from loopdeck.git import refs
from loopdeck.store.layout import RunPaths

_MOST_BYTES = 16 << 20


def run(options: argparse.Namespace) -> int:
    """One of the three."""
    deck = here.deck()
    paths = deck.resolve(options.run)
    one = deck.view(paths)
    match options.verb:
        case "diff":
            return _diff(deck, one, paths, options)
        case "merge":
            return _merge(deck, one, paths, options.json)
        case _:
            return _discard(deck, one, paths, options.json)


def _diff(deck: Deck, one: RunView, paths: RunPaths, options: argparse.Namespace) -> int:
    """From where the run began to where its branch is, or to its last commit if the branch is gone."""
    run = one.run
    if not run.base:
        what = "its journal is damaged" if one.damage else "the run has no branch yet"
        raise UsageError(
            f"{what}, so there is nothing to compare", where=run.id, remedy=f"`loopdeck show {run.id}` says how it stands."
        )
    tip = refs.tip(deck.repo, run.branch) or run.commit or run.base
    changes = diffs.changed(deck.repo, run.base, tip)
    protect = protected(paths)
    marks = [mark_of(each, protect) for each in changes]
    patch = None if options.stat else diffs.patch(deck.repo, run.base, tip, limit_bytes=_MOST_BYTES)
    if options.json:
        files = [
            {"path": each.path, "kind": each.kind, "added": each.added, "removed": each.removed, "binary": each.binary, "mark": mark}
            for each, mark in zip(changes, marks, strict=True)
        ]
        whole = {} if patch is None else {"patch": patch.text, "cut": patch.cut}
        out.document({"run": run.id, "branch": run.branch, "base": run.base, "commit": tip, "files": files, **whole})
        return 0
    added, removed = sum(each.added for each in changes), sum(each.removed for each in changes)
    out.say(f"{run.branch} {run.base[:12]}..{tip[:12]}: {some(len(changes), 'file')} +{added} -{removed}")
    if tip != run.commit:
        out.say(f"the branch is not where the run left it ({run.commit[:12]}): somebody has committed to it")
    shown = [(each, mark) for each, mark in zip(changes, marks, strict=True) if mark or options.stat]
    for each, mark in shown:
        size = "binary" if each.binary else f"+{each.added} -{each.removed}"
        out.say(f"  {'!' if mark else ' '} {each.kind} {each.path}  {size}" + (f"  LOOK: {mark}" if mark else ""))
    if patch is not None and patch.text:
        out.say("\n" + patch.text.rstrip("\n"))
        if patch.cut:
            out.warn(f"(cut after {_MOST_BYTES >> 20} MiB; `git diff {run.base[:12]} {tip[:12]}` has it all)")
    return 0


def _merge(deck: Deck, one: RunView, paths: RunPaths, as_json: bool) -> int:
    from loopdeck.cli.merging import NotMerged, merge_run

    if not as_json:
        out.say(f"{one.run.branch or one.run.id}: checking what it would be on your branch …")
    done = merge_run(deck, one, paths, (lambda _: None) if as_json else _say_verdict)
    if as_json:
        checks = [{"check": each.check, "outcome": each.outcome, "seconds": each.seconds} for each in done.verdicts]
        out.document(
            {
                "run": one.run.id, "branch": done.branch, "into": done.into, "commit": done.commit or None, "checks": checks,
                "trusted": list(done.trusted),
            }
        )  # fmt: skip
    else:
        for name in done.trusted:
            out.say(f"  - {name}: not asked again")
    if done.failed:
        named = ", ".join(f"'{each.check}'" for each in done.failed)
        found = [finding for each in done.failed for finding in each.findings][:5]
        said = "".join(f"\n    {finding.location} {finding.message}".rstrip() for finding in found)
        remedy = f"Start the loop again from {done.into}, or merge by hand: `git merge {done.branch}`."
        raise NotMerged(f"nothing was merged: with {done.into}, {named} did not pass{said}", where=one.run.id, remedy=remedy)
    if not as_json:
        out.say(f"merged into {done.into} as {done.commit[:12]}")
    return 0


def _say_verdict(each: Verdict) -> None:
    out.say(f"  {'✓' if each.passed else '✗'} {each.check}: {each.outcome}, {each.seconds:.2f} s")


def _discard(deck: Deck, one: RunView, paths: RunPaths, as_json: bool) -> int:
    from loopdeck.git.admin import Worktree, open_worktree
    from loopdeck.git.merge import discard

    run = one.run
    if one.live or one.status != "ended":
        remedy = f"End it first: `loopdeck kill {run.id}`."
        raise UsageError(f"the run is still going on: {one.status}", where=run.id, remedy=remedy)
    place = deck.home.worktree(paths.loop, paths.run)
    worktree: Worktree | None
    try:
        worktree = open_worktree(deck.repo, place)
    except WorkspaceError:
        worktree = None
    ref = discard(deck.repo, _branch(run, paths), worktree)
    if not ref and worktree is None:
        raise UsageError("there is neither a worktree nor a branch of it left", where=run.id)
    if as_json:
        out.document(
            {"run": paths.run, "branch": _branch(run, paths), "ref": ref or None, "worktree": str(place) if worktree else None}
        )
        return 0
    if worktree is not None:
        out.say(f"removed the worktree {place}")
    if ref:
        out.say(f"removed the branch {_branch(run, paths)}; its commits stay reachable as {ref}")
    out.say(f"the run's journal, trace and report stay in {Path(one.dir)}")
    return 0


def _branch(run: Run, paths: RunPaths) -> str:
    return run.branch or f"loop/{paths.loop}/{paths.run}"
