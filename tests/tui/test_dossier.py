"""What is told of a call before it is answered: never more protection than is known, and the call last and whole."""

import pytest

from loopdeck.deck.approving import Waiting
from loopdeck.tui.dossier import Limits, barriers, dossier
from loopdeck.tui.widgets.pages import wrapped
from tests.kit.room import a_deck, approval, loop_row


@pytest.mark.parametrize(
    ("facts", "notices", "words"),
    [
        ({"walls": "none"}, (), "unsandboxed"),
        ({"reason": "the rule bash asks"}, (), "take it for unsandboxed"),
        ({"walls": "none"}, ("unsandboxed: approvals are advisory (no bwrap)", "else"), "(no bwrap)"),
        ({"walls": "closed"}, (), "neither your home nor your keys"),
        ({"walls": "open"}, (), "neither your home nor your keys"),
        ({"tool": "edit_file"}, ("unsandboxed: …",), "none is needed"),
        ({"tool": "github.create", "reason": ""}, (), "take it for unsandboxed"),
    ],
)
def test_no_more_protection_is_told_than_is_known(facts, notices, words):
    assert words in barriers(approval(**facts), notices, Limits())[0][0]


def test_the_call_is_the_last_thing_and_whole(tmp_path):
    deck = a_deck(tmp_path)
    call = approval("echo one\necho two")
    row = loop_row("one", "asking", approvals=(call,))
    lines = dossier(deck, deck.home.run_dir("one", row.run), Waiting("k", row, call)).lines
    text = ["".join(cell.text for cell in line) for line in lines]
    assert text[-3:] == ["── bash: the command ──", "echo one", "echo two"]
    assert text[0].startswith("loop     one")


@pytest.mark.parametrize("width", [8, 20, 79, 200])
def test_wrapped_lines_hold_all_of_it_and_fit(width):
    from rich.cells import cell_len

    from loopdeck.proposal import shown

    raw = "a long command with words and " + "x" * 300 + " 漢字" * 60 + "\nsecond  line "
    rows = wrapped(shown(raw), width)
    texts = ["".join(cell.text for cell in row) for row in rows]
    assert all(cell_len(text) <= width for text in texts)
    assert all(text[:2] in ("  ", "↪ ") for text in texts)
    again = "".join(("\n" if text.startswith("  ") and at else "") + text[2:] for at, text in enumerate(texts))
    assert again == raw


def test_what_a_sandbox_lets_through_and_what_it_can_not_hold_is_told():
    limits = Limits(("api.example.com", "*.pypi.org:443"), ("it can change modes",))
    told = barriers(approval(walls="listed"), (), limits)
    assert ("it reaches these hosts and no other, and what it can read in there it can send to them: api.example.com, *.pypi.org:443",
            "warn") in told  # fmt: skip
    assert told[-1] == ("not held: it can change modes", "warn")
    assert "the whole network is open to it" in barriers(approval(walls="open"), (), Limits())[1][0]
    assert barriers(approval(walls="none"), (), limits)[0][1] == "bad"
