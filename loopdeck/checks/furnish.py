"""What a checkout gets beside the files of its commit: copies, links, setup. One recipe, for the maker's and for every clean one.

Invariant: what the recipe made is noted, so that no commit and no cleaning takes it, and tracked files that setup changed are put back.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from loopdeck.core.spec import Workspace
from loopdeck.errors import WorkspaceError
from loopdeck.git.admin import Worktree
from loopdeck.git.checkout import CleanCheckout, settle
from loopdeck.git.provision import Provisioned, provision
from loopdeck.sandbox.port import Command, Door

SETUP_TIMEOUT_S = 1800.0


async def furnish(
    worktree: Worktree, wanted: Workspace, door: Door, env: Mapping[str, str], clean: CleanCheckout | None = None
) -> tuple[str, ...]:
    """Copy, link and set up what `wanted` says, and give notices for the operator. `clean` is the clean checkout, if it is one.

    Raises WorkspaceError if the disk refuses or the setup fails.
    """
    notices: tuple[str, ...] = ()
    placed: tuple[str, ...] = ()
    if wanted.copy or wanted.link:
        provided = await asyncio.to_thread(_provided, worktree, wanted, door.confines)
        notices, placed = provided.notices, provided.paths
    if wanted.setup:
        await _set_up(worktree.path, wanted.setup, door, env)
    if placed or wanted.setup:
        altered = await asyncio.to_thread(lambda: clean.settle(placed) if clean else settle(worktree, placed))
        notices += tuple(f"setup changed the tracked file {path}" for path in altered)
    return notices


def _provided(worktree: Worktree, wanted: Workspace, confined: bool) -> Provisioned:
    return provision(worktree.repo.root, worktree.path, wanted.copy, wanted.link, held=confined)


async def _set_up(where: Path, setup: str, door: Door, env: Mapping[str, str]) -> None:
    done = await door.run(Command(("/bin/sh", "-c", setup), where, env, SETUP_TIMEOUT_S, writable=(where,), role="setup"))
    if done.exit_code != 0:
        said = done.text.strip().splitlines()
        what = f"the setup `{setup}` failed: {done.ended_by or f'exit code {done.exit_code}'}"
        walls = " In the sandbox it reaches only what `sandbox.setup_network` lists, or all if that is true." if door.confines else ""
        remedy = f"Mend workspace.setup in the loop file.{walls}"
        told = [*said[-1:], *done.refusals]
        raise WorkspaceError(what + (f": {'; '.join(told)}" if told else ""), where=str(where), remedy=remedy)
