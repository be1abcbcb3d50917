"""No charge ever exceeds what was reserved for it, however erratically a provider charges."""

import asyncio

import pytest

from loopdeck.agents import prices
from loopdeck.core.usage import Usage
from tests.agents.calls import DIALECTS, MODELS, agent_for, request_for
from tests.kit.model_scenarios import erratic
from tests.kit.model_server import serving

HINTS = {"messages": "anthropic", "chat": "openai", "responses": "openai"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.req("S2-089")
def test_a_thousand_random_charges_settle_within_their_reservations(dialect):
    rounds = 334
    rates = prices.rates(MODELS[dialect], HINTS[dialect], {})
    assert rates is not None

    async def go(url):
        agent, total, spent, reserved = agent_for(dialect, url), Usage(), 0, 0
        for n in range(rounds):
            request = request_for(dialect, "word " * (n % 50), max_output=1 + n * 7 % 900)
            bound = agent.input_bound(request) * rates.dearest_input + request.max_output * rates.output
            reply = await agent.call(request, lambda text: None)
            cost = prices.cost(MODELS[dialect], reply.usage, HINTS[dialect], {})
            assert cost is not None
            assert cost <= bound
            total, spent, reserved = total + reply.usage, spent + cost, reserved + bound
        await agent.close()
        return total, spent, reserved

    with serving(erratic(seed=len(dialect))) as server:
        total, spent, reserved = asyncio.run(go(server.url))
        assert total == server.ledger.billed()
    assert 0 < spent < reserved
