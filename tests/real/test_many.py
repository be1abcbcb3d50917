"""Twenty loops at once with the real Claude Code: all done, the deck at hand meanwhile, what a loop costs in memory."""

import time

import psutil
import pytest

from loopdeck.sandbox import family
from tests.bench.report import say
from tests.cli.loops import loop
from tests.e2e.seat import Seat
from tests.kit.model_process import serving_process
from tests.real import claude_model as model
from tests.real.clis import bin_of

pytestmark = [pytest.mark.real_agents, pytest.mark.timeout(900)]
LOOPS = [f"mend{number}" for number in range(20)]


def files():
    """A loop for each, on the same small repository."""
    made = {"calc.py": model.BROKEN, "try_calc.py": model.TEST, ".loopdeck/deck.toml": "[deck]\nmax_runs = 20\n"}
    for name in LOOPS:
        given = loop(
            name, [], checks=[{"name": "adds", "run": "python3 try_calc.py"}], maker={"agent": "claude"}, gates={"deny": ["bash(rm)"]},
            end={"max_iterations": 1, "max_cost_usd": 5.0},
        )  # fmt: skip
        path = f".loopdeck/loops/{name}/loop.toml"
        made[path] = given[path].replace('script = "play.toml"\n', "")
    return made


def memory(door: Seat) -> list[int]:
    """The proportional memory of each run's agent and all that it has started, in bytes."""
    found = []
    for paths in door.deck.home.all_runs():
        each = 0
        for pid in family.members(family.Mark(paths.run)):
            try:
                each += psutil.Process(pid).memory_full_info().pss
            except (psutil.Error, AttributeError):
                continue
        found.append(each)
    return [one for one in found if one]


@pytest.mark.req("S2-062")
def test_twenty_loops_at_once(front):
    with serving_process("tests.real.claude_model:fixer") as server:
        door: Seat = front(files())
        door.env |= {
            "PATH": f"{bin_of('claude')}:{door.env['PATH']}", "ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "the-real-key",
        }  # fmt: skip
        begun = time.monotonic()
        process = door.start("start", "--all", "--wait", "--json")
        most, slowest, at_once = 0, 0.0, 0
        while process.poll() is None:
            asked = time.monotonic()
            door.ok("status", "--json")
            slowest = max(slowest, time.monotonic() - asked)
            each = memory(door)
            most, at_once = max(most, *each, 0), max(at_once, len(each))
        with process:
            _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        seconds = time.monotonic() - begun
        runs = [door.folded(name) for name in LOOPS]
        assert all(run.reason == "done" for run in runs)
        assert sum((run.spend.usage for run in runs[1:]), start=runs[0].spend.usage) == server.billed()
        assert memory(door) == []
    mebibytes = most / 2**20
    told = f"{at_once} agents at once, most memory of one {mebibytes:.0f} MiB, slowest status {slowest:.1f} s"
    say(f"20 Claude Code loops: {seconds:.0f} s, {told}")
    assert slowest < 15
