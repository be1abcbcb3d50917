"""The operator's own keys and theme: read, or refused with file and line."""

import pytest

from loopdeck.errors import UsageError
from loopdeck.store.taste import Taste, read_taste, taste_file

ACTIONS = ("hand.pause", "room.help")
THEMES = ("loopdeck", "loopdeck-light")


def read(tmp_path, text=None):
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path / "home")}
    if text is not None:
        file = taste_file(environ)
        file.parent.mkdir(parents=True)
        file.write_text(text)
    return read_taste(environ, actions=ACTIONS, themes=THEMES)


def test_without_a_file_there_is_nothing_special(tmp_path):
    assert read(tmp_path) == Taste()


def test_keys_and_theme_are_taken(tmp_path):
    assert read(tmp_path, 'theme = "loopdeck-light"\n[keys]\n"hand.pause" = "P,f5"\n') == Taste(
        "loopdeck-light", {"hand.pause": "P,f5"}
    )


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('theme = "loopdeck-lihgt"\n', 1, "loopdeck-light"),
        ('[keys]\n"hand.puase" = "P"\n', 2, "hand.pause"),
        ('[keys]\n"hand.pause" = "P Q"\n', 2, "no key"),
        ("[keys]\n[keys]\n", 2, ""),
        ("them = 1\n", 1, "theme"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, line, says):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert f"room.toml:{line}" in str(caught.value)
    assert says in str(caught.value)


def test_a_relative_configuration_folder_is_ignored(tmp_path):
    assert taste_file({"XDG_CONFIG_HOME": "here", "HOME": "/home/me"}).as_posix() == "/home/me/.config/loopdeck/room.toml"
