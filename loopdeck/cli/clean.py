"""`loopdeck clean`: what can be tidied up and what it would free; with `--yes`, tidy it up."""

import argparse

from msgspec import structs

from loopdeck.cli import here, out
from loopdeck.cli.tidying import Item, Taken, survey, sweep, taken, tidy
from loopdeck.errors import LoopdeckError

_MOST = 10
_UNITS = ("bytes", "KiB", "MiB", "GiB")


def run(options: argparse.Namespace) -> int:
    """List, or do. What is not safe is only ever listed."""
    deck = here.deck()
    items = survey(deck)
    failed: dict[str, str] = {}
    if options.yes:
        failed = {str(item.path): why for item in items if item.safe and (why := tidy(deck, item))}
        sweep(deck)
    done = [item for item in items if item.safe and str(item.path) not in failed]
    freed = sum(item.size for item in done)
    if options.json:
        out.document({
            "items": [_entry(item, options.yes and item in done, failed.get(str(item.path), "")) for item in items],
            "bytes": freed, "done": options.yes, "runs": [structs.asdict(one) for one in taken(deck)],
        })  # fmt: skip
    else:
        _say(items, options.yes)
        total = _size(freed)
        if options.yes:
            out.say(f"freed {total}")
        elif done:
            out.say(f"\n`loopdeck clean --yes` frees {total}. Journals, traces and states stay in any case.")
        if not options.yes:
            _tell(taken(deck))
    if failed:
        raise LoopdeckError("\n".join(f"{path}: {why}" for path, why in failed.items()), remedy="Everything else was tidied up.")
    return 0


def _say(items: list[Item], doing: bool) -> None:
    safe, unsafe = [one for one in items if one.safe], [one for one in items if not one.safe]
    if not safe:
        out.say("There is nothing to tidy up.")
    else:
        out.say("Tidied up:" if doing else "Can go:")
    for item in safe:
        _line(item)
    if unsafe:
        out.say("\nStays:")
    for item in unsafe:
        _line(item)


def _tell(runs: list[Taken]) -> None:
    if runs:
        out.say("\nWhat runs take, the largest first (record, worktrees):")
    for one in runs[:_MOST]:
        out.say(f"  {_size(one.record):>10} {_size(one.worktrees):>10}  {one.loop}  {one.run}")
    if len(runs) > _MOST:
        rest = runs[_MOST:]
        total = _size(sum(one.record + one.worktrees for one in rest))
        out.say(f"  and {len(rest)} more with {total}")


def _line(item: Item) -> None:
    out.say(f"  {_size(item.size):>10}  {item.kind}  {item.path}\n              {item.why}")


def _entry(item: Item, gone: bool, failed: str) -> dict[str, object]:
    return {
        "kind": item.kind, "path": str(item.path), "bytes": item.size, "safe": item.safe, "why": item.why, "gone": gone,
        "branch": item.branch or None, "failed": failed or None,
    }  # fmt: skip


def _size(size: float) -> str:
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"
