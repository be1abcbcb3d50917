"""The machine refuses, seen from the front door: a disk that has become read-only, no more open files, no more file notifications.

Runs stop at a step with a state that says why, or go on by looking; once it is mended one command lets them go on. The room stays up.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from loopdeck.store.journal import verify_journal
from loopdeck.store.lease import look
from loopdeck.store.trace import verify_trace
from tests.bench.report import say
from tests.cli.loops import fixer, loop, turn, write
from tests.e2e.seat import Seat, seated
from tests.kit.terminal import on_terminal
from tests.supervisor.decks import until

IMAGE_BYTES = 48 << 20
_READ_ONLY = "Read-only file system"


def _can_mount() -> bool:
    tools = all(shutil.which(name) for name in ("mount", "umount", "mkfs.ext4", "e2fsck"))
    return sys.platform == "linux" and os.geteuid() == 0 and tools and Path("/dev/loop-control").exists()


disks = pytest.mark.skipif(not _can_mount(), reason="needs to mount a disk of its own")


class Disk:
    """A disk of its own at `place`, which can fail as real ones do: from one moment on it takes no write from anybody."""

    def __init__(self, base: Path) -> None:
        self.place = base / "disk"
        self._image = base / "disk.img"
        self.place.mkdir()
        with self._image.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self._image)], check=True)
        self.mount()

    def mount(self) -> None:
        """Let it be there."""
        subprocess.run(["mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.place)], check=True)

    def fail(self) -> None:
        """An error on the disk, which makes the system stop writing to it. Skips the test where no error can be made."""
        # What was written long ago is there; else git's own files, which it does not wait for, would have to be mended as well.
        subprocess.run(["sync", "-f", str(self.place)], check=True)
        lines = Path("/proc/self/mounts").read_text().splitlines()
        device = next(line.split()[0] for line in lines if line.split()[1] == str(self.place))
        trigger = Path("/sys/fs/ext4", Path(os.path.realpath(device)).name, "trigger_fs_error")
        if not trigger.exists():
            loops = [
                one for one in Path("/sys/fs/ext4").iterdir() if one.name.startswith("loop") and (one / "trigger_fs_error").exists()
            ]
            if len(loops) != 1:
                pytest.skip("no error can be made on this disk")
            trigger = loops[0] / "trigger_fs_error"
        trigger.write_text("x")

    def mend(self) -> None:
        """Have it checked, and mount it again."""
        self.drop()
        subprocess.run(["e2fsck", "-fy", str(self._image)], check=False, capture_output=True)
        self.mount()

    def drop(self) -> None:
        """Let it go; nobody may be at it any more."""
        until(lambda: subprocess.run(["umount", str(self.place)], check=False, capture_output=True).returncode == 0, 20, "still busy")


@contextmanager
def failing_disk(base: Path) -> Iterator[Disk]:
    disk = Disk(base)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk.place)], check=False, capture_output=True)


def steady(name: str, turns: int = 60, pause_s: float = 0.1) -> dict[str, str]:
    """A loop that works for some seconds, and comes to its end."""
    made = [turn(f"Turn {number}.", write(f"{number % 3}.txt", str(number)), delay_s=pause_s) for number in range(turns)]
    return loop(name, [*made, turn("Done.")], end={"max_iterations": 2, "max_cost_usd": 50.0}, maker={"max_turns": 1000})


def whole(seat: Seat, name: str) -> None:
    for verified in (verify_journal(seat.paths(name).journal), verify_trace(seat.paths(name).trace)):
        assert verified.damage is None or verified.damage.tail, verified


@disks
def test_a_disk_that_becomes_read_only_stops_the_run_and_once_mended_one_command_lets_it_go_on(tmp_path):
    with (
        failing_disk(tmp_path) as disk,
        seated(tmp_path / "seat", steady("works", 40), {"LOOPDECK_HOME": str(disk.place / "home")}) as seat,
    ):
        seat.ok("start", "works")
        seat.at_work("works")
        seat.wait("works", lambda one: len(seat.trace("works")) > 12)
        with on_terminal([sys.executable, "-m", "loopdeck"], cwd=seat.repo, env=seat.env) as terminal:
            terminal.until(lambda text: "▶ running" in text)
            disk.fail()
            seat.wait("works", lambda one: not one.live, 20)
            terminal.until(lambda text: "lost" in text)
            terminal.feed("w")
            terminal.until(lambda text: "read-only" in text.lower())
            terminal.feed("\x1b")
            terminal.settle(0.3)
            terminal.feed("K")
            terminal.settle(0.5)
            terminal.feed("q")
            terminal.settle(0.3)
            assert "Traceback" not in terminal.text
        whole(seat, "works")
        entry = seat.glance("works")
        assert (entry["status"], entry["reason"]) == ("ended", "lost")
        assert "read-only" in entry["why"].lower(), entry["why"]
        assert "resume" in entry["why"]
        for words in (("resume", "works"), ("pause", "works"), ("start", "works")):
            said = seat.run(*words)
            assert said.code != 0
            assert _READ_ONLY in said.err, (words, said)
            assert "Traceback" not in said.err
        for verb in (["status"], ["show", "works"], ["trace", "works"], ["where"]):
            assert "Traceback" not in seat.ok(*verb).err
        disk.mend()
        whole(seat, "works")
        seat.ok("resume", "works")
        seen = seat.wait("works", lambda one: one.status in ("ended", "paused"), 60)
        assert (seen.status, seen.reason) == ("ended", "done"), seen.run.stalled
        whole(seat, "works")
        seat.end()
        disk.drop()


@disks
def test_the_room_opens_on_a_read_only_home_and_says_so(tmp_path):
    with failing_disk(tmp_path) as disk, seated(tmp_path / "seat", fixer("fix"), {"LOOPDECK_HOME": str(disk.place / "home")}) as seat:
        seat.done("fix")
        disk.fail()
        with on_terminal([sys.executable, "-m", "loopdeck"], cwd=seat.repo, env=seat.env) as terminal:
            terminal.until(lambda text: "done" in text and "fix" in text)
            terminal.feed("s")
            terminal.until(lambda text: _READ_ONLY in text)
            terminal.feed("\r")
            terminal.until(lambda text: "iteration" in text.lower())
            terminal.feed("\x1b")
            terminal.settle(0.3)
            terminal.feed("q")
            assert terminal.ended() == 0
        seat.end()


# Open files


def limited(most: int, *words: str) -> list[str]:
    """A command line that runs `loopdeck` with so many open files at most, as `ulimit -S -n` in a shell does."""
    return ["/bin/sh", "-c", f'ulimit -S -n {most}; exec "$0" -m loopdeck "$@"', sys.executable, *words]


def tight(base: Path, limits: list[int]) -> dict[int, str]:
    """A run under each limit, started, let go on with a higher one, and ended; what each came to at first."""
    came = {}
    names = {most: f"tight{most}" for most in limits}
    files: dict[str, str] = {".loopdeck/deck.toml": f"[deck]\nmax_runs = {len(limits)}\n"}
    for name in names.values():
        turns = [
            turn("one", write("one.txt", "1\n"), ("bash", {"command": f"echo x >> ticks.txt; echo {name} | cat | cat"})),
            turn("d"),
        ]
        files |= loop(name, turns, checks=[{"run": "test $(wc -l < ticks.txt) = 1"}], gates={"allow": ["bash"]})
    with seated(base, files) as seat:
        for most, name in names.items():
            said = subprocess.run(
                limited(most, "start", name), cwd=seat.repo, env=seat.env, capture_output=True, text=True, check=False
            )
            assert "Traceback" not in said.stderr, (most, said.stderr)
            if said.returncode:
                assert "Too many open files" in said.stderr or most < 16, (most, said)
                came[most] = "refused"
                continue
            seen = seat.wait(name, lambda one: one.status in ("ended", "paused", "asking"), 60)
            came[most] = seen.reason or seen.status
            assert "Traceback" not in seat.log(name), (most, seat.log(name))
            if seen.status == "paused":
                assert "open files" in seen.run.stalled or "Too many" in seen.run.stalled, (most, seen.run.stalled)
            if seen.status == "ended" and seen.reason != "done":
                assert "open files" in f"{seen.run.why} {seen.said}", (most, seen.run.why, seen.said)
            raise_limit(seat, name)
            if seat.view(name).run.status != "ended":
                said_ = seat.run("resume", name)
                assert said_.code == 0, (most, said_)
                seen = seat.wait(name, lambda one: one.status in ("ended", "paused"), 60)
                assert (seen.status, seen.reason) in (("ended", "done"), ("ended", "max_iterations")), (
                    most,
                    seen.run.stalled,
                    seen.run.why,
                )
            whole(seat, name)
    return came


def raise_limit(seat: Seat, name: str) -> None:
    """What an operator does for a process that lives: prlimit."""
    holder = look(seat.paths(name).lease)
    if holder.held and holder.holder is not None:
        with suppress(ProcessLookupError):
            hard = resource.prlimit(holder.holder.pid, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(holder.holder.pid, resource.RLIMIT_NOFILE, (hard, hard))


@pytest.mark.skipif(sys.platform != "linux", reason="raises the limit of a process that lives")
def test_with_too_few_open_files_a_run_stands_still_or_says_why_and_goes_on_with_more(tmp_path):
    came = tight(tmp_path, [12, 24])
    assert set(came.values()) - {"done"}, came


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="raises the limit of a process that lives")
def test_with_any_number_of_open_files_a_run_stands_still_or_says_why_and_goes_on_with_more(tmp_path):
    came = tight(tmp_path, list(range(5, 41)))
    say(f"runs under 5 to 40 open files: {came}")


# Notifications of files


def without_notifications(instances: int, watches: int) -> list[str]:
    """What to put before a command so that the kernel tells it of so many files only, as on a machine where others have used it up."""
    limits = f"echo {instances} > /proc/sys/user/max_inotify_instances; echo {watches} > /proc/sys/user/max_inotify_watches"
    return ["unshare", "--user", "--map-root-user", "/bin/sh", "-c", f'{limits}; exec "$@"', "sh"]


def _can_limit() -> bool:
    try:
        return subprocess.run([*without_notifications(0, 0), "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not _can_limit(), reason="no user namespace to limit")
@pytest.mark.parametrize(("instances", "watches"), [(0, 0), pytest.param(8, 2, marks=pytest.mark.chaos)], ids=["none", "too few"])
def test_without_notifications_the_room_sees_what_happens_by_looking(tmp_path, instances, watches):
    command = [*without_notifications(instances, watches), sys.executable, "-m", "loopdeck"]
    files = {**steady("works", 25), **loop("asks", [turn("a", ("bash", {"command": "true"})), turn("d")])}
    files[".loopdeck/loops/asks/loop.toml"] += '\n[gates]\nask = ["bash"]\n'
    with seated(tmp_path, files) as seat:
        seat.ok("start", "works")
        with on_terminal(command, cwd=seat.repo, env=seat.env) as terminal:
            terminal.until(lambda text: "▶ running" in text and "works" in text)
            seat.ok("start", "asks")
            seat.until("asks", "asking")
            began = time.monotonic()
            terminal.until(lambda text: "? asking" in text, 5)
            took = time.monotonic() - began
            assert took < 3, "it looks often enough"
            terminal.feed("q")
            assert terminal.ended() == 0
        # The verbs that follow need no notification either.
        lines = subprocess.run(
            [*without_notifications(0, 0), sys.executable, "-m", "loopdeck", "trace", "works", "--follow", "--json"],
            cwd=seat.repo, env=seat.env, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert seat.until_ended("works")["reason"] == "done"
        assert len(lines.stdout.splitlines()) == len(seat.trace("works"))
