"""Forty loops in one deck, one for each program of a bug benchmark, with the real SDK against a model server of its own process.

The first answer is wrong, the second right: each ends `done` in two iterations, on a branch of its own, and what its journal says it
used is what the server served, to the token.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import tomli_w

from loopdeck.core.usage import Usage
from tests.bench.report import say
from tests.e2e.programs import Program, programs
from tests.e2e.seat import Seat, seated
from tests.kit.model_process import ServerProcess, serving_process
from tests.kit.repos import git, status

KEYS = {"ANTHROPIC_API_KEY": "any-key-at-all", "NO_PROXY": "127.0.0.1"}
CUT = ("gcd", "binary_search", "flatten", "roman", "topological", "change")


def loop_file(one: Program, url: str) -> str:
    """The loop of a program: nothing in it but what product.md's smallest file has, and the address."""
    return tomli_w.dumps(
        {
            "goal": f"`programs/{one.name}.py` has a bug in one line. Mend it.",
            "maker": {"agent": "anthropic", "model": "claude-sonnet-4-5", "base_url": f"{url}/{one.name}"},
            "check": [{"name": "cases", "run": f"python3 {one.test_path}"}],
            "exit": {"max_iterations": 4, "max_cost_usd": 2.0},
        }
    )


def repository(chosen: tuple[Program, ...], url: str) -> dict[str, str]:
    """A repository of all programs, with loops for the `chosen` ones."""
    files = {"README.md": "# Forty bugs\n", ".gitignore": "__pycache__/\n"}
    for one in programs():
        files |= {one.path: one.source(one.bug), one.test_path: one.test}
    return files | {f".loopdeck/loops/{one.name}/loop.toml": loop_file(one, url) for one in chosen}


@contextmanager
def benchmark(base: Path, chosen: tuple[Program, ...]) -> Iterator[tuple[Seat, ServerProcess]]:
    """A seat before the repository, and the server that plays the model."""
    with (
        serving_process("tests.e2e.bench_model:wrong_then_right") as server,
        seated(base, repository(chosen, server.url), KEYS) as seat,
    ):
        yield seat, server


class Memory:
    """The most memory that all runners of a seat had at once, in bytes; proportional set size where the system tells it."""

    def __init__(self, seat: Seat) -> None:
        self.most = 0
        self.most_each = 0
        self._seat = seat

    def look(self) -> None:
        """Take a sample."""
        each = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "loopdeck.runner" in words and any(word.startswith(str(self._seat.base)) for word in words):
                try:
                    each.append(process.memory_full_info().pss)
                except (psutil.Error, AttributeError):
                    continue
        self.most = max(self.most, sum(each))
        self.most_each = max(self.most_each, *each, 0)


def all_done(seat: Seat, server: ServerProcess, chosen: tuple[Program, ...], *, watched: bool = False) -> None:
    """Start every loop, wait, and look at all that was promised."""
    before, head = status(seat.repo), git(seat.repo, "rev-parse", "HEAD")
    begun, cpu, memory = time.monotonic(), os.times(), Memory(seat)
    process = seat.start("start", "--all", "--wait", "--json")
    while watched and process.poll() is None:
        memory.look()
        time.sleep(1)
    with process:
        out, err = process.communicate(timeout=240)
    seconds = time.monotonic() - begun
    assert process.returncode == 0, (out, err)
    if watched:
        mb = 1024 * 1024
        used = os.times()
        waiter = used.children_user + used.children_system - cpu.children_user - cpu.children_system
        say(
            f"{len(chosen)} loops, 2 iterations each: {seconds:.1f} s; memory of all runners {memory.most // mb} MB at most, "
            f"of one {memory.most_each // mb} MB; the waiting verb took {waiter:.1f} s of CPU"
        )
    views = {one.name: seat.view(one.name) for one in chosen}
    assert {name: (view.reason, view.run.iteration) for name, view in views.items()} == {one.name: ("done", 2) for one in chosen}
    _usage_is_the_servers(seat, server, chosen)
    for one in chosen:
        run = views[one.name].run
        assert run.branch == f"loop/{one.name}/{run.id}"
        assert git(seat.repo, "diff", "--name-only", f"{head.strip()}..{run.branch}").split() == [one.path]
        assert git(seat.repo, "show", f"{run.branch}:{one.path}") == one.source(one.right)
        assert git(seat.repo, "rev-list", "--count", f"{head.strip()}..{run.branch}").strip() == "2"
    _nothing_left(seat, before, head, len(chosen))


def _usage_is_the_servers(seat: Seat, server: ServerProcess, chosen: tuple[Program, ...]) -> None:
    bills: dict[str, Usage] = {}
    for row in server.shown("ledger"):
        assert row["whole"], row
        assert row["dialect"] == "messages", "no request was needed but calls of the model"
        bills[row["tag"]] = bills.get(row["tag"], Usage()) + Usage(**row["usage"])
    told = {one["loop"]: one["usage"] for one in seat.ok("status", "--json").json["loops"]}
    for one in chosen:
        spend = seat.folded(one.name).spend
        assert spend.usage == bills[one.name], one.name
        assert (spend.model_calls, spend.tool_calls) == (5, 3)
        assert spend.certainty == "priced"
        assert told[one.name]["input"] == bills[one.name].input
    assert len(bills) == len(chosen)


def _nothing_left(seat: Seat, before: str, head: str, runs: int) -> None:
    assert status(seat.repo) == before
    assert git(seat.repo, "rev-parse", "HEAD") == head
    assert git(seat.repo, "fsck", "--strict", "--no-dangling") == ""
    assert git(seat.repo, "stash", "list") == ""
    assert not [path for path in (seat.repo / ".git").rglob("*.lock") if path.name != "shallow.lock"]
    assert git(seat.repo, "branch", "--list", "loop/*").count("\n") == runs
    for view in git(seat.repo, "worktree", "list", "--porcelain").split("\n\n"):
        assert "prunable" not in view
    deadline = time.monotonic() + 5
    while seat.runners():
        assert time.monotonic() < deadline, "a runner lives on after its run has ended"
        time.sleep(0.05)


def test_each_program_fails_its_test_twice_and_passes_it_at_last():
    for one in programs():
        for line, passes in ((one.bug, False), (one.tried, False), (one.right, True)):
            scope: dict[str, object] = {}
            exec(one.source(line), scope)
            held = [_holds(case, scope) for case in one.cases]
            assert all(held) is passes, (one.name, line, held)


def _holds(case: str, scope: dict[str, object]) -> bool:
    try:
        return bool(eval(case, scope))  # noqa: S307 - our own text
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return False


@pytest.mark.req("S2-055")
def test_six_loops_end_done_in_two_iterations_each_with_the_usage_that_the_server_served(tmp_path):
    chosen = tuple(one for one in programs() if one.name in CUT)
    with benchmark(tmp_path, chosen) as (seat, server):
        all_done(seat, server, chosen)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_forty_loops_end_done_in_two_iterations_each_with_the_usage_that_the_server_served(tmp_path):
    chosen = programs()
    assert len(chosen) == 40
    with benchmark(tmp_path, chosen) as (seat, server):
        all_done(seat, server, chosen, watched=True)
