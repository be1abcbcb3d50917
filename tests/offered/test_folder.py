"""A folder to answer from: passages are found, stand where they say, and can be cited so that a check looks them up."""

import asyncio
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client, StdioServerParameters

from loopdeck import shipped
from loopdeck.errors import UsageError
from loopdeck.offered.folder import InFolder
from loopdeck.offered.passages import MOST_LINES, Index, cut, words
from loopdeck.offered.server import Failed
from tests.cli.loops import loop, turn, write
from tests.e2e.conftest import front
from tests.e2e.seat import Seat
from tests.kit.repos import write_files

__all__ = ["front"]
HOLIDAYS = "# Leave\n\nEverybody has thirty days of leave a year.\n\n## Sickness\n\nFrom the third day on a doctor's note is needed.\n"
TRAVEL = "# Travel\n\nTrains are booked in second class.\n\n# Expenses\n\nReceipts are handed in within a month.\n"
DOCS = {"docs/people/leave.md": HOLIDAYS, "docs/travel.md": TRAVEL, "docs/notes.txt": "Nothing of importance.\n"}


@given(st.text(alphabet="ab \n#x", max_size=600))
def test_passages_are_whole_lines_each_once_and_in_order(text):
    lines = text.splitlines()
    before = 0
    for one in cut("a.md", text):
        assert before < one.first <= one.last <= len(lines)
        assert one.last - one.first < MOST_LINES + 1
        assert one.text == "\n".join(lines[one.first - 1 : one.last])
        before = one.last
    covered = {number for one in cut("a.md", text) for number in range(one.first, one.last + 1)}
    assert all(number in covered for number, line in enumerate(lines, 1) if line.strip())


@given(st.text(max_size=200), st.text(max_size=60))
def test_any_text_can_be_searched_for_anything(text, question):
    index = Index(cut("a.md", text))
    for one in index.about(question, 5):
        assert set(words(question)) & set(words(f"{one.path} {one.title} {one.text}"))


def test_what_is_asked_for_comes_first():
    index = Index(one for path, text in DOCS.items() for one in cut(path, text))
    for question, path, line in (
        ("How many days of leave are there?", "docs/people/leave.md", 3),
        ("when do I need a note from a doctor", "docs/people/leave.md", 7),
        ("receipt", "docs/travel.md", 7),
        ("train class", "docs/travel.md", 3),
    ):
        best = index.about(question, 3)[0]
        assert (best.path, best.first <= line <= best.last) == (path, True), question
    assert index.about("quantum", 3) == []


@pytest.fixture
def here(tmp_path):
    write_files(tmp_path, DOCS)
    return tmp_path


def ask(folder, name, **given):
    return {one.name: one for one in folder.tools()}[name].run(given)


def test_a_passage_says_where_it_stands(here):
    said = ask(InFolder(here / "docs", here), "search", query="doctor")
    assert "[docs/people/leave.md:5-7](/docs/people/leave.md#L5-L7) (under “Sickness”)\n## Sickness" in said
    beyond = ask(InFolder(here / "docs", here / "docs/people"), "search", query="receipts")
    assert f"[{here}/docs/travel.md:5-7] (under “Expenses”)" in beyond
    assert (
        ask(InFolder(here / "docs", here), "read", path="docs/travel.md", line="6")
        == "    6  \n    7  Receipts are handed in within a month."
    )


def test_what_changes_is_found_as_it_is_now(here):
    folder = InFolder(here / "docs", here)
    assert "shares a word" in ask(folder, "search", query="parking")
    write_files(here, {"docs/parking.md": "Parking is free on Sundays.\n"})
    assert "docs/parking.md:1](/docs/parking.md#L1)" in ask(folder, "search", query="parking")


def test_nothing_leads_out_of_the_folder(here, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere")
    write_files(secret, {"secret.md": "The password is parking.\n"})
    (here / "docs/link.md").symlink_to(secret / "secret.md")
    (here / "docs/linked").symlink_to(secret)
    write_files(here, {"docs/.hidden/a.md": "parking", "docs/b.bin": "parking\0", "outside.md": "parking"})
    folder = InFolder(here / "docs", here)
    assert "shares a word" in ask(folder, "search", query="parking")
    for path in ("docs/link.md", "docs/linked/secret.md", "outside.md", "../x", str(secret / "secret.md"), "docs/.hidden/a.md", "docs"):
        with pytest.raises(Failed):
            ask(folder, "read", path=path, line="1")
    with pytest.raises(UsageError):
        InFolder(here / "none", here)


def test_it_is_served_to_any_client(here):
    async def work():
        words = f"cd '{here}' && exec {sys.executable} -P -m loopdeck mcp --folder docs"
        async with Client(StdioServerParameters(command="/bin/sh", args=["-c", words])) as one:
            names = [tool.name for tool in (await one.list_tools()).tools]
            return names, str((await one.call_tool("search", {"query": "thirty days"})).content[0])

    names, text = asyncio.run(work())
    assert names == ["search", "read"]
    assert "[docs/people/leave.md:1-3]" in text


@pytest.mark.req("S2-002", "S2-011", "S2-106")
def test_a_loop_answers_from_a_folder_and_its_citations_are_looked_up(front):
    """Its first answer cites a line that is not there; the check says so, and the second is right."""
    spec = shipped.template("answers", {"agent": "scripted", "model": "claude-sonnet-4-5"})["loop.toml"]
    right, wrong = "[docs/people/leave.md:5-7](/docs/people/leave.md#L5-L7)", "[docs/people/leave.md:99](/docs/people/leave.md#L99)"
    answer = "A note is needed from the third day on {}.\n"
    turns = [
        turn("Searches.", ("docs.search", {"query": "doctor's note"}), iteration=1),
        turn("Writes.", write(".loop/REPORT.md", answer.format(wrong))),
        turn("Done."),
        turn("Mends.", write(".loop/REPORT.md", answer.format(right)), iteration=2),
        turn("Done."),
    ]
    play = loop("answers", turns)[".loopdeck/loops/answers/play.toml"]
    spec = spec.replace('agent = "scripted"', 'agent = "scripted"\nscript = "play.toml"')
    spec = re.sub(r'\[\[check\]\]\nname = "borne out".*?\n\n', "", spec, flags=re.DOTALL)
    spec = spec.replace("loopdeck mcp", f"{sys.executable} -P -m loopdeck mcp")
    door: Seat = front(DOCS | {".loopdeck/loops/answers/loop.toml": spec, ".loopdeck/loops/answers/play.toml": play})
    run = door.done("answers", "--input", "When do I need a doctor's note?")
    found = door.outputs("answers")[0]
    assert right in found
    assert run.iteration == 2
    findings = [part["findings"] for part in door.prompts("answers", 2) if "findings" in part]
    assert "docs/people/leave.md has no line 99, only 7" in findings[0]
