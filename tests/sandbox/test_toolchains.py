"""Tools in a home are found and shown, and what surrounds them is not: with installations laid out as their installers do."""

import os
import sys
from pathlib import Path

import pytest

import loopdeck
from loopdeck.sandbox.toolchains import toolchains


def made(home: Path, *paths: str, links: dict[str, str] | None = None) -> Path:
    """A home with these files (a `/` at the end: a folder) and links."""
    for path in paths:
        place = home / path
        if path.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("")
    for path, to in (links or {}).items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).symlink_to(home / to)
    return home


def shown(home: Path, *bins: str, **env: str) -> set[str]:
    """What is shown of the home, relative to it."""
    path = os.pathsep.join([*(str(home / name) for name in bins), "/usr/bin", "relative/bin", ""])
    found = toolchains({"PATH": path, **{name: str(home / value) for name, value in env.items()}}, home)
    return {str(one.relative_to(home)) for one in found if one.is_relative_to(home)}


LAYOUTS = {
    "pyenv": (
        (".pyenv/shims/python", ".pyenv/bin/pyenv", ".pyenv/versions/3.12.1/bin/python", ".ssh/id"),
        (".pyenv/shims", ".pyenv/bin"),
        {".pyenv"},
    ),
    "nvm": ((".nvm/versions/node/v22/bin/node", ".nvm/versions/node/v22/lib/x", ".nvm/alias/x"), (".nvm/versions/node/v22/bin",), {
        ".nvm/versions/node/v22/bin", ".nvm/versions/node/v22/lib",
    }),
    "conda": (("miniconda3/bin/python", "miniconda3/conda-meta/x", "miniconda3/lib/x"), ("miniconda3/bin",), {"miniconda3"}),
    "a conda environment": (
        ("miniconda3/envs/a/bin/python", "miniconda3/envs/a/conda-meta/x", "miniconda3/bin/conda", "miniconda3/conda-meta/x"),
        ("miniconda3/envs/a/bin", "miniconda3/bin"),
        {"miniconda3"},
    ),
    "cargo": (
        (".cargo/bin/cargo", ".cargo/credentials.toml", ".cargo/registry/x", ".rustup/toolchains/stable/bin/rustc"),
        (".cargo/bin",),
        {".cargo/bin", ".cargo/registry", ".rustup"},
    ),
    "go": (("go/bin/gopls", "go/pkg/mod/x", "go/src/mine/secret.go"), ("go/bin",), {"go/bin", "go/pkg/mod"}),
    "a folder of scripts": (("bin/mine", "diary.txt", "lib/x"), ("bin",), {"bin"}),
    "packages of a user": ((".local/bin/tool", ".local/lib/python3.11/site-packages/x", ".local/share/keyrings/x"), (".local/bin",), {
        ".local/bin", ".local/lib/python3.11",
    }),
    "tools of a node project": (("web/node_modules/.bin/eslint", "web/node_modules/x/y", "web/.env"), ("web/node_modules/.bin",), {
        "web/node_modules",
    }),
    "nothing there": ((), ("nowhere/bin",), set()),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_installation_is_shown_and_no_more(tmp_path, layout):
    files, bins, expected = LAYOUTS[layout]
    assert shown(made(tmp_path, *files), *bins) == expected


def test_a_virtual_environment_brings_what_it_was_made_from(tmp_path):
    home = made(tmp_path, "project/.venv/bin/python", "project/.env", ".local/share/uv/python/cpython-3.12/bin/python3", ".ssh/id")
    (home / "project/.venv/pyvenv.cfg").write_text(f"home = {home}/.local/share/uv/python/cpython-3.12/bin\nversion = 3.12\n")
    expected = {"project/.venv", ".local/share/uv/python/cpython-3.12"}
    assert shown(home, "project/.venv/bin") == expected
    assert shown(home, VIRTUAL_ENV="project/.venv") == expected


def test_links_to_tools_kept_elsewhere_are_followed(tmp_path):
    home = made(
        tmp_path,
        ".local/share/uv/tools/ruff/bin/ruff", ".local/share/uv/tools/ruff/pyvenv.cfg", "apps/thing/run.sh", "apps/thing/key",
        "opt/node/bin/node", "opt/node/lib/x",
        links={
            ".local/bin/ruff": ".local/share/uv/tools/ruff/bin/ruff", ".local/bin/thing": "apps/thing/run.sh",
            ".local/bin/node": "opt/node/bin/node", ".local/bin/broken": "gone",
        },
    )  # fmt: skip
    assert shown(home, ".local/bin") == {
        ".local/bin",
        ".local/share/uv/tools/ruff",
        "apps/thing/run.sh",
        "opt/node/bin",
        "opt/node/lib",
    }


@pytest.mark.parametrize("folder", ["", "..", ".local", ".config"])
def test_a_home_is_never_shown_whatever_is_on_the_path(tmp_path, folder):
    home = made(tmp_path / "people" / "me", ".local/", ".config/", ".ssh/id", "pyvenv.cfg")
    found = toolchains({"PATH": str(home / folder), "VIRTUAL_ENV": str(home), "JAVA_HOME": str(home / folder)}, home)
    assert not [one for one in found if home.is_relative_to(one) or one in (home / ".local", home / ".config")]


def test_our_own_interpreter_and_package_are_always_there():
    found = toolchains({}, Path("/nowhere"))
    for needed in (Path(sys.prefix), Path(sys.base_prefix), Path(loopdeck.__file__).parent):
        assert needed.is_relative_to("/usr") or any(needed.is_relative_to(one) for one in found)
