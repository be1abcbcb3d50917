import sys

import pytest

from loopdeck.agents import keys
from loopdeck.core.conversation import ModelFailed

KEYRING = """
from keyring import errors

def get_password(service, name):
    if name == "openai":
        raise errors.KeyringError("locked")
    return {("loopdeck", "anthropic"): "from-the-ring"}.get((service, name))
"""


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    # No keyring, whatever this machine has.
    monkeypatch.setitem(sys.modules, "keyring", None)


@pytest.fixture
def ring(monkeypatch, tmp_path):
    """A keyring package of our own on the path, in place of the optional extra."""
    package = tmp_path / "keyring"
    package.mkdir()
    (package / "__init__.py").write_text(KEYRING)
    (package / "errors.py").write_text("class KeyringError(Exception): ...")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keyring")
    yield
    for name in ("keyring", "keyring.errors"):
        sys.modules.pop(name, None)


def test_the_environment_comes_first_and_in_order(monkeypatch, ring):
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")
    assert (keys.need_key("anthropic").value, keys.need_key("anthropic").source) == ("token", "ANTHROPIC_AUTH_TOKEN")
    monkeypatch.setenv("ANTHROPIC_API_KEY", " key\n")
    assert (keys.need_key("anthropic").value, keys.need_key("anthropic").source) == ("key", "ANTHROPIC_API_KEY")


def test_the_keyring_comes_second_and_a_locked_one_is_none(monkeypatch, ring):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "  ")
    assert keys.find_key("anthropic") == keys.Key("from-the-ring", "keyring")
    assert keys.find_key("openai") is None


def test_without_any_the_remedy_is_said():
    assert keys.find_key("openai") is None
    with pytest.raises(ModelFailed, match=r"set OPENAI_API_KEY .*`keyring set loopdeck openai") as caught:
        keys.need_key("openai")
    assert caught.value.kind == "auth"


def test_a_key_does_not_show_itself():
    assert "hidden" not in repr(keys.Key("hidden", "OPENAI_API_KEY"))
