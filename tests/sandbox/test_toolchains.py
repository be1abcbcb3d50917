"""Tools in a home are found and shown, and what surrounds them is not: with installations laid out as their installers do."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

import loopdeck
from loopdeck.sandbox.port import Command
from loopdeck.sandbox.toolchains import toolchains
from tests.kit.walled import bubble, fence, fenceable, walled


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


RUN = {
    "pyenv": ({".pyenv/shims/tool": "exec ~PYENV/versions/3.12.1/bin/real", ".pyenv/versions/3.12.1/bin/real": "echo it ran"},
              ".pyenv/shims"),
    "nvm": ({".nvm/versions/node/v22/bin/tool": ". ~/.nvm/versions/node/v22/lib/x", ".nvm/versions/node/v22/lib/x": "echo it ran"},
            ".nvm/versions/node/v22/bin"),
    "conda": ({"miniconda3/bin/tool": ". ~/miniconda3/lib/x", "miniconda3/conda-meta/x": "", "miniconda3/lib/x": "echo it ran"},
              "miniconda3/bin"),
    "cargo": ({".cargo/bin/tool": ". ~/.rustup/toolchains/x", ".rustup/toolchains/x": "echo it ran"}, ".cargo/bin"),
    "uv": ({".local/share/uv/tools/t/bin/tool": ". ~/.local/share/uv/tools/t/lib/x", ".local/share/uv/tools/t/pyvenv.cfg": "",
            ".local/share/uv/tools/t/lib/x": "echo it ran"}, ".local/bin"),
    "a project's environment": ({"project/.venv/bin/tool": ". ~/project/.venv/lib/x", "project/.venv/pyvenv.cfg": "",
                                 "project/.venv/lib/x": "echo it ran"}, "project/.venv/bin"),
}  # fmt: skip


@pytest.mark.parametrize("make", [pytest.param(bubble, marks=walled), pytest.param(fence, marks=fenceable)], ids=["bubble", "fence"])
@pytest.mark.parametrize("layout", RUN)
def test_a_tool_in_a_home_runs_behind_walls_and_can_not_be_changed(tmp_path, layout, make):
    files, folder = RUN[layout]
    home, tree = tmp_path / "home", tmp_path / "tree"
    tree.mkdir()
    for path, text in {**files, ".ssh/id": "hush", ".cargo/credentials.toml": "hush", "project/.env": "hush"}.items():
        place = home / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"#!/bin/sh\n{text.replace('~PYENV', f'{home}/.pyenv').replace('~/', f'{home}/')}\n")
        place.chmod(0o755)
    (home / ".local/bin").mkdir(parents=True, exist_ok=True)
    if layout == "uv":
        (home / ".local/bin/tool").symlink_to(home / ".local/share/uv/tools/t/bin/tool")
    env = {"PATH": f"{home / folder}:/usr/bin:/bin", "HOME": str(home)}
    real = next(path for path, text in files.items() if "it ran" in text)
    line = f"tool; echo evil >> {home}/{real}; cat {home}/.ssh/id {home}/.cargo/credentials.toml {home}/project/.env"
    door = make(tree, home=home, tools=toolchains(env, home))
    done = asyncio.run(door.run(Command(("/bin/sh", "-c", line), tree, env, 20, writable=(tree,))))
    door.close()
    assert done.text.splitlines()[0] == "it ran"
    assert "hush" not in done.text
    assert "evil" not in (home / real).read_text()
