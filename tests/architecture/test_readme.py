import re

from loopdeck.core.loopfile import DeckFile, read_loop
from tests.architecture import readme

TEXT = readme.README.read_text("utf-8")


def test_the_verbs_in_the_readme_are_the_verbs_there_are():
    assert readme.written(TEXT) == TEXT


def test_the_loop_file_in_the_readme_runs_as_it_is():
    (loop,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    reading = read_loop("fix-tests", loop, "loop.toml", DeckFile())
    assert reading.spec is not None
    assert reading.problems == ()
    assert len(loop.strip().splitlines()) <= 15


def test_the_readme_names_the_exit_codes_there_are():
    from loopdeck.cli.start import EXIT_CODES

    for reason, code in EXIT_CODES.items():
        assert f"{code} `{reason}`" in TEXT or f"{code} for `{reason}`" in TEXT


def test_the_readme_names_every_room():
    named = set(re.findall(r"^(\w+)/ {2,}", TEXT, re.MULTILINE))
    rooms = {room.name for room in (readme.README.parent / "loopdeck").iterdir() if (room / "__init__.py").exists()}
    assert named == rooms - {"_shipped"}


def test_every_picture_in_the_readme_is_there():
    shown = re.findall(r"!\[[^]]*\]\(([^)]*)\)", TEXT)
    assert len(shown) >= 3
    assert all((readme.README.parent / one).is_file() for one in shown)
