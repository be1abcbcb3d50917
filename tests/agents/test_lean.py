"""The SDKs, imported lean: much less is loaded, and everything is there all the same."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from loopdeck.agents.lean import TESTED

_PUBLIC = """
import json, sys
from loopdeck.agents import lean
{setting}
with lean.lean("{sdk}"):
    import {sdk}
    {sdk}.{client}(api_key="any", base_url="http://127.0.0.1:9", max_retries=0)
loaded = sum(name.startswith("{sdk}.") for name in sys.modules)
public = {{}}
for holder in ({sdk}, {sdk}.types, {sdk}.resources):
    names = getattr(holder, "__all__", None) or [name for name in vars(holder) if not name.startswith("_")]
    for name in sorted(names):
        if hasattr(holder, name):
            one = getattr(holder, name)
            public[f"{{holder.__name__}}.{{name}}"] = f"{{type(one).__name__}} {{getattr(one, '__qualname__', '')}}"
print(json.dumps([loaded, public]))
"""
CLIENTS = {"anthropic": "AsyncAnthropic", "openai": "AsyncOpenAI"}


def imported(sdk: str, setting: str = "") -> tuple[int, dict[str, str]]:
    """How many modules of `sdk` were loaded for a client, and all its public names, in a process of its own."""
    code = _PUBLIC.format(sdk=sdk, client=CLIENTS[sdk], setting=setting)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded, public = json.loads(done.stdout)
    return loaded, public


@pytest.mark.parametrize("sdk", CLIENTS)
def test_less_than_half_is_loaded_and_every_public_name_is_what_it_is_otherwise(sdk):
    lean, public = imported(sdk)
    whole, otherwise = imported(sdk, "lean.TESTED = dict.fromkeys(lean.TESTED, (0, 0))")
    assert lean < whole / 2, (lean, whole)
    missing = otherwise.keys() - public.keys()
    # A package that was never run has no attribute for a module of its own that nobody asked for.
    assert not {name for name in missing if not otherwise[name].startswith("module")}
    assert {name: public[name] for name in public.keys() & otherwise.keys() if public[name] != otherwise[name]} == {}


@pytest.mark.parametrize("sdk", CLIENTS)
def test_the_installed_version_is_one_that_was_tested(sdk):
    major, minor = version(sdk).split(".")[:2]
    assert (int(major), int(minor)) <= TESTED[sdk], "run the tests of the agents, then raise TESTED"
