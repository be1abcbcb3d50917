"""The notes of what was read: bound to content, whole or not at all, and nobody's lost when two write at once."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.errors import StoreError
from loopdeck.store.readmarks import ReadMarks

names = st.text(min_size=1).map(lambda text: text.encode("utf-8", "replace").decode()) | st.just("bytes\udcff")


def marks_in(folder):
    return ReadMarks(folder / "read.json", folder / "locks" / "readmarks")


def test_marks_are_kept_by_run_and_file(tmp_path):
    marks = marks_in(tmp_path)
    assert (marks.all(), marks.stamp()) == ({}, (0, 0))
    marks.mark("r1", {"a.py": "100644 one", "odd\udcff\n": "100644 two"})
    before = marks.stamp()
    marks.mark("r1", {"a.py": "100644 three"})
    marks.mark("r2", {"a.py": "100644 one"})
    assert marks_in(tmp_path).all() == {"r1": {"a.py": "100644 three", "odd\udcff\n": "100644 two"}, "r2": {"a.py": "100644 one"}}
    assert marks.stamp() != before
    assert marks.path.stat().st_mode & 0o777 == 0o600


@given(st.dictionaries(names, names, max_size=5))
def test_any_name_comes_back_as_it_was(tmp_path_factory, files):
    marks = marks_in(tmp_path_factory.mktemp("marks"))
    marks.mark("r", files)
    assert marks.all() == {"r": files}


def test_none_is_lost_when_many_write_at_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: marks_in(tmp_path).mark(f"r{number % 3}", {f"f{number}": "x"}), range(24)))
    assert sum(len(files) for files in marks_in(tmp_path).all().values()) == 24


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2, "read": {}}', '{"format": 1, "read": {"r": 3}}', '{"format": 1}', "null"]
)
def test_what_cannot_be_understood_is_no_empty_list(tmp_path, text):
    marks = marks_in(tmp_path)
    marks.path.write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="can't be understood"):
        marks.all()
    with pytest.raises(StoreError):
        marks.mark("r", {"a": "b"})
    assert marks.path.read_text(encoding="utf-8") == text


def test_the_file_can_be_read_by_anyone(tmp_path):
    marks = marks_in(tmp_path)
    marks.mark("r", {"a.py": "100644 one"})
    assert json.loads(marks.path.read_text("ascii")) == {"format": 1, "read": {"r": {"a.py": "100644 one"}}}
