import pytest

from loopdeck.core.spec import CheckSpec
from tests.checks.room import context, grade, verdict, write

HANDBOOK: dict[str, str | bytes] = {
    "README.md": (
        "# Handbook\n\n[guide](docs/guide.md#set-up), [folder](docs/), [root](/docs/guide.md), [here](#handbook)\n[top](#top)\n"
    ),
    "docs/guide.md": (
        "# Guide\n## Set up\n## Set up\n[back](../README.md) [twice](#set-up-1) [encoded](my%20notes.md?plain=1#%C3%BCber)\n"
        "![picture](img/a.png) [code](../src/a.py#L3) [mail](mailto:a@b.c) [web](https://example.com:8080/a?b#c)\n"
    ),
    "docs/my notes.md": "# über\n",
    "docs/img/a.png": b"\x89PNG\x00",
    "src/a.py": "x\ny\nz\n",
    "site/index.html": "<a href='../README.md#handbook'>x</a><a href='#own'>y</a><p id=own>",
}


def links(*globs: str, **fields) -> CheckSpec:
    return CheckSpec(name="links", links=globs, **fields)


@pytest.mark.req("S2-002")
@pytest.mark.parametrize(
    ("anchor", "wrong"),
    [
        ("L3", ""),
        ("L1-L3", ""),
        ("L1-3", ""),
        ("L2C1-L3C9", ""),
        ("l2", ""),
        ("L4", "has no line 4, only 3"),
        ("L1-L9", "no line 9"),
        ("L0", "no line 0"),
    ],
)
def test_a_link_to_a_line_leads_to_a_line_there_is(tmp_path, anchor, wrong) -> None:
    write(tmp_path, {"a.md": f"[so](b.md#{anchor}) [so](c.py#{anchor})\n", "b.md": "# l2\ntwo\nthree\n", "c.py": "1\n2\n3\n"})
    said = verdict(links("a.md"), context(tmp_path))
    assert [wrong in one.message for one in said.findings] == ([True, True] if wrong else [])


@pytest.mark.req("S2-029")
@pytest.mark.req("S2-033")
def test_a_well_kept_handbook_passes_and_says_what_was_checked(tmp_path) -> None:
    write(tmp_path, HANDBOOK)
    said = verdict(links("**/*.md", "**/*.html"), context(tmp_path))
    assert said.findings == ()
    assert said.passed
    assert "14 links in 4 files checked, 0 broken" in said.evidence.tail
    assert "1 of them lead to the web and were looked at for syntax only, without a network" in said.evidence.tail


@pytest.mark.req("S2-033")
@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("[x](missing.md)", "there is no docs/missing.md"),
        ("[x](guide)", "but docs/guide.md"),
        ("[x](README.md)", "but README.md"),
        ("![x](img/b.png)", "there is no docs/img/b.png"),
        ("[x](#nowhere)", "docs/page.md has no anchor #nowhere"),
        ("[x](guide.md#setup)", "docs/guide.md has no anchor #setup, only #set-up"),
        ("[x](guide.md#Set-Up)", "has no anchor"),
        ("[x](../../etc/passwd)", "leads out of the repository"),
        ("[x](/../x)", "leads out of the repository"),
        ("[x](..%2F..%2Fx)", "leads out of the repository"),
        ("[x](out/secret.md)", "leads out of the repository"),
        ("[x](a%00b.md)", "no file name can have"),
        ("[x](loop.md)", "loop.md"),
        ("[x](pipe.md)", "neither a file nor a folder"),
        ("[x]()", "leads nowhere"),
        ("[x](https://)", "not a valid address"),
        ("[x](http://a:99999/)", "not a valid address"),
        ("[x](//)", "not a valid address"),
        ("[x](http://[::1/)", "not a valid address"),
        ("[x](file:///etc/passwd)", "one machine only"),
        ("[x][no such label]", "defined nowhere"),
        ('<a href="gone.md">x</a>', "there is no docs/gone.md"),
        ("[x][y]\n\n[y]: gone.md", "there is no docs/gone.md"),
        ("[x](Guide.md)", "there is no docs/Guide.md"),
    ],
)
def test_a_broken_link_is_a_finding_with_its_place(tmp_path, link: str, words: str) -> None:
    import os

    write(tmp_path / "outside", {"secret.md": "# s\n"})
    inside = write(tmp_path / "in", {**HANDBOOK, "docs/page.md": f"# Page\n\nText.\n{link}\n"})
    (inside / "docs/out").symlink_to(tmp_path / "outside")
    (inside / "docs/loop.md").symlink_to("loop.md")
    os.mkfifo(inside / "docs/pipe.md")
    said = verdict(links("docs/page.md"), context(inside))
    assert said.outcome == "failed"
    (one,) = said.findings
    assert words in one.message
    assert one.path == "docs/page.md"
    assert one.line == (6 if "[y]: " in link else 4)
    assert f"> {one.line} | " in one.snippet
    assert said.score == 0


def test_the_score_is_the_share_of_good_links(tmp_path) -> None:
    write(tmp_path, {"a.md": "[1](b.md)\n[2](b.md)\n[3](#no)\n[4](b.md)\n", "b.md": ""})
    assert verdict(links("a.md"), context(tmp_path)).score == 0.75


def test_a_glob_that_matches_nothing_is_a_finding(tmp_path) -> None:
    write(tmp_path, {"README.md": "# x\n", "docs/a.txt": "no document"})
    said = verdict(links("README.md", "docs/**"), context(tmp_path))
    (one,) = said.findings
    assert "no file matches docs/**" in one.message


def test_a_document_that_leads_out_or_is_too_large_is_a_finding(tmp_path) -> None:
    write(tmp_path, {"secret.md": "[x](gone.md)\n"})
    inside = write(tmp_path / "in", {"big.md": "x" * 1_000_001})
    (inside / "leak.md").symlink_to(tmp_path / "secret.md")
    said = verdict(links("*.md"), context(inside))
    assert [(one.path, "too large" in one.message or "can't be read" in one.message) for one in said.findings] == [
        ("big.md", True),
        ("leak.md", True),
    ]


def test_many_broken_links_are_counted(tmp_path) -> None:
    write(tmp_path, {"a.md": "".join(f"[x](gone-{n}.md)\n" for n in range(60))})
    said, output = grade(links("a.md"), context(tmp_path))
    assert len(said.findings) == 20
    assert "41 more" in said.findings[-1].message
    assert output.decode().count("there is no gone-") == 60


def test_evil_documents_end_in_time(tmp_path) -> None:
    write(tmp_path, {f"{n}.md": '[a](b "\n' * 20_000 for n in range(40)})
    said = verdict(links("*.md", timeout_s=0.5), context(tmp_path))
    assert said.outcome == "failed"
    assert "timed out after 0.5 s" in said.findings[0].message


def test_names_that_are_no_utf_8_or_hold_escapes_are_plain(tmp_path) -> None:
    import msgspec

    (tmp_path / "a\x1b[31m.md").write_text("[x](gone.md)\n")
    with open(bytes(tmp_path) + b"/\xff.md", "w") as file:  # noqa: PTH123 -- Path takes no bytes
        file.write("[x](gone.md)\n")
    said = verdict(links("*.md"), context(tmp_path))
    assert len(said.findings) == 2
    assert b"\\u001b" not in msgspec.json.encode(said)
