"""Real pytest runs, in every traceback style, on a project where everything goes wrong."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from loopdeck.checks.locations import parse
from loopdeck.checks.output import plain
from loopdeck.checks.places import Place
from tests.checks.room import ENV, write

PROJECT = {
    "calc.py": "def add(a, b):\n    return a + b - 1\n\n\ndef div(a, b):\n    return a / b\n",
    "tests/test_calc.py": """\
import unittest

import pytest

from calc import add, div


def test_add():
    assert add(2, 3) == 5, f"expected 5, got {add(2, 3)}"


@pytest.mark.parametrize("a", [1, "x - y", "a::b"])
def test_par(a):
    print("tests/test_calc.py:1: not a place")
    assert a == 2


class TestKind:
    def test_div(self):
        div(1, 0)


class TestUnit(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(add(1, 1), 2, "expected 2")


@pytest.fixture
def boom():
    raise RuntimeError("no fixture for you")


def test_setup(boom):
    pass


def test_chain():
    try:
        div(1, 0)
    except ZeroDivisionError as error:
        raise ValueError("chained") from error


def test_fine():
    pass
""",
    "tests/test_broken.py": "import nothing_of_that_name\n",
}
NAMES = [
    "tests/test_broken.py",
    "tests/test_calc.py::TestKind::test_div",
    "tests/test_calc.py::TestUnit::test_equal",
    "tests/test_calc.py::test_add",
    "tests/test_calc.py::test_chain",
    "tests/test_calc.py::test_par[1]",
    "tests/test_calc.py::test_par[a::b]",
    "tests/test_calc.py::test_par[x - y]",
    "tests/test_calc.py::test_setup",
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write(tmp_path_factory.mktemp("project"), PROJECT)


def places_of(project: Path, *options: str) -> dict[str, Place]:
    command = [sys.executable, "-m", "pytest", "--continue-on-collection-errors", "-p", "no:cacheprovider", "--color=yes", *options]
    done = subprocess.run(command, cwd=project, env={**ENV, "PYTHONPATH": "."}, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    places = parse(plain(done.stdout))
    assert len(places) == len({place.criterion for place in places})
    return {place.criterion: place for place in places}


@pytest.mark.parametrize("style", ["long", "short", "native"])
def test_each_failed_test_is_one_place_with_its_assertion(project, style: str) -> None:
    places = places_of(project, "-q", f"--tb={style}")
    assert sorted(places) == NAMES
    assert all(place.sure for place in places.values())
    ends = {name: (place.frames[-1][0].removeprefix(f"{project}/"), place.frames[-1][1]) for name, place in places.items()}
    assert ends == {
        "tests/test_broken.py": ("tests/test_broken.py", 1),
        "tests/test_calc.py::TestKind::test_div": ("calc.py", 6),
        "tests/test_calc.py::TestUnit::test_equal": ("tests/test_calc.py", 25),
        "tests/test_calc.py::test_add": ("tests/test_calc.py", 9),
        "tests/test_calc.py::test_chain": ("tests/test_calc.py", 41),
        "tests/test_calc.py::test_par[1]": ("tests/test_calc.py", 15),
        "tests/test_calc.py::test_par[a::b]": ("tests/test_calc.py", 15),
        "tests/test_calc.py::test_par[x - y]": ("tests/test_calc.py", 15),
        "tests/test_calc.py::test_setup": ("tests/test_calc.py", 30),
    }
    add = places["tests/test_calc.py::test_add"]
    assert add.message == "test_add: AssertionError: expected 5, got 4"
    assert "assert 4 == 5" in add.evidence
    assert places["tests/test_calc.py::test_chain"].message == "test_chain: ValueError: chained"
    assert "nothing_of_that_name" in places["tests/test_broken.py"].message


@pytest.mark.parametrize("options", [("-q", "--tb=line"), ("-v", "--tb=line")])
def test_one_line_style_still_gives_places(project, options: tuple[str, ...]) -> None:
    places = places_of(project, *options)
    assert sorted(places) == NAMES
    path, line = places["tests/test_calc.py::test_add"].frames[-1]
    assert (path.removeprefix(f"{project}/"), line) == ("tests/test_calc.py", 9)


def test_without_tracebacks_the_summary_is_enough(project) -> None:
    places = places_of(project, "--tb=no")
    assert sorted(places) == NAMES
    assert places["tests/test_calc.py::test_add"].frames == (("tests/test_calc.py", 0),)
    assert "expected 5, got 4" in places["tests/test_calc.py::test_add"].message


def test_without_a_summary_the_sections_are_enough(project) -> None:
    places = places_of(project, "-q", "-rN")
    assert {"test_add", "TestKind.test_div", "test_par[x - y]", "tests/test_broken.py"} <= set(places)
    assert places["TestKind.test_div"].frames[-1] == ("calc.py", 6)


def test_linter_output_behind_a_pytest_report_is_read_too() -> None:
    failure = "=== FAILURES ===\n___ test_a ___\n\nE   assert 1\n\na.py:3: AssertionError\n=== 1 failed in 0.1s ===\n"
    report = f"{failure}app.py:1:8: F401 unused\n"
    assert [(place.criterion, place.frames[-1]) for place in parse(report)] == [("test_a", ("a.py", 3)), ("F401", ("app.py", 1))]


@pytest.mark.parametrize("count", [20_000])
def test_a_report_of_thousands_of_failures_is_read_in_seconds(count: int) -> None:
    sections = "".join(f"___ test_{n % 7} ___\nE   assert {n}\na.py:3: AssertionError\n" for n in range(count // 3))
    summary = "".join(f"FAILED a.py::test_{n % 7} - assert {n}\n" for n in range(count))
    began = time.perf_counter()
    assert parse(f"=== FAILURES ===\n{sections}=== short test summary info ===\n{summary}")
    assert time.perf_counter() - began < 4
