"""A deck in the hands of a madman: random words to random runs, edits of states, runners killed and started anew, all at once.

Whatever comes of it, the promises hold: journals are whole, nothing happens twice, nothing is spent past a cap, nobody's checkout
is touched, nothing is left running, and loopdeck itself has not failed.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from loopdeck.core import commands as cmd
from loopdeck.core import events as ev
from loopdeck.deck.launch import launch
from loopdeck.deck.view import RunView
from loopdeck.store.folded import load_run
from loopdeck.store.journal import verify_journal
from loopdeck.store.layout import RunPaths
from loopdeck.store.lease import look
from loopdeck.store.trace import verify_trace
from loopdeck.supervisor.spawn import Started
from tests.cli.loops import Call, loop, turn, write
from tests.e2e.judges import judged, verdict
from tests.e2e.seat import Seat, runs, seated
from tests.kit.repos import status

BY = "the madman"
MOST_TOKENS = 400_000


def effect(log: Path, name: str, sleep: float = 0.0) -> Call:
    """A call whose effect can be counted; the variable tells runs apart."""
    return ("bash", {"command": f"echo $LOOPDECK_RUN {name} >> {log}; sleep {sleep}"})


def mad_loops(log: Path, chance: random.Random) -> Mapping[str, str]:
    """Loops of every kind of step, some slow."""
    files: dict[str, str] = {}
    for number in range(6):
        name = f"mad{number}"
        turns = []
        for iteration in range(1, 7):
            calls: list[Call] = [effect(log, f"{iteration}a", chance.choice((0, 0, 0.1))), write(f"{iteration}.txt", str(number))]
            if chance.random() < 0.4:
                calls.append(("update_state", {"content": f"# State\n\n- iteration {iteration}\n"}))
            if chance.random() < 0.3:
                calls.append(write("tests/frozen.txt", "changed"))
            turns.append(turn("Working.", *calls, iteration=iteration, delay_s=chance.choice((0, 0.05, 0.2))))
            if chance.random() < 0.5:
                turns.append(turn("", error=chance.choice(("rate_limit", "overloaded", "malformed"))))
            turns += [turn("More.", effect(log, f"{iteration}b")), turn("Done.")]
        checks: list[dict[str, Any]] = [{"name": "far", "run": f"test -f {chance.choice((2, 3, 5))}.txt"}]
        end = {
            "max_iterations": 6, "max_tokens": MOST_TOKENS, "no_progress": False, "final_pass": chance.random() < 0.5,
            "max_wall": "60s",
        }  # fmt: skip
        gates = {"ask" if chance.random() < 0.5 else "allow": ["bash"]}
        more: dict[str, Any] = {"end": end, "gates": gates, "workspace": {"protect": ["tests/**"]}}
        if number % 3 == 1:
            checks.append({"name": "person", "human": True})
        if number % 3 == 2:
            files |= judged(name, turns, [turn(verdict(nice=True), delay_s=0.1)] * 9, "- **nice.** It is.\n", checks=checks, **more)
        else:
            files |= loop(name, turns, checks=checks, **more)
    return files


class Madman:
    """Does the next thing that comes to his mind."""

    def __init__(self, seat: Seat, chance: random.Random) -> None:
        self.seat = seat
        self.deck = seat.deck
        self.chance = chance
        self.runs: list[RunPaths] = self.deck.home.all_runs()
        self.started: list[Started] = []

    def act(self) -> None:
        """One word, edit or murder."""
        paths = self.chance.choice(self.runs)
        view = self.deck.view(paths)
        deeds = (self.word, self.word, self.answer, self.answer, self.edit, self.slay, self.revive, self.revive)
        self.chance.choice(deeds)(paths, view)

    def word(self, paths: RunPaths, view: RunView) -> None:
        """A command that may or may not make sense just now."""
        words: list[cmd.Command] = [
            cmd.Pause(by=BY), cmd.Resume(by=BY), cmd.Resume(by=BY), cmd.Hold(by=BY), cmd.Nudge(by=BY, text="think\x1b[31m again"),
            cmd.Set(by=BY, key="max_iterations", value=self.chance.choice("3456")), cmd.Set(by=BY, key="max_iterations", value="none"),
            cmd.Set(by=BY, key="final_pass", value=self.chance.choice(("true", "false"))),
            cmd.Decide(by=BY, approval="nonesuch", approved=True), cmd.Judge(by=BY, check="nonesuch", passed=True),
        ]  # fmt: skip
        if self.chance.random() < 0.02:
            words = [cmd.Kill(by=BY, why="mad", now=self.chance.random() < 0.5)]
        self._send(paths, self.chance.choice(words))

    def answer(self, paths: RunPaths, view: RunView) -> None:
        """What is asked is answered, one way or the other, sometimes twice."""
        for approval in view.run.pending_approvals:
            approved = self.chance.random() < 0.8
            always = "bash" if self.chance.random() < 0.2 else ""
            asked = approval.digest
            self._send(paths, cmd.Decide(by=BY, approval=approval.id, approved=approved, why="so", always=always, digest=asked))
            if self.chance.random() < 0.3:
                self._send(paths, cmd.Decide(by=BY, approval=approval.id, approved=not approved, digest=asked))
        if view.run.asking == "verdict":
            self._send(paths, cmd.Judge(by=BY, check=view.run.asking_for, passed=self.chance.random() < 0.7, why="so"))
        if view.run.asking == "state":
            self._send(paths, cmd.Resume(by=BY))

    def edit(self, paths: RunPaths, view: RunView) -> None:
        """The state by hand, at the top or all of it."""
        file = self.deck.home.state_dir(paths.loop) / "STATE.md"
        if file.exists():
            text = file.read_text(encoding="utf-8", errors="replace")
            file.write_text(f"- by hand {self.chance.random()}\n{text}" if self.chance.random() < 0.7 else "# Gone\n")

    def slay(self, paths: RunPaths, view: RunView) -> None:
        """Its runner, if it has one."""
        seen = look(paths.lease)
        if seen.held and seen.holder is not None:
            with suppress(ProcessLookupError):
                os.kill(seen.holder.pid, signal.SIGKILL)

    def revive(self, paths: RunPaths, view: RunView) -> None:
        """A runner for it, needed or not."""
        if view.run.status != "ended":
            self.started.append(launch(paths))

    def _send(self, paths: RunPaths, command: cmd.Command) -> None:
        self.deck.send(paths, command)

    def sober_up(self, patience_s: float = 60) -> None:
        """See every run to its end."""
        deadline = time.monotonic() + patience_s
        while True:
            views = [(paths, self.deck.view(paths)) for paths in self.runs]
            open_ones = [(paths, view) for paths, view in views if view.run.status != "ended"]
            if not open_ones and not any(view.live for _, view in views):
                break
            assert time.monotonic() < deadline, [(paths.loop, view.status, view.run.asking, view.phase) for paths, view in open_ones]
            for paths, view in open_ones:
                if not view.live:
                    self.revive(paths, view)
                elif view.status == "paused":
                    self._send(paths, cmd.Resume(by=BY))
                self.answer(paths, view)
            time.sleep(0.3)
        for runner in self.started:
            while not runner.gone():
                assert time.monotonic() < deadline + 20
                time.sleep(0.01)


def go_mad(base: Path, seed: int, seconds: float) -> None:
    """One afternoon of it, and then the reckoning."""
    chance = random.Random(seed)
    log = base / "effects.log"
    files = {"README.md": "# A project\n", "tests/frozen.txt": "frozen\n", ".loopdeck/deck.toml": "[deck]\nmax_runs = 8\n"}
    with seated(base, {**files, **mad_loops(log, chance)}) as seat:
        before = status(seat.repo)
        seat.ok("start", "--all")
        madman = Madman(seat, chance)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            madman.act()
            time.sleep(chance.random() * 0.06)
        madman.sober_up()
        for paths in madman.runs:
            reckon(seat, paths)
        once_each(log)
        assert status(seat.repo) == before
        assert seat.runners() == []
        assert not runs(str(log))


def reckon(seat: Seat, paths: RunPaths) -> None:
    """What must be true of a run, whatever happened to it."""
    view: RunView = seat.deck.view(paths)
    run = view.run
    told = f"{paths.loop}: {run.reason} {run.why} {run.notices}"
    said = paths.runner_log.read_text("utf-8", "replace") if paths.runner_log.exists() else ""
    assert "Traceback" not in said, said
    assert view.damage == "", told
    assert (view.status, "itself failed" in run.why) == ("ended", False), told
    assert run.reason in ("done", "max_iterations", "human", "budget"), told
    assert run.spend.usage.tokens <= MOST_TOKENS, told
    for verification in (verify_journal(paths.journal), verify_trace(paths.trace)):
        assert verification.damage is None, (told, verification)
    events = seat.events(paths.run)
    granted = Counter(one.call for one in events if isinstance(one, ev.ToolCallGranted))
    taken = Counter(one.command for one in events if isinstance(one, ev.CommandTaken))
    assert not [name for name, count in (granted + taken).items() if count > 1], told
    lives = [one.life for one in events if isinstance(one, ev.RunnerStarted)]
    assert lives == list(range(1, len(lives) + 1)), told
    assert {one.stem for one in paths.inbox.glob("*.json")} <= run.commands or run.status == "ended"
    if paths.checkpoint.exists():
        kept = load_run(paths).run
        paths.checkpoint.unlink()
        assert load_run(paths).run == kept, told


def once_each(log: Path) -> None:
    """No call had its effect twice."""
    effects = Counter(log.read_text().splitlines()) if log.exists() else Counter()
    assert not {line: count for line, count in effects.items() if count > 1}


def test_a_madman_breaks_no_promise(tmp_path):
    go_mad(tmp_path, 7, 3)


@pytest.mark.chaos
@pytest.mark.timeout(200)
@pytest.mark.parametrize("seed", range(20))
def test_many_madmen_break_no_promise(tmp_path, seed):
    go_mad(tmp_path, 1000 + seed, 15)
