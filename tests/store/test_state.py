"""STATE.md: everybody may write it, nobody's text is ever lost."""

from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from loopdeck.core.memory import MOST
from loopdeck.core.merge3 import Conflict, merge3
from loopdeck.errors import StoreError
from loopdeck.store.state import LoopState, StateClash, StateTooLarge
from tests.store.contenders import contenders

NOW = datetime(2026, 11, 21, 7, 15, 38, tzinfo=UTC)


def loop_state(folder, initial="# State\n"):
    return LoopState(folder / "loop", initial, clock=lambda: NOW)


def told(state):
    return [(version.number, version.author, version.note, version.path.read_text()) for version in state.history()]


@pytest.mark.req("S0-18")
def test_the_state_begins_with_its_initial_text(tmp_path):
    state = loop_state(tmp_path)
    assert state.peek() is None
    assert state.history() == []
    assert state.read().text == "# State\n"
    assert state.read() == state.peek()
    assert told(state) == [(1, "operator", "initial", "# State\n")]
    assert LoopState(tmp_path / "loop", "another").read().text == "# State\n"


def test_each_write_is_a_version_with_its_author(tmp_path):
    state = loop_state(tmp_path)
    now = state.read()
    now = state.write("by maker\n", "maker", "20261121-0715-a3f9-i1", now.hash)
    now = state.write("by check\n", "check", "20261121-0715-a3f9-i1", now.hash)
    assert state.read() == now
    assert told(state) == [
        (1, "operator", "initial", "# State\n"),
        (2, "maker", "20261121-0715-a3f9-i1", "by maker\n"),
        (3, "check", "20261121-0715-a3f9-i1", "by check\n"),
    ]
    assert state.history()[1].path.name == "20261121T071538Z-0002-maker-20261121-0715-a3f9-i1.md"
    assert state.history()[1].at == "2026-11-21T07:15:38Z"
    assert state.version(state.history()[1].path.name) == "by maker\n"
    # The same text again is no new version.
    state.write("by check\n", "maker", "again", now.hash)
    assert len(state.history()) == 3


def test_who_writes_on_an_old_state_is_told_what_it_is_now(tmp_path):
    state = loop_state(tmp_path)
    start = state.read()
    first = state.write("first\n", "maker", "a", start.hash)
    with pytest.raises(StateClash) as raised:
        state.write("second\n", "operator", "b", start.hash)
    assert raised.value.current == first
    assert state.read() == first
    assert len(state.history()) == 2


def test_an_edit_by_hand_becomes_a_version_of_the_operators(tmp_path):
    state = loop_state(tmp_path)
    start = state.read()
    state.path.write_text("by hand\n")
    with pytest.raises(StateClash) as raised:
        state.write("by maker\n", "maker", "i1", start.hash)
    assert raised.value.current.text == "by hand\n"
    assert told(state)[-1] == (2, "operator", "by-hand", "by hand\n")
    state.path.write_text("# State\n")
    assert state.read() == start
    assert told(state)[-1] == (3, "operator", "by-hand", "# State\n")
    state.path.unlink()
    assert state.read().text == "# State\n"
    assert told(state)[-1] == (4, "operator", "initial", "# State\n")


def test_one_side_of_a_clash_is_kept_without_becoming_the_state(tmp_path):
    state = loop_state(tmp_path)
    start = state.read()
    name = state.keep_version("the maker's\n", "maker", "run-i1")
    assert state.version(name) == "the maker's\n"
    assert state.history()[-1].kept
    assert state.read() == start
    assert len(state.history()) == 2
    with pytest.raises(StoreError, match="no such version"):
        state.version("../STATE.md")


@pytest.mark.parametrize("author", ["maker", "check", "operator"])
def test_odd_notes_and_texts(tmp_path, author):
    state = loop_state(tmp_path, initial="")
    now = state.read()
    assert now.text == ""
    now = state.write("ünïcode \ud800 \r\n no end", author, "../../etc/passwd\n!", now.hash)
    assert state.read() == now
    assert now.text == "ünïcode ? \r\n no end"
    assert state.history()[-1].note == "etc-passwd"
    state.path.write_bytes(b"not \xff utf-8")
    assert state.read().text == "not � utf-8"
    assert state.history()[-1].path.read_bytes() == b"not \xff utf-8"


