import subprocess
import sys

import pytest

from loopdeck.agents.registry import MODEL_AGENTS, make_agent
from loopdeck.errors import UsageError

HEAVY = ("anthropic", "openai", "httpx2", "pydantic", "genai_prices", "keyring")
SCRIPT = '[[turn]]\ntext = "Done."\n'


@pytest.mark.parametrize("kind", MODEL_AGENTS)
def test_making_an_agent_imports_no_sdk(kind):
    """In a fresh interpreter: what is slow to import waits for the first call."""
    code = (
        "import sys; from loopdeck.agents.registry import make_agent; from loopdeck.agents import prices, keys;"
        f"make_agent({kind!r}, base_url='http://127.0.0.1:1', script_text={SCRIPT!r});"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_kind_is_the_operators_mistake():
    with pytest.raises(UsageError, match="no such model agent: 'claude'"):
        make_agent("claude")


def test_a_script_with_mistakes_is_said_where():
    with pytest.raises(UsageError, match=r"turns\.toml:1"):
        make_agent("scripted", script_text="turn = 3", script_where="turns.toml")
