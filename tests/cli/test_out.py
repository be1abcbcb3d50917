"""What is printed fits the terminal: tables and fields are folded at words, and only on a terminal."""

import fcntl
import os
import struct
import subprocess
import sys
import termios

from hypothesis import given
from hypothesis import strategies as st

from loopdeck.cli.out import laid_out
from tests.cli.loops import waiting

WORDS = st.text("abc/-", min_size=1, max_size=12)
ROW = st.tuples(WORDS, WORDS, st.lists(WORDS, max_size=30).map(" ".join))


@given(st.lists(ROW, min_size=1, max_size=5), st.integers(50, 120))
def test_a_table_keeps_every_word_and_its_width(rows, width):
    wide, narrow = laid_out(rows, 0), laid_out(rows, width)
    assert len(wide) == len(rows)
    assert " ".join(wide).split() == " ".join(narrow).split()
    assert all(len(line) <= width for line in narrow)
    assert all(line == line.rstrip() for line in narrow)


def test_a_last_cell_is_folded_in_its_column_or_below_its_row():
    sentence = "one two three four five six seven eight nine ten eleven twelve"
    assert laid_out([("a", "why"), ("b", sentence)], 50) == [
        "a  why", "b  one two three four five six seven eight nine", "   ten eleven twelve",
    ]  # fmt: skip
    assert laid_out([("a" * 30, "why"), ("b", sentence)], 50) == [
        f"{'a' * 30}  why", "b", "     one two three four five six seven eight nine", "     ten eleven twelve",
    ]  # fmt: skip


def test_a_path_is_never_broken():
    path = "/" + "long" * 30
    assert any(path in line for line in laid_out([("a", "why"), ("b", f"it is {path} that")], 60))


def test_only_a_terminal_makes_lines_shorter(front):
    door = front(waiting())
    reason = " ".join(["word"] * 30)
    door.ok("start", "waiting")
    door.at_work("waiting")
    door.ok("kill", "waiting", "--why", reason)
    assert reason in door.ok("status").out
    master, slave = os.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        subprocess.run([sys.executable, "-m", "loopdeck", "status"], cwd=door.repo, env=door.env, stdout=slave, check=True, timeout=20)
        shown = os.read(master, 1 << 16).decode()
    finally:
        os.close(slave)
        os.close(master)
    assert reason not in shown
    assert shown.count("word") == 30
    assert all(len(line) <= 80 for line in shown.splitlines()[1:])
