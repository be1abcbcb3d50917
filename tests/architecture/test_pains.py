"""What users of such tools suffer from, by its number in the field's list: each that is said to be over has a test that shows it."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAINS = {
    1: "wrong or stuck status",
    2: "orphans after a stop, a crash or a closed terminal",
    3: "cleanup that kills or deletes the wrong thing",
    4: "spend that runs away, caps that do not cap",
    5: "sessions lost after a crash, a reboot or an update",
    6: "a restart that does the same work twice",
    12: "memory and logs that grow",
    17: "no way to pause, steer or change limits meanwhile",
    19: "git's locks fought over",
    20: "agents that leave their worktree",
    21: "worktrees never reclaimed",
}
_MARK = re.compile(r"^@pytest\.mark\.pain\(([\d, ]+)\)$", re.MULTILINE)


@pytest.fixture(scope="module")
def named() -> dict[int, list[str]]:
    """Pain → files of tests that name it."""
    found: dict[int, list[str]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        for numbers in _MARK.findall(file.read_text("utf-8")):
            for number in numbers.split(","):
                found.setdefault(int(number), []).append(file.name)
    return found


@pytest.mark.parametrize("number", PAINS, ids=lambda number: PAINS[number])
def test_a_pain_has_a_test_that_names_it(named, number):
    assert named.get(number), "nothing shows that it is over"


def test_no_test_names_a_pain_that_nobody_has_described(named):
    assert set(named) <= set(PAINS)
