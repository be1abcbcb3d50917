import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.globs import any_match, fixed_root, matches


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("docs/a.md", "docs/*.md"),
        ("docs/a.md", "docs/**/*.md"),
        ("docs/x/y/a.md", "docs/**/*.md"),
        ("a.md", "**/*.md"),
        ("x/y/a.md", "**/*.md"),
        ("tests/unit/test_a.py", "tests/**"),
        ("tests", "tests/**"),
        ("tests", "tests"),
        ("tests/a.py", "tests"),
        ("tests/x/a.py", "./tests/"),
        ("a/b", "a/*/"),
        ("a/b/c", "a/*/"),
        ("a/x/b/y/c", "a/**/b/**/c"),
        ("a/b/c", "a/**/b/**/c"),
        (".github/workflows/ci.yml", "**/*.yml"),
        (".github/workflows/ci.yml", ".github/**"),
        ("file1.txt", "file[0-9].txt"),
        ("fileA.txt", "file[!0-9].txt"),
        ("fileA.txt", "file[^0-9].txt"),
        ("a]b", "a[]]b"),
        ("a-b", "a[x-]b"),
        ("a[b", "a[b"),
        ("what?", "what[?]"),
        ("x.min.js", "*.min.*"),
        ("anything/at/all", "**"),
        ("ä/ö.md", "?/?.md"),
        ("new\nline.md", "*.md"),
    ],
)
def test_glob_matches(path: str, pattern: str) -> None:
    assert matches(path, pattern)


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("docs/x/a.md", "docs/*.md"),
        ("docs/x/a.md", "docs/*"),
        ("mydocs/a.md", "docs/**"),
        ("docs", "docs/*"),
        ("docsish/a.md", "docs"),
        ("Docs/a.md", "docs/*.md"),
        ("a.mdx", "*.md"),
        ("x/a.md", "*.md"),
        ("src/../etc/passwd", "src/**"),
        ("etc/passwd", "src/../etc/*"),
        ("", "**"),
        ("a", ""),
        ("a/c", "a/?/c"),
        ("fileA.txt", "file[0-9].txt"),
        ("ab", "a[]]b"),
    ],
)
def test_glob_does_not_match(path: str, pattern: str) -> None:
    assert not matches(path, pattern)


def test_any_match_takes_one_of_many() -> None:
    assert any_match("src/a.py", ["docs/**", "src/*.py"])
    assert not any_match("src/a.py", [])


@pytest.mark.parametrize(
    ("pattern", "root"),
    [("docs/**/*.md", "docs"), ("*.md", ""), ("a/b/c.md", "a/b/c.md"), ("./a//b/*", "a/b"), ("a[1]/b", "")],
)
def test_fixed_root_is_the_part_before_the_first_wildcard(pattern: str, root: str) -> None:
    assert fixed_root(pattern) == root


part = st.text("ab.-[]!*?", max_size=8)


@given(
    st.text("ab.-", min_size=1, max_size=12).filter(lambda name: name not in {".", ".."}),
    st.text("ab.-*?", min_size=1, max_size=12),
)
def test_one_part_agrees_with_the_standard_library(name: str, pattern: str) -> None:
    if pattern in {".", "..", "**"}:
        return
    assert matches(name, pattern) == fnmatch.fnmatchcase(name, pattern)


@given(st.lists(part, max_size=6).map("/".join), st.lists(part, max_size=6).map("/".join))
def test_globs_never_raise_and_a_match_is_below_the_fixed_root(path: str, pattern: str) -> None:
    root = fixed_root(pattern)
    if matches(path, pattern) and root:
        assert matches(path, root)


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=6))
def test_every_path_is_in_each_of_its_folders(parts: list[str]) -> None:
    path = "/".join(parts)
    for depth in range(1, len(parts) + 1):
        assert matches(path, "/".join(parts[:depth]))
        assert matches(path, "/".join([*parts[:depth], "**"]))


def test_many_stars_stay_quick() -> None:
    began = time.perf_counter()
    assert not matches("a" * 4000, "*a" * 60 + "b")
    assert not matches("/".join("a" * 1500), "/".join(["**", "a"] * 60) + "/b")
    assert time.perf_counter() - began < 2
