"""An answer becomes the command that carries it, or is refused before anything is written; of two the first counts."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from loopdeck import deciding
from loopdeck.core.run import Approval
from loopdeck.deciding import Answer, decided
from loopdeck.deck.decks import Deck
from loopdeck.errors import UsageError
from loopdeck.store import inbox
from tests.kit.repos import make_repo

AT = "2026-11-21T07:20:00.000Z"


def call(tool="bash", given=None, **facts) -> Approval:
    arguments = json.dumps({"command": "touch asked"} if given is None else given)
    return Approval(
        **{
            "id": "run-1", "call": "c1", "tool": tool, "summary": "s", "arguments": arguments, "cwd": "/w", "rule": "default",
            "tier": "medium", "digest": "d", "since": "2026-11-21T07:15:00Z", **facts,
        }
    )  # fmt: skip


def saying(approval, **answer):
    return decided(approval, Answer(**answer), by="me@here", at=AT)


def test_an_approval_carries_who_and_when():
    command = saying(call(), approved=True)
    assert (command.by, command.at, command.approval, command.approved) == ("me@here", AT, "run-1", True)


@pytest.mark.parametrize("why", ["", "   ", "\n"])
def test_to_deny_takes_a_reason(why):
    with pytest.raises(UsageError, match="reason"):
        saying(call(), approved=False, why=why)


def test_a_reason_goes_with_it_and_what_would_run_does_not():
    command = saying(call(), approved=False, why=" not now ", arguments='{"command": "x"}', always="bash")
    assert (command.why, command.arguments, command.always, command.approved) == ("not now", "", "", False)


def test_what_is_answered_is_not_answered_again():
    with pytest.raises(UsageError, match="her has answered it already"):
        saying(call(decided=True, by="her"), approved=True)


@pytest.mark.parametrize("expires", ["2026-11-21T07:20:00Z", "2026-11-21T00:00:00Z", "soon", "2026-11-21"])
def test_what_has_expired_can_only_be_denied(expires):
    with pytest.raises(UsageError, match="expired"):
        saying(call(expires=expires), approved=True)
    assert not saying(call(expires=expires), approved=False, why="too late").approved


def test_what_has_not_expired_can_be_allowed():
    assert saying(call(expires="2026-11-21T07:20:01Z"), approved=True).approved


@pytest.mark.parametrize(
    "text", ["[1]", "touch", '"x"', '{"comand": "x"}', '{"command": 1}', "", "[" * 100_000, '{"command": "a\\u0000b"}']
)
def test_edited_arguments_are_ones_that_the_tool_takes(text):
    if text:
        with pytest.raises(UsageError):
            saying(call(), approved=True, arguments=text)
    else:
        assert saying(call(), approved=True, arguments=text).arguments == ""


def test_edited_arguments_of_a_connector_are_any_object():
    command = saying(call("github.create_issue", {"title": "a"}), approved=True, arguments='{"title": "b"}')
    assert json.loads(command.arguments) == {"title": "b"}


@pytest.mark.parametrize(
    ("approval", "rule"),
    [
        (call(), "bash(touch asked)"),
        (call(), "bash(touch *)"),
        (call(), "bash"),
        (call("write_file", {"path": ".github/workflows/a.yml", "content": "x"}, rule="gated path"), "write_file(.github/workflows/*)"),
        (call("github.create_issue", {"title": "a"}), 'github.create_issue({"title": "a"})'),
        (call("github.create_issue", {"title": "a"}), "github.*"),
    ],
)
def test_a_rule_that_covers_the_call_is_taken(approval, rule):
    assert saying(approval, approved=True, always=rule).always == rule


@pytest.mark.parametrize(
    ("approval", "rule", "said"),
    [
        (call(), "bash(git push)", "does not cover"),
        (call(), "bash(touch other)", "does not cover"),
        (call(), "read_file", "does not cover"),
        (call(given={"command": "touch a && rm b"}), "bash(touch a)", "does not cover"),
        (call(given={"command": "touch $(id)"}), "bash(touch *)", "does not cover"),
        (call("write_file", {"path": "a.py", "content": ""}), "write_file(b.py)", "does not cover"),
        (call("write_file", {"path": ".env", "content": ""}, rule="gated path"), "write_file(**)", "always asks"),
        (call(rule="bash(touch)"), "bash(touch asked)", r"stronger.*: the rule bash\(touch\) asks"),
        (call(rule="level: report"), "bash(touch asked)", "level of this loop is report"),
        (call(), "no rule (", "not a rule"),
        (call(), "bsh(touch)", "names no tool"),
        (call(), "bash()", "empty pattern"),
        (call(given={"command": 'touch "a\u202eb"'}), 'bash(touch "a\u202eb")', "can't be seen"),
    ],
)
def test_a_rule_that_would_not_let_this_call_through_is_refused(approval, rule, said):
    with pytest.raises(UsageError, match=said):
        saying(approval, approved=True, always=rule)


def test_a_rule_has_to_cover_the_call_as_it_was_edited():
    saying(call(), approved=True, arguments='{"command": "touch right"}', always="bash(touch right)")
    with pytest.raises(UsageError, match="does not cover"):
        saying(call(), approved=True, arguments='{"command": "touch right"}', always="bash(touch asked)")


@pytest.mark.parametrize(
    ("approval", "rule"),
    [
        (call(), "bash(touch asked)"),
        (call(given={"command": "a; b"}), ""),
        (call(given={"command": "touch 'a\x1b]0;t\x07'"}), ""),
        (call("edit_file", {"path": "x/y.cfg", "old": "a", "new": "b"}), "edit_file(x/y.cfg)"),
        (call(arguments="no json"), ""),
    ],
)
def test_the_proposed_rule_is_the_narrowest_and_can_be_read(approval, rule):
    assert deciding.proposed_rule(approval) == rule
    if rule:
        assert deciding.rule_complaint(approval, rule) == ""


@pytest.fixture
def deck(tmp_path):
    deck = Deck.open(make_repo(tmp_path / "repo", {"a": "a"}), {"LOOPDECK_HOME": str(tmp_path / "home")})
    deck.home.make()
    return deck


def test_of_many_answers_one_counts_and_the_others_are_told_whose(deck):
    paths = deck.home.run_dir("one", "20261121-0715-a3f9")
    paths.inbox.mkdir(parents=True, mode=0o700)
    commands = [decided(call(), Answer(approved=bool(n % 2), why="no"), by=f"p{n}@here", at=AT) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda one: deciding.put(deck, paths, one), commands))
    assert sum(one.ours for one in given) == 1
    (winner,) = [command for command, one in zip(commands, given, strict=True) if one.ours]
    (counts,) = {one.counts for one in given}
    assert counts is not None
    assert (counts.by, counts.approved, deciding.decision(paths, "run-1")) == (winner.by, winner.approved, counts)
    assert f"process {os.getpid()}, uid {os.getuid()}" in counts.where
    told = deciding.said(winner)
    assert (winner.by in told, AT in told, ("approved" if winner.approved else "denied") in told) == (True, True, True)
    assert deciding.decision(paths, "run-2") is None
    assert deciding.decision(paths, "../run-1") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"verb":"pause","by":"x"}', b"\xff"])
def test_a_decision_that_makes_no_sense_is_none(deck, content):
    paths = deck.home.run_dir("one", "20261121-0715-a3f9")
    inbox.put(paths.inbox, "decision-run-1", content)
    assert deciding.decision(paths, "run-1") is None
    given = deciding.put(deck, paths, decided(call(), Answer(approved=True), by="me", at=AT))
    assert (given.ours, given.counts) == (False, None)
    assert "somebody" in deciding.said(given.counts)
