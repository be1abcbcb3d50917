"""What holds a run is said in the same words everywhere."""

import pytest

from loopdeck.core.barriers import MARK, held, network


@pytest.mark.parametrize(
    ("allowed", "words"),
    [
        (True, "the whole network"),
        (False, "no network"),
        ((), "no network"),
        (("a.b", "*.c.d:8443"), "these hosts alone: a.b, *.c.d:8443"),
    ],
)
def test_what_can_be_reached_in_words(allowed, words):
    assert network(allowed) == words


def test_no_more_is_told_than_the_journal_knows():
    assert held("", "", ()) == []
    assert held("plain", "none", (), ("nothing",)) == [(MARK, "bad")]
    assert held("bubblewrap", "closed", ()) == [("held by bubblewrap, with no network", "plain")]
    assert held("bubblewrap", "open", ()) == [("held by bubblewrap, with the whole network", "warn")]
    assert held("landlock", "closed", (), ("modes",)) == [("held by landlock, with no network", "plain"), ("not held: modes", "warn")]
    assert held("bubblewrap", "listed", ("a.b",)) == [("held by bubblewrap, with these hosts alone: a.b", "warn")]
