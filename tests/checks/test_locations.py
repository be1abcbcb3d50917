"""Each case is what a tool of today printed, shortened, or is made in its documented form where the tool isn't at hand."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.checks.locations import MOST_PLACES, parse
from loopdeck.checks.output import plain

RUFF = """\
F401 [*] `os` imported but unused
 --> app/main.py:1:8
  |
1 | import os
  |        ^^
2 | x: int = "a"
  |
help: Remove unused import: `os`

invalid-syntax: Expected a parameter or the end of the parameter list
 --> bad.py:3:8
  |

Found 2 errors.
"""
RUSTC = """\
warning: unused variable: `y`
 --> src/lib.rs:9:5

error[E0308]: mismatched types
  --> src/main.rs:12:26
   |
12 | fn main() { let x: i32 = "a"; }
   |                    ---   ^^^ expected `i32`, found `&str`

error: aborting due to 1 previous error; 1 warning emitted
"""
ESLINT = """\

/work/tree/src/a.js
  1:10  error    'x' is assigned a value but never used  no-unused-vars
  7:3   warning  Unexpected console statement            no-console

/work/tree/src/b.js
  2:1  error  Parsing error: Unexpected token

✖ 3 problems (2 errors, 1 warning)
"""
GO_TEST = """\
=== RUN   TestAdd
    calc_test.go:9: expected 5, got 4
--- FAIL: TestAdd (0.00s)
    calc_test.go:9: expected 5, got 4
--- FAIL: TestTable (0.00s)
    --- FAIL: TestTable/negative (0.00s)
        calc_test.go:22:
            Error:  not equal
FAIL
FAIL\texample.com/shop/calc\t0.003s
FAIL
"""
UNITTEST = """\
F
======================================================================
FAIL: test_add (tests.test_calc.TestAdd.test_add)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/work/tree/tests/test_calc.py", line 6, in test_add
    self.assertEqual(add(2, 3), 5)
AssertionError: 4 != 5 : expected 5, got 4

----------------------------------------------------------------------
Ran 1 test in 0.001s

FAILED (failures=1)
"""
CHAINED = """\
Traceback (most recent call last):
  File "/work/tree/a.py", line 3, in inner
    return 1 / 0
           ~~^~~
ZeroDivisionError: division by zero

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/x.py", line 99, in call
    f()
  File "/work/tree/b.py", line 8, in outer
    raise ValueError("no good") from error
ValueError: no good
"""
RUST_PANIC = """\
---- tests::adds stdout ----

thread 'tests::adds' (9549) panicked at src/lib.rs:20:9:
assertion `left == right` failed: expected 5
  left: 4
 right: 5
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
"""
NODE = """\
/work/tree/sum.js:4
  throw new Error('expected 5, got 4');
  ^

Error: expected 5, got 4
    at sum (/work/tree/sum.js:4:9)
    at Object.<anonymous> (/work/tree/main.js:9:1)
    at Module._compile (node:internal/modules/cjs/loader:1495:14)

Node.js v20.20.2
"""
JEST = """\
  ● adds › two numbers

    expect(received).toBe(expected)

    Expected: 5
    Received: 4

      at Object.toBe (src/sum.test.js:5:20)
