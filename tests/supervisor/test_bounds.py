"""Bounds that hold whoever starts a run: of each agent, and of memory."""

import asyncio

from loopdeck.core.spec import Deck
from loopdeck.runner.places import Places
from loopdeck.store.machine import free_memory


def taken(places: Places) -> bool:
    """True if it gets a place without waiting."""

    async def trying() -> bool:
        try:
            await asyncio.wait_for(places.take(), 0.05)
        except TimeoutError:
            return False
        return True

    return asyncio.run(trying())


def test_more_with_one_agent_wait_while_others_begin(tmp_path):
    deck = Deck(max_runs=3, max_runs_per_agent={"claude": 1})
    first, second, other, third = (Places(tmp_path / "places", deck, agent) for agent in ("claude", "claude", "openai", "openai"))
    assert taken(first)
    assert not taken(second)
    assert taken(other)
    assert taken(third), "who waits for its agent holds no other's place"
    first.release()
    assert taken(second)
    for places in (second, other, third):
        places.release()


def test_while_memory_is_short_one_goes_on_and_others_wait(tmp_path):
    deck = Deck(max_runs=3, min_free_memory=free_memory() * 1000)
    one, other = Places(tmp_path / "places", deck, "scripted"), Places(tmp_path / "places", deck, "scripted")
    assert taken(one), "with nobody at work nobody will free any"
    assert not taken(other)
    one.release()
    assert taken(other)
    other.release()
