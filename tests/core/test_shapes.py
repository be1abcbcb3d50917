"""Shapes of names, paths, cron lines and rules: what passes can be used as it is."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core import shapes

GOOD = [
    (shapes.path, ["a", "docs/**/*.md", ".env", "a b/c", "ä/é.md", "src/[a-z]?.py", "a..b", "./a", ".github/x"]),
    (shapes.outer_path, ["/opt/data", "~/.cache", "build", "/a b"]),
    (shapes.ref, ["HEAD", "main", "v1.0", "feature/x", "HEAD@{1}", "0123abc", "x+y"]),
    (shapes.host, ["localhost", "pypi.org", "*.github.com", "host:8080", "127.0.0.1", "[::1]:80"]),
    (shapes.url, ["http://localhost:8080/v1", "https://host", "http://[::1]:80/x"]),
    (shapes.timezone, ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+3"]),
    (shapes.cron, ["* * * * *", "0 7 * * 1-5", "*/15 0,12 1-31/2 jan-MAR sat-sun", "59 23 31 12 7", "0 0 1 1 *"]),
    (shapes.rule, ["bash", "bash(git push)", "bash(git *)", "edit_file(src/**)", "gh.create_pr", 'gh.x({"a": (1)})', "gh.*"]),
    (shapes.rule, ["webfetch", "read_outside", 'webfetch({"url": "http://x"})']),
    (shapes.pattern, ["val: ([0-9.]+)", "(?i)(x)", "[[a](b)"]),
    (shapes.variable, ["CI", "_x1"]),
    (shapes.moment, ["2026-12-31", "2026-12-31T18:00:00Z", "2026-12-31 18:00:00+01:00"]),
]  # fmt: skip
BAD = [
    (shapes.path, ["/a", "~/a", "../a", "a/..", "a/../b", "a\\b", "a\0", "a\nb", "c:/a", ".git", "a/.GIT/b", " a"]),
    (shapes.outer_path, ["/", "~", "~/", "//", "a/../b", "a\\b", "/a\0"]),
    (shapes.ref, ["-x", "a b", "a..b", "a~b:c", "a?", "a*", "a[b", "a\\b", "a\tb", "x" * 300]),
    (shapes.host, ["https://a", "*.com", "*.10.0.0.1", "::1", "a:0", "a:99999", "a/b", "a b", "", "a..b", "*", "u@h"]),
    (shapes.url, ["ftp://a", "a", "http://", "http://u@h", "http://a b", "javascript:1"]),
    (shapes.timezone, ["", "../x", "/etc", "a b", "1/2"]),
    (shapes.cron, ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
                   "a * * * *", "*-5 * * * *", "5-1 * * * *", "*/0 * * * *", "1,,2 * * * *", "٣ * * * *", "@daily"]),
    (shapes.rule, ["", "shell", "bash(", "bash()", "bash(a)b", "bash(a; b)", "bash(a > b)", "bash(* x)", "grep(/etc/*)", "a b"]),
    (shapes.pattern, ["", "a", "(", "(?P<x", "*"]),
    (shapes.variable, ["", "1a", "A=b", "a-b", "$A"]),
    (shapes.moment, ["", "soon", "2026-13-01", "31.12.2026"]),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "text"), [(shape, text) for shape, texts in GOOD for text in texts])
def test_a_good_one_passes(shape, text):
    assert shape(text) is None


@pytest.mark.parametrize(("shape", "text"), [(shape, text) for shape, texts in BAD for text in texts])
def test_a_bad_one_is_told_what_and_how_to_mend_it(shape, text):
    complaint = shape(text)
    assert complaint is not None
    assert all(complaint)
    assert all(part.isprintable() for part in complaint)


@given(st.text(st.sampled_from("./~ab\\ \0git:*")))
def test_a_path_that_passes_stays_inside(text):
    if shapes.path(text) is None:
        inside = posixpath.normpath(posixpath.join("/deck", text))
        assert inside == "/deck" or inside.startswith("/deck/")
        assert "\0" not in inside
        assert not inside.startswith("/deck/.git/")


@given(st.text(max_size=70))
def test_a_loop_name_that_passes_is_one_folder_and_one_part_of_a_branch(name):
    if shapes.loop_name(name) is None:
        assert posixpath.normpath(name) == name
        assert "/" not in name
        assert name[0] not in ".-"
        assert ".." not in name
        assert not name.endswith(".lock")


@given(st.text())
def test_no_text_is_too_odd_for_any_shape(text):
    for shape, _ in GOOD:
        complaint = shape(text)
        assert complaint is None or all(complaint)
