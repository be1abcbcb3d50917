"""Rooms that answer at the same moment: one answer wins each round, and everybody else is told whose it was and when."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from loopdeck.deck.decks import Deck
from tests.deck.answerers import AT, RUN
from tests.kit.repos import make_repo

ROOMS = 8


def race(base: Path, rounds: int) -> Counter[str]:
    """How often each room won; every round is checked."""
    home = base / "home"
    root = make_repo(base / "repo", {"a": "a"})
    deck = Deck.open(root, {"LOOPDECK_HOME": str(home)})
    deck.home.make()
    inbox = deck.home.run_dir("one", RUN).inbox
    inbox.mkdir(parents=True, mode=0o700)
    words = [sys.executable, "-m", "tests.deck.answerers", str(root), str(home)]
    rooms = [subprocess.Popen([*words, f"room{n}", str(rounds)], stdout=subprocess.PIPE, text=True) for n in range(ROOMS)]
    wins: Counter[str] = Counter()
    try:
        for number in range(rounds):
            (home / f"go-{number}").touch()
            said = [json.loads(one.stdout.readline()) for one in rooms if one.stdout is not None]
            winners = [f"room{n}" for n, one in enumerate(said) if one["ours"]]
            assert len(winners) == 1, (number, said)
            wins[winners[0]] += 1
            assert {one["by"] for one in said} == set(winners)
            assert all(winners[0] in one["said"] and AT in one["said"] for one in said)
        assert len(list(inbox.iterdir())) == rounds
    finally:
        for room in rooms:
            room.kill()
            room.communicate()
    return wins


def test_one_of_eight_rooms_answers_and_the_others_are_told(tmp_path):
    assert race(tmp_path, 10).total() == 10


@pytest.mark.chaos
def test_three_hundred_rounds_of_eight_rooms(tmp_path):
    wins = race(tmp_path, 300)
    assert wins.total() == 300
    assert len(wins) > 1
