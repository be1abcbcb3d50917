"""The inbox: whole commands, each name once, nothing from anybody else."""

import os
import time

import pytest

from loopdeck.errors import UsageError
from loopdeck.store.inbox import MOST, Inbox, put
from tests.store.contenders import contenders


def test_commands_are_taken_in_the_order_of_their_arrival(tmp_path):
    inbox = Inbox(tmp_path / "inbox")
    assert inbox.pending(()) == []
    assert put(tmp_path / "inbox", "20261121T071503000001-pause-aa", b"1")
    assert put(tmp_path / "inbox", "20261121T071503000002-nudge-bb", b"2")
    os.utime(tmp_path / "inbox" / "20261121T071503000002-nudge-bb.json", (1, 1))
    assert put(tmp_path / "inbox", "decision-ap1", b"3")
    os.utime(tmp_path / "inbox" / "decision-ap1.json", (2, 2))
    names = ["20261121T071503000002-nudge-bb", "decision-ap1", "20261121T071503000001-pause-aa"]
    assert inbox.pending(()) == list(zip(names, (b"2", b"3", b"1"), strict=True))
    assert inbox.pending({names[0]}) == [(names[1], b"3"), (names[2], b"1")]
    assert inbox.pending(set(names)) == []
    # At the same moment, the time in the name decides.
    for name in names:
        os.utime(tmp_path / "inbox" / f"{name}.json", (5, 5))
    assert [name for name, _ in Inbox(tmp_path / "inbox").pending(())] == sorted(names)


def test_a_name_is_given_once(tmp_path):
    assert put(tmp_path, "decision-ap1", b"yes")
    assert not put(tmp_path, "decision-ap1", b"no")
    assert Inbox(tmp_path).pending(()) == [("decision-ap1", b"yes")]
    assert [path.name for path in tmp_path.iterdir()] == ["decision-ap1.json"]
    assert (tmp_path / "decision-ap1.json").stat().st_mode & 0o777 == 0o600


def test_of_eight_who_answer_one_is_first(tmp_path):
    with contenders(8, "put", tmp_path / "inbox", "decision-ap1") as many:
        many.go()
        answers = dict(many.answers(8))
        many.end()
    assert sorted(answers.values()) == ["first"] + ["second"] * 7
    [(name, payload)] = Inbox(tmp_path / "inbox").pending(())
    assert name == "decision-ap1"
    first = next(pid for pid, answer in answers.items() if answer == "first")
    assert payload == b'{"by": %d}' % first


def test_nothing_is_missed_while_the_folder_is_watched(tmp_path):
    inbox = Inbox(tmp_path)
    done: set[str] = set()
    for number in range(300):
        assert put(tmp_path, f"command-{number}", b"%d" % number)
        assert inbox.pending(done) == [(f"command-{number}", b"%d" % number)]
        done.add(f"command-{number}")
        assert inbox.pending(done) == []


def test_a_quiet_inbox_is_not_read_again(tmp_path):
    put(tmp_path, "one", b"1")
    inbox = Inbox(tmp_path)
    os.utime(tmp_path, (time.time() - 60, time.time() - 60))
    assert inbox.pending({"one"}) == []
    # Hidden from a reader that only looks at the folder's time: it has not changed.
    before = tmp_path.stat()
    (tmp_path / "sneaked.json").write_bytes(b"2")
    (tmp_path / "sneaked.json").chmod(0o600)
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert inbox.pending({"one"}) == []
    put(tmp_path, "two", b"3")
    assert {name for name, _ in inbox.pending({"one"})} == {"sneaked", "two"}


def test_what_is_not_ours_whole_and_plain_is_left_out(tmp_path):
    inbox = tmp_path / "inbox"
    put(inbox, "good", b"{}")
    (inbox / ".half.json.1-2.tmp").write_bytes(b"{")
    (inbox / "no-command").write_bytes(b"{}")
    (inbox / "bad name.json").write_bytes(b"{}")
    (tmp_path / "outside").write_bytes(b"{}")
    (inbox / "link.json").symlink_to(tmp_path / "outside")
    os.mkfifo(inbox / "pipe.json")
    (inbox / "folder.json").mkdir()
    (inbox / "open.json").write_bytes(b"{}")
    (inbox / "open.json").chmod(0o666)
    (inbox / "large.json").write_bytes(b"x" * (MOST + 1))
    if os.geteuid() == 0:
        (inbox / "theirs.json").write_bytes(b"{}")
        os.chown(inbox / "theirs.json", 12345, 12345)
    assert Inbox(inbox).pending(()) == [("good", b"{}")]


@pytest.mark.parametrize("name", ["", ".x", "../x", "a/b", "a b", "x" * 200, "ä"])
def test_names_that_could_lead_elsewhere_are_refused(tmp_path, name):
    with pytest.raises(UsageError):
        put(tmp_path, name, b"")
    with pytest.raises(UsageError, match="bytes"):
        put(tmp_path, "large", b"x" * (MOST + 1))
    assert list(tmp_path.iterdir()) == []
