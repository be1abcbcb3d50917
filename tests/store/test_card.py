"""The card of a run that has ended: it says what folding the journal would, or nothing."""

import json

import pytest

from loopdeck.core import events as ev
from loopdeck.core.entry import entry, idle
from loopdeck.core.redact import Redactor
from loopdeck.store import card
from loopdeck.store.folded import load_run, save_checkpoint
from loopdeck.store.journal import JournalWriter
from loopdeck.store.layout import RunPaths
from tests.store.samples import add, journal_events, unchanged

SECRET = "sk-ant-api03-" + "A" * 40


@pytest.fixture
def ended(tmp_path) -> RunPaths:
    """A run that has ended, with its card."""
    return _run(RunPaths(tmp_path), journal_events())


def _run(paths: RunPaths, events: list[ev.AnyEvent]) -> RunPaths:
    writer = JournalWriter.open(paths.journal, 1, unchanged)
    for number, event in enumerate(events):
        add(writer, event, number / 8)
    save_checkpoint(paths, load_run(paths).run, writer)
    writer.close()
    return paths


def test_it_says_what_the_journal_says(ended):
    assert card.load(ended) == json.loads(json.dumps(entry(load_run(ended).run)))
    assert entry(load_run(ended).run).keys() == idle("").keys()
    assert ended.card.stat().st_mode & 0o777 == 0o600


def test_a_run_that_goes_on_has_none(tmp_path):
    paths = _run(RunPaths(tmp_path), journal_events()[:-1])
    assert card.load(paths) is None
    assert not paths.card.exists()


def test_it_is_not_believed_once_the_journal_is_another(ended):
    whole = ended.journal.read_bytes()
    for changed in (whole + b"x", whole[:-1], whole[:-20] + b"00000000" + whole[-12:], b""):
        ended.journal.write_bytes(changed)
        assert card.load(ended) is None, changed[-30:]
    ended.journal.write_bytes(whole)
    assert card.load(ended) is not None
    ended.journal.unlink()
    assert card.load(ended) is None


@pytest.mark.parametrize("damaged", [b"", b"\n", b"[]\n{}", b"{", b"\xff\xfe\n\xff"])
def test_damage_is_as_good_as_nothing(ended, damaged):
    ended.card.write_bytes(damaged)
    assert card.load(ended) is None
    ended.card.unlink()
    assert card.load(ended) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"loop": ', b'{"loop": "a"}'])
def test_so_is_a_body_that_is_no_entry(ended, body):
    head = ended.card.read_bytes().partition(b"\n")[0]
    ended.card.write_bytes(head + b"\n" + body)
    assert card.load(ended) is None


def test_another_version_reads_the_journal_itself(ended, monkeypatch):
    monkeypatch.setattr(card, "__version__", "another")
    assert card.load(ended) is None


def test_neither_card_nor_checkpoint_holds_a_secret(tmp_path):
    paths = RunPaths(tmp_path)
    events = journal_events()
    events[-1] = ev.RunEnded("human", f"stopped with {SECRET}", by="olga")
    writer = JournalWriter.open(paths.journal, 1, Redactor([SECRET]))
    for event in events:
        add(writer, event, 0.0)
    # In a runner's memory it is as it was said.
    run = load_run(paths).run
    run.why = f"stopped with {SECRET} \udcff"
    save_checkpoint(paths, run, writer)
    writer.close()
    for file in (paths.journal, paths.checkpoint, paths.card):
        assert SECRET not in file.read_text(), file
    told = card.load(paths)
    assert told is not None
    assert "stopped with [redacted" in told["why"]
    assert load_run(paths).run.why in told["why"]