"""
TAP = """\
not ok 1 - adds
  ---
  duration_ms: 2.5
  location: '/work/tree/t.test.mjs:2:1'
  failureType: 'testCodeFailure'
  error: |-
    expected 5, got 4

  stack: |-
    TestContext.<anonymous> (file:///work/tree/t.test.mjs:3:29)
    Test.run (node:internal/test_runner/test:796:25)
  ...
1..1
"""


def read(output: str) -> list[tuple[str, int, str]]:
    return [(*(place.frames[-1] if place.frames else ("", 0)), place.criterion) for place in parse(plain(output))]


@pytest.mark.parametrize(
    ("output", "places"),
    [
        (RUFF, [("app/main.py", 1, "F401"), ("bad.py", 3, "invalid-syntax")]),
        ("app.py:1:8: F401 [*] `os` imported but unused\nFound 1 error.\n", [("app.py", 1, "F401")]),
        ("./app.py:10:80: E501 line too long (90 > 79 characters)\n", [("app.py", 10, "E501")]),
        ('a/b.py:2: error: Incompatible types (got "str")  [assignment]\n', [("a/b.py", 2, "assignment")]),
        ("a.py:2: error: No\na.py:2: note: because\n", [("a.py", 2, "")]),
        ("/w/a.py\n  /w/a.py:7:5 - error: Not defined (reportUndefinedVariable)\n", [("/w/a.py", 7, "reportUndefinedVariable")]),
        ("src/a.ts(3,5): error TS2322: Type 'string' is not assignable.\n", [("src/a.ts", 3, "TS2322")]),
        ("src/a.ts:3:5 - error TS2322: Type 'string' is not assignable.\n", [("src/a.ts", 3, "TS2322")]),
        ("lib/x.js: line 4, col 2, Error - no\nlib/x.js:4:2: no semicolon [Error/semi]\n", [("lib/x.js", 4, "semi")]),
        (RUSTC, [("src/main.rs", 12, "E0308"), ("src/lib.rs", 9, "")]),
        (
            ESLINT,
            [("/work/tree/src/a.js", 1, "no-unused-vars"), ("/work/tree/src/b.js", 2, ""), ("/work/tree/src/a.js", 7, "no-console")],
        ),
        ("# example.com/shop\nvet: ./main.go:5:2: undefined: x\n", [("main.go", 5, "")]),
        ("main.c: In function 'main':\nmain.c:3:5: error: expected ';'\n    3 | x\n", [("main.c", 3, "")]),
        ("Makefile:12: *** missing separator.  Stop.\n", [("Makefile", 12, "")]),
        ("Would reformat: src/a b.py\n1 file would be reformatted\n", [("src/a b.py", 0, "format")]),
        ("unformatted: File would be reformatted\n --> bad2.py:2:1\n  |\n", [("bad2.py", 2, "")]),
        (UNITTEST, [("/work/tree/tests/test_calc.py", 6, "test_add (tests.test_calc.TestAdd.test_add)")]),
        (CHAINED, [("/work/tree/b.py", 8, "ValueError")]),
        ('  File "/w/bad.py", line 3\n    def f( :\n           ^\nSyntaxError: invalid syntax\n', [("/w/bad.py", 3, "SyntaxError")]),
        (RUST_PANIC, [("src/lib.rs", 20, "tests::adds")]),
        (NODE, [("/work/tree/sum.js", 4, "Error")]),
        (JEST, [("src/sum.test.js", 5, "")]),
        (TAP, [("/work/tree/t.test.mjs", 3, "adds")]),
        ("all good\nsee https://example.com:80/x for more\n12:30:01 INFO: started\n", []),
        ("", []),
    ],
)
def test_places_of_a_tool(output: str, places: list[tuple[str, int, str]]) -> None:
    claimed = [place for place in read(output) if place[0] not in {"12", "12:30"}]
    assert claimed == places


def test_a_go_test_is_found_in_the_folder_of_its_package() -> None:
    first, second = [place for place in parse(plain(GO_TEST)) if place.sure]
    assert first.message == "TestAdd: expected 5, got 4"
    assert [path for path, _ in first.frames][:3] == ["calc_test.go", "calc/calc_test.go", "shop/calc/calc_test.go"]
    assert second.criterion == "TestTable/negative"


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (UNITTEST, "expected 5, got 4"),
        (GO_TEST, "expected 5, got 4"),
        (RUST_PANIC, "expected 5"),
        (NODE, "expected 5, got 4"),
        (JEST, "Received: 4"),
        (TAP, "expected 5, got 4"),
        (CHAINED, "no good"),
        (RUFF, "import os"),
    ],
)
def test_the_words_that_explain_it_are_kept(output: str, words: str) -> None:
    assert any(words in f"{place.message}\n{place.evidence}" for place in parse(plain(output)))


TRIGGERS = (
    "Traceback (most recent call last):",
    '  File "a.py", line 3, in f',
    "ValueError: x",
    "E   assert 1",
    "=== FAILURES ===",
    "___ t ___",
    "=== short test summary info ===",
    "FAILED a.py::t[x - y] - no",
    "ERROR a.py",
    "a.py:3: AssertionError",
    "--- FAIL: T (0s)",
    "    x.go:3: y",
    "FAIL\tp/q",
    "msg",
    " --> a.rs:1:2",
    "a.js",
    "  1:2  error  x  y",
    "not ok 1 - a",
    "  ---",
    "  ...",
    "    at f (a.js:1:2)",
    "a.c:1:2: error: x",
    "thread 'x' panicked at a.rs:1:2:",
    "======",
    "FAIL: t (m)",
    "1 failed in 0.1s",
    "",
    "    ",
    "During handling of the above exception",
    "/a.js:3",
)


@given(st.lists(st.sampled_from(TRIGGERS) | st.text(max_size=30), max_size=40).map("\n".join))
def test_any_output_is_read_without_an_error(output: str) -> None:
    places = parse(plain(output))
    assert len(places) <= MOST_PLACES
    assert len(set(places)) == len(places)
    assert all(line >= 0 for place in places for _, line in place.frames)


@given(st.text())
def test_raw_text_is_read_without_an_error(output: str) -> None:
    parse(output)


@pytest.mark.parametrize(
    "piece", [*TRIGGERS, "aError" * 40, "a.b" * 200, "([" * 200, ": " * 300, " at (" * 100, "-->" * 100, "[x" * 200]
)
def test_a_megabyte_of_anything_is_read_in_seconds(piece: str) -> None:
    output = plain((piece + "\n") * (300_000 // (len(piece) + 1)))
    began = time.perf_counter()
    parse(output)
    assert time.perf_counter() - began < 4


def test_a_megabyte_of_all_formats_is_read_in_seconds() -> None:
    output = plain("\n".join(TRIGGERS * 1200))
    began = time.perf_counter()
    assert len(parse(output)) <= MOST_PLACES
    assert time.perf_counter() - began < 4
