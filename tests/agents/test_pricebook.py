"""Prices that were looked up once are there for the next process, which need not load the list."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loopdeck.agents import pricebook, prices
from loopdeck.core.usage import Rates
from loopdeck.store.shelf import FileShelf

ASKED = [
    ("claude-sonnet-4-5", "anthropic"),
    ("gpt-4o", "openai"),
    ("openai/gpt-4o", ""),
    ("claude-sonnet-4-5", "scripted"),
    ("nobody-knows-it", "openai"),
]
_ASKING = """
import json, sys
from pathlib import Path
from loopdeck.agents import prices
from loopdeck.core.usage import Usage
from loopdeck.store.shelf import FileShelf
prices.keep_on(FileShelf(Path(sys.argv[1])))
said = []
for model, hint in json.loads(sys.argv[2]):
    rates = prices.rates(model, hint, {})
    costs = [prices.cost(model, Usage(size, 10, 20, 30), hint, {}) for size in (0, 100, 150_000, 300_000)]
    said.append([str(rates), costs])
print(json.dumps([said, "genai_prices" in sys.modules]))
"""


def asked(shelf: Path) -> tuple[list[list[object]], bool]:
    """What a process of its own says of the prices, and whether it has loaded the list."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", _ASKING, str(shelf), json.dumps(ASKED)]
    said, loaded = json.loads(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)
    return said, loaded


def test_the_list_is_loaded_once(tmp_path):
    shelf = tmp_path / "prices"
    first, loaded = asked(shelf)
    assert loaded
    assert first[0][0] == first[3][0] != "None"
    assert first[4] == ["None", [None] * 4]
    again, loaded = asked(shelf)
    assert again == first
    assert not loaded
    # Damage, or a page of something else, is as if nothing were there.
    pages = sorted(shelf.iterdir())
    for page in pages:
        page.write_bytes(page.read_bytes()[:-5])
    pages[0].write_bytes(pages[1].read_bytes())
    assert asked(shelf) == (first, True)


class Shelf(dict[str, bytes]):
    """A shelf in memory."""

    def put(self, name: str, data: bytes) -> None:
        self[name] = data


PRICES = (((0, Rates(1, 2, 3, 4, "list")), (200_000, Rates(5, 6, 7, 8, "list"))),)


def test_a_page_answers_only_its_own_question(monkeypatch):
    shelf = Shelf()
    pricebook.write(shelf, "m", "h", PRICES)
    assert pricebook.read(shelf, "m", "h") == PRICES
    assert pricebook.read(shelf, "m", "other") is None
    (name,) = shelf
    shelf[name] = shelf[name].replace(b'"m"', b'"n"')
    assert pricebook.read(shelf, "m", "h") is None
    pricebook.write(shelf, "m", "h", ())
    assert pricebook.read(shelf, "m", "h") == ()
    monkeypatch.setattr(pricebook, "__version__", "another")
    assert pricebook.read(shelf, "m", "h") is None


@pytest.mark.parametrize("gone", [True, False])
def test_a_list_that_cannot_be_found_is_asked_itself(monkeypatch, tmp_path, gone):
    origin = None if gone else str(tmp_path / "nowhere" / "__init__.py")
    spec = type("Spec", (), {"origin": origin})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    shelf = Shelf()
    pricebook.write(shelf, "m", "h", PRICES)
    assert not shelf
    assert pricebook.read(shelf, "m", "h") is None


def test_what_was_looked_up_without_a_shelf_gets_onto_it(tmp_path, monkeypatch):
    monkeypatch.setattr(prices, "_memory", prices._Memory())
    shelf = Shelf()
    assert prices.rates("gpt-4o", "openai", {}) is not None
    prices.keep_on(shelf)
    assert pricebook.read(shelf, "gpt-4o", "openai") == prices._memory.steady["gpt-4o", "openai"]
    assert len(shelf) == 1


def test_a_shelf_takes_what_it_can(tmp_path):
    shelf = FileShelf(tmp_path / "home" / "prices")
    shelf.put("ab" * 16, b"no home yet")
    assert shelf.get("ab" * 16) is None
    (tmp_path / "home").mkdir()
    shelf.put("ab" * 16, b"x")
    assert shelf.get("ab" * 16) == b"x"
    assert (tmp_path / "home" / "prices").stat().st_mode & 0o777 == 0o700
    shelf.put("../out", b"x")
    assert shelf.get("../out") is None
    (tmp_path / "home" / "prices" / ("cd" * 16)).mkdir()
    shelf.put("cd" * 16, b"a folder is in the way")
    assert shelf.get("cd" * 16) is None
