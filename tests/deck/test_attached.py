"""Sessions that were not started here, as the reader sees them: read on as they grow, to what a look from cold would find."""

import json
from datetime import UTC, datetime

import pytest

from loopdeck.deck.attached import line
from loopdeck.deck.attachedboard import chosen, facts, rows
from loopdeck.deck.snapshot import DeckFacts
from loopdeck.store import sessions
from loopdeck.store.layout import sessions_of
from loopdeck.store.sessions import Attached, Line, Session
from tests.deck.following_deck import Following, deck_at

pytestmark = pytest.mark.timeout(60)
AT = "2026-11-21T15:29:48.000Z"
NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC).timestamp()


def call(summary, verdict="none", **more):
    given = {"at": AT, "event": "PreToolUse", "agent": "claude", "cwd": "/work", "tool": "bash", "summary": summary}
    return Line(**(given | {"verdict": verdict} | more))


def words(row):
    """What stands in a row of the table."""
    return [one.text for one in row.painted]


@pytest.mark.parametrize("hints", [True, False])
def test_a_session_is_seen_as_it_goes_on_is_braked_and_ends(tmp_path, hints):
    deck = deck_at(tmp_path)
    folder = sessions_of(deck.home)
    with Following(deck, hints=hints) as following:

        def seen(holds):
            return following.until(lambda snapshot: snapshot.decks and holds(snapshot.decks[0].sessions)).decks[0].sessions

        seen(lambda found: found == ())
        sessions.append(folder, "s-1", call("ls", "allow"))
        assert [one.doing for one in seen(len)] == ["bash ls"]
        sessions.append(folder, "s-1", call("git push", "deny"))
        [one] = seen(lambda found: found[0].calls == 2)
        assert (one.agent, one.refused, one.doing) == ("claude", 1, "bash git push")
        sessions.brake(folder, "s-1", "by olga")
        assert seen(lambda found: found[0].braked)[0].braked == "by olga"
        assert sessions.release(folder, "s-1")
        seen(lambda found: not found[0].braked)
        sessions.append(folder, "s-1", Line(AT, "SessionEnd", "claude", "/work"))
        seen(lambda found: found == ())


def test_reading_on_finds_what_reading_from_the_start_finds(tmp_path):
    attached = Attached(tmp_path)
    assert not attached.look()
    for number in range(12):
        sessions.append(tmp_path, f"s-{number % 3}", call(f"step {number}", ("allow", "deny", "ask")[number % 2]))
        if number == 5:
            with (tmp_path / "s-1.jsonl").open("ab") as file:
                file.write(b'{"at": "half')
            attached.look()
            with (tmp_path / "s-1.jsonl").open("ab") as file:
                file.write(b" a line\n\xff\xfe\n[]\n")
        assert attached.look() or number == 5
        assert sorted(attached.seen, key=str) == sorted(sessions.sessions(tmp_path), key=str)
    assert not attached.look()


def test_of_a_file_without_end_only_its_end_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sessions, "MOST", 1000)
    for number in range(100):
        sessions.append(tmp_path, "s-1", call(f"step {number}"))
    attached = Attached(tmp_path)
    attached.look()
    [one] = attached.seen
    assert one.doing == "bash step 99"
    assert 3 < one.calls < 20


def test_its_line_and_its_row_say_who_where_and_what():
    calm = Session("0f3a9c11-52", "codex", "/elsewhere", AT, "2026-11-21T15:10:00.000Z")
    held = Session("b1d4e0a7-9e", "claude", "/work/docs", AT, AT, 31, 2, 1, braked="by olga", doing="bash git\npush \x1b[31m")
    decks = (DeckFacts("site", "/work", "/home", sessions=(calm, held)),)
    assert line((), NOW) == ""
    assert line(decks, NOW) == "2 sessions not started here, 1 braked, A shows; claude: bash git push \x1b[31m"
    assert "claude 2m ago: bash" in line(decks, NOW + 120)
    first, second = rows(decks, NOW)
    texts = words(first)
    assert texts[:7] == ["claude", "b1d4e0a7", "site/docs", "31", "2", "12s", "‖ braked"]
    assert "\x1b" not in json.dumps(texts)
    assert words(second)[2:] == ["/elsewhere", "0", "", "20m", "", "no call yet"]
    assert chosen(decks, first.key) == (0, held)
    assert chosen(decks, "0/gone") is None
    assert chosen(decks, "") is None
    [section] = facts(decks[0], held)
    assert section.lines[0].text == "by olga: none of its calls is let through until it is released"


@pytest.mark.parametrize("at", ["", "yesterday", "9999-99-99", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_none_is_is_long_ago(at):
    decks = (DeckFacts("site", "/work", "/home", sessions=(Session("s", "claude", "/", at, at),)),)
    assert words(rows(decks, NOW)[0])[5].endswith("d")