def test_a_state_too_large_is_refused_and_changes_nothing(tmp_path):
    state = loop_state(tmp_path)
    now = state.read()
    state.write("x" * MOST, "maker", "", now.hash)
    with pytest.raises(StateTooLarge, match="32,768"):
        state.write("x" * (MOST + 1), "maker", "", state.read().hash)
    assert state.read().text == "x" * MOST
    state.path.write_text("y" * (MOST + 1))
    with pytest.raises(StateTooLarge) as raised:
        state.read()
    assert raised.value.where == str(state.path)
    # It was written by hand, so it is kept all the same.
    assert state.history()[-1].path.stat().st_size == MOST + 1


def test_a_crash_between_version_and_state_leaves_the_author_right(tmp_path):
    state = loop_state(tmp_path)
    now = state.read()
    versions = state.path.parent / "versions"
    waiting = versions / ".pending20261121T071538Z-0002-maker-i1.md"
    # Died before the state was replaced: as if nothing had been.
    waiting.write_text("never\n")
    (versions / ".x.md.1-2.tmp").write_text("half")
    assert state.read() == now
    assert told(state) == [(1, "operator", "initial", "# State\n")]
    # Died after it: the version is the maker's, not one by hand.
    waiting.write_text("by maker\n")
    state.path.write_text("by maker\n")
    assert state.read().text == "by maker\n"
    assert told(state)[1:] == [(2, "maker", "i1", "by maker\n")]
    assert {path.name[0] for path in versions.iterdir()} == {"2"}


def test_many_write_at_once_and_every_line_gets_in(tmp_path):
    with contenders(6, "state", tmp_path / "loop", 8) as many:
        many.go()
        many.end()
    state = loop_state(tmp_path)
    lines = state.read().text.splitlines()
    assert len(lines) == len(set(lines)) == 1 + 6 * 8
    assert [version.number for version in state.history()] == list(range(1, 50))
    assert {version.author for version in state.history()[1:]} == {"maker"}


TEXTS = st.lists(st.sampled_from(["one", "two", "three", "four", "five"]), max_size=5).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


class TwoSides(RuleBasedStateMachine):
    """A maker that works on what it read, and an operator who edits by hand or with a verb, whenever."""

    @initialize()
    def begin(self) -> None:
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        self.state = LoopState(Path(self.folder.name), "one\ntwo\n")
        self.base = self.state.read()
        self.texts = {self.base.text}

    @rule(text=TEXTS)
    def edit_by_hand(self, text: str) -> None:
        self.state.path.write_text(text)
        self.texts.add(self.state.read().text)

    @rule(text=TEXTS)
    def edit_with_the_verb(self, text: str) -> None:
        now = self.state.read()
        assert self.state.write(text, "operator", "edit", now.hash).text == text
        self.texts.add(text)

    @rule()
    def iteration_begins(self) -> None:
        self.base = self.state.read()

    @rule(text=TEXTS)
    def iteration_ends(self, text: str) -> None:
        now = self.state.read()
        if now.hash != self.base.hash:
            with pytest.raises(StateClash):
                self.state.write(text, "maker", "i1", self.base.hash)
        merged = merge3(self.base.text, text, now.text)
        if isinstance(merged, Conflict):
            self.state.keep_version(text, "maker", "i1")
            assert self.state.read() == now
            return
        text = self.state.write(merged, "maker", "i1", now.hash).text
        self.texts.add(text)
        assert self.state.read().text == text

    @invariant()
    def nothing_is_lost(self) -> None:
        history = self.state.history()
        kept = {version.path.read_text() for version in history}
        assert self.texts <= kept
        assert [version.number for version in history] == list(range(1, len(history) + 1))
        newest = next(version for version in reversed(history) if not version.kept)
        assert newest.path.read_text() == self.state.read().text

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestTwoSides = TwoSides.TestCase
TestTwoSides.settings = settings(max_examples=12, stateful_step_count=10, deadline=None)
