"""What a maker may do to the folder it is shown its state in, and what age may do to a run: neither breaks the state."""

import os
import re

import pytest

from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat

YES = [{"name": "there", "run": "test -f x"}]
OPEN = {"allow": ["bash"]}
BREAKS = {
    "gone": "rm -rf .loop",
    "a link": "rm .loop/STATE.md; ln -s /etc/hostname .loop/STATE.md",
    "a link for a folder": "rm -rf .loop; ln -s / .loop",
    "a folder": "rm .loop/STATE.md; mkdir .loop/STATE.md",
    "a pipe": "rm .loop/STATE.md; mkfifo .loop/STATE.md",
    "a report that is a folder": "mkdir .loop/REPORT.md",
    "not text": "head -c 2000 /dev/urandom > .loop/STATE.md",
    "emptied": ": > .loop/STATE.md",
    "a repository": "git init -q .loop",
}


@pytest.mark.parametrize("command", BREAKS.values(), ids=BREAKS)
def test_a_maker_that_breaks_its_loop_folder_breaks_no_state(front, command):
    turns = [turn("b", ("bash", {"command": command}), iteration=1), turn("d"), turn("w", write("x", "1"), iteration=2), turn("d")]
    door: Seat = front(loop("breaker", turns, checks=YES, gates=OPEN))
    door.done("breaker")
    text = door.ok("state", "breaker").out
    if "urandom" not in command:
        assert "# State of breaker" in text
    assert re.search(r"- \[x\] there: passed", text)


@pytest.mark.usefixtures("without_walls")
@pytest.mark.req("S0-20")
def test_a_run_that_is_resumed_days_later_has_not_grown_old(front):
    turns = [turn("b", ("bash", {"command": "true"})), turn("w", write("x", "1")), turn("d")]
    door: Seat = front(loop("slow", turns, checks=YES, end={"max_wall": "20s"}))
    door.ok("start", "slow")
    [waits] = door.until("slow", "asking")["approvals"]
    door.slay("slow")
    for path in (door.paths("slow").dir, *door.paths("slow").dir.rglob("*")):
        # All that could tell how long ago it was, but for what is written in the files.
        os.utime(path, (path.stat().st_atime - 5 * 86_400, path.stat().st_mtime - 5 * 86_400))
    assert door.entry("slow")["reason"] == "lost"
    door.ok("resume", "slow")
    assert door.until("slow", "asking")["approvals"] == [waits]
    door.ok("approve", waits["id"])
    assert door.until_ended("slow")["reason"] == "done"
    assert door.folded("slow").clock < 10
