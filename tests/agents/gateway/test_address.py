"""A program that knows nothing of loopdeck and has nothing but its environment."""

import asyncio
import json
import os
import sys

from loopdeck.agents.gateway.address import Address
from loopdeck.core.usage import Usage
from tests.agents.gateway.conftest import KEYS
from tests.agents.gateway.room import Room, playing
from tests.kit.model_server import Answer, serving

PROGRAM = """
import anthropic, json, openai, os
said = [{"role": "user", "content": "hi"}]
one = anthropic.Anthropic(max_retries=0).messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=said)
two = openai.OpenAI(max_retries=0).chat.completions.create(model="gpt-5-mini", messages=said)
print(json.dumps([one.content[0].text, two.choices[0].message.content, dict(os.environ)]))
"""


def test_the_sdks_of_a_program_find_the_gateway_and_no_key_past_a_proxy(tmp_path):
    async def work(room: Room) -> None:
        env = os.environ | KEYS | {"ANTHROPIC_AUTH_TOKEN": "real-token", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "example.org"}
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, env=room.address.put_into(env), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await program.communicate()
        first, second, seen = json.loads(out)
        assert (first, second) == ("Hello.", "Hello.")
        assert "real-" not in str(seen)
        assert seen["NO_PROXY"] == "example.org,127.0.0.1"

    with serving(lambda request: Answer("Hello.", usage=Usage(20, 3)), keys=KEYS.values()) as server:
        record = playing(server, tmp_path, work)
        assert record.run.spend.usage == server.ledger.billed() == Usage(40, 6)


def test_an_address_shows_no_token():
    assert "secret" not in repr(Address("http://127.0.0.1:1/x", "secret"))
