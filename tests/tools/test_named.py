"""Which files an approval stands on: all that a call may mean, none outside, no device ever opened."""

import json
import os

import pytest

from loopdeck.tools.named import MOST, files


def of(tree, command):
    return {name.removeprefix("file "): value for name, value in files(tree, "bash", json.dumps({"command": command}))}


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "scripts").mkdir()
    for name in ("a.sh", "scripts/b.sh", "with blank.sh", "conf.ini"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("sh a.sh", {"a.sh"}),
        ("sh ./scripts/../a.sh x", {"a.sh"}),
        ("cd scripts && sh -c 'sh scripts/b.sh'; . a.sh", {"a.sh", "scripts/b.sh"}),
        ("sh 'with blank.sh'", {"with blank.sh"}),
        ("tool --config=conf.ini <a.sh", {"conf.ini", "a.sh"}),
        ("X=a.sh; sh $X | tee `cat conf.ini`", {"a.sh", "conf.ini"}),
        ("sh scripts none /etc/passwd ../x ''", set()),
        ("bash <<E\nsh a.sh\nE", {"a.sh"}),
    ],
)
def test_files_that_a_command_may_mean(tree, command, named):
    assert set(of(tree, command)) == named


def test_a_content_a_mode_and_a_size_make_another_part(tree):
    before = of(tree, "sh a.sh")
    (tree / "a.sh").chmod(0o755)
    mode = of(tree, "sh a.sh")
    (tree / "a.sh").write_text("other")
    assert len({json.dumps(one) for one in (before, mode, of(tree, "sh a.sh"))}) == 3


def test_files_that_tools_run_by_themselves_are_named_by_every_command(tree):
    for name in ("Makefile", "conftest.py", "package.json", ".envrc"):
        (tree / name).write_text("x")
    assert set(of(tree, "make all")) == {"Makefile", "conftest.py", "package.json", ".envrc"}


def test_a_file_tool_names_its_file_whether_it_is_there_or_not(tree):
    [(name, there)] = files(tree, "write_file", json.dumps({"path": "./a.sh", "content": "x"}))
    assert name == "file a.sh"
    assert files(tree, "edit_file", json.dumps({"path": "new"})) == (("file new", "none"),)
    assert files(tree, "write_file", json.dumps({"path": "../a.sh"})) == ()
    assert files(tree, "glob", json.dumps({"pattern": "*"})) == ()
    (tree / "a.sh").write_text("other")
    assert files(tree, "write_file", '{"path": "a.sh"}')[0][1] != there


def test_pipes_devices_and_links_to_them_are_not_opened(tree):
    os.mkfifo(tree / "pipe")
    (tree / "zero").symlink_to("/dev/zero")
    (tree / "loop").symlink_to("loop")
    assert of(tree, "cat pipe zero loop") == {}


def test_there_is_a_bound(tree):
    for number in range(MOST + 50):
        (tree / f"f{number}").write_text("x")
    assert len(of(tree, "cat " + " ".join(f"f{number}" for number in range(MOST + 50)))) == MOST


def test_what_is_no_call_names_nothing(tree):
    assert files(tree, "bash", "no json") == ()
    assert of(tree, "\0") == {}
