"""One run of hundreds of iterations: what each writes, sends, remembers and takes is at the end what it was at the beginning."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from statistics import mean, median

import psutil
import pytest

from loopdeck.core import memory
from loopdeck.core import trace as tr
from tests.bench.report import say
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat, seated

MB = 1024 * 1024


def never_done(iterations: int) -> dict[str, str]:
    """A loop whose work is never right, for ever-new reasons."""
    turns = []
    for number in range(1, iterations + 1):
        turns += [turn("Trying.", write("counter.txt", f"{number}\n"), iteration=number), turn("Done.")]
    check = 'n=$(cat counter.txt); for i in 1 2 3; do echo "counter.txt:$i: error: $n-$i is not it"; done; exit 1'
    end = {"max_iterations": iterations, "max_cost_usd": 100.0, "no_progress": False}
    return loop("long", turns, checks=[{"name": "never", "run": check}], end=end)


def resident(seat: Seat) -> list[int]:
    """The runner's resident memory, looked at until its run has ended, in bytes."""
    process = psutil.Process(seat.wait("long", lambda one: one.run.iteration > 3).run.pid)
    seen = []
    while process.is_running():
        try:
            seen.append(process.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.1)
    # What is left of a process that has ended has no memory.
    return [size for size in seen if size]


def written(seat: Seat) -> tuple[list[int], list[int]]:
    """Bytes of journal and of trace that each iteration wrote."""
    paths = seat.paths("long")
    journal, trace = [0], Counter[int]()
    for line in paths.journal.read_bytes().splitlines(keepends=True):
        journal[-1] += len(line)
        if json.loads(line)["event"]["kind"] == "iteration_finished":
            journal.append(0)
    for line in paths.trace.read_bytes().splitlines(keepends=True):
        trace[json.loads(line)["event"].get("iteration", 0)] += len(line)
    return journal[1:-1], [trace[number] for number in sorted(trace)][1:]


def steady(what: str, sizes: Sequence[float], tenth: int) -> str:
    """Fails if the last are a fifth more than the first; says what they are."""
    first, last = mean(sizes[:tenth]), mean(sizes[-tenth:])
    assert last <= first * 1.2, f"{what}: {first:.0f} bytes an iteration at first, {last:.0f} at last"
    return f"{what} {first:.0f} -> {last:.0f} bytes an iteration"


def stays_small(seat: Seat, iterations: int) -> list[str]:
    """Play it and look at all that could grow; gives the figures."""
    began = time.monotonic()
    seat.ok("start", "long")
    memory_used = resident(seat)
    seat.until_ended("long")
    seconds = time.monotonic() - began
    run, paths = seat.folded("long"), seat.paths("long")
    assert (run.reason, run.iteration) == ("max_iterations", iterations), run.why
    tenth = max(iterations // 7, 10)
    journal, trace = written(seat)
    assert len(journal) == iterations - 1
    sent = [one for one in seat.trace("long") if isinstance(one, tr.PromptSent)]
    prompts = [sum(part.size for part in one.parts) for one in sent]
    # The first prompts have no findings and less to remember.
    figures = [steady("journal", journal[10:], tenth), steady("trace", trace[10:], tenth), steady("prompt", prompts[20:], tenth)]
    state = (seat.deck.home.state_dir("long") / "STATE.md").stat().st_size
    assert state <= memory.MOST_BLOCK
    assert max(prompts) < 16_000
    checkpoint = paths.checkpoint.stat().st_size
    blobs = sum(file.stat().st_size for file in paths.blobs.rglob("*") if file.is_file())
    assert checkpoint < 1500 * iterations + 10_000
    assert blobs < 4000 * iterations + 10_000
    growth = max(memory_used) - memory_used[0]
    assert growth < 12 * MB, f"the runner grew from {memory_used[0] / MB:.0f} by {growth / MB:.0f} MB"
    figures.append(
        f"STATE.md {state} bytes; checkpoint {checkpoint / iterations:.0f}, blobs {blobs / iterations:.0f} bytes an iteration"
    )
    figures.append(
        f"resident {memory_used[0] / MB:.0f} MB, at most {max(memory_used) / MB:.0f} MB; {iterations} iterations in {seconds:.0f} s"
    )
    return figures


@pytest.mark.req("S2-084")
@pytest.mark.pain(12)
def test_thirty_iterations_leave_a_run_as_small_as_one(tmp_path):
    with seated(tmp_path, {"README.md": "# Never\n", **never_done(30)}) as seat:
        stays_small(seat, 30)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.req("S2-084")
def test_seven_hundred_iterations_leave_a_run_as_small_as_one(tmp_path):
    with seated(tmp_path, {"README.md": "# Never\n", **never_done(700)}) as seat:
        for figure in stays_small(seat, 700):
            say(figure)
        seconds = [one.seconds for one in seat.folded("long").iterations]
        first, last = median(seconds[10:110]), median(seconds[-100:])
        say(f"an iteration takes {first * 1000:.0f} ms at first, {last * 1000:.0f} ms at last")
        assert last < first * 1.5
        for verb in ("status", "show", "state", "diff"):
            began = time.monotonic()
            seat.ok(verb, *([] if verb == "status" else ["long"]))
            say(f"{verb} takes {(time.monotonic() - began) * 1000:.0f} ms")
            assert time.monotonic() - began < 2
