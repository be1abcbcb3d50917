import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.checks.documents import Link, read_html, read_markdown, slug

KINDS = """\
---
title: [not](a-link.md)
---
# First [inline](one.md "title") and ![image](two.png)

Text [by reference][the label] and [the label] and <https://example.com/x>.
Next line [spaced](<a b.md>), [multi
line](three.md) and <a href="four.md">raw</a>.

[the label]: five.md#part "t"

| a | b |
|---|---|
| [in a table](six.md) | ![x](seven.png) |

- item

      [indented code](no.md)
- `[span](no.md)` and \\[escaped](no.md)

```
[fenced](no.md)
```

<div>
<img src='eight.png'><!-- <a href="no.md"> -->
</div>

[undefined][nowhere at all] a[i][j] [foot][^1] [empty]()
"""


def test_every_kind_of_link_is_found_with_the_line_to_mend() -> None:
    found = {(link.target, link.line) for link in read_markdown(KINDS).links}
    assert found == {
        ("one.md", 4), ("two.png", 4), ("five.md#part", 10), ("https://example.com/x", 6), ("a b.md", 7), ("three.md", 7),
        ("four.md", 8), ("six.md", 14), ("seven.png", 14), ("eight.png", 26), ("", 29),
    }  # fmt: skip


def test_a_reference_to_nothing_is_found() -> None:
    assert read_markdown(KINDS).undefined == (Link("nowhere at all", 29),)


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Getting started", "getting-started"),
        ("What's new in 2.0?", "whats-new-in-20"),
        ("`loopdeck where`: the paths", "loopdeck-where-the-paths"),
        ("Über *alles* Größe", "über-alles-größe"),
        ("A -- B", "a----b"),
        ("snake_case & co", "snake_case--co"),
        ("日本語 テスト", "日本語-テスト"),
        ("[link](x.md) text", "link-text"),
    ],
)
def test_headings_get_the_anchors_that_github_gives(heading: str, anchor: str) -> None:
    assert anchor in read_markdown(f"# {heading}\n").anchors


def test_repeated_headings_are_numbered() -> None:
    assert read_markdown("# A\n## A\nA\n===\n### B {#own-id}\n").anchors == {"a", "a-1", "a-2", "b", "own-id"}


def test_explicit_anchors_are_found() -> None:
    text = 'x <a id="one"></a> <a name=\'two\'></a>\n\n<h2 id=three>x</h2>\n\n<!-- <a id="four"> -->\n'
    assert read_markdown(text).anchors == {"one", "two", "three"}


def test_front_matter_is_no_heading() -> None:
    assert read_markdown("---\ntitle: x\n---\n# Real\n").anchors == {"real"}


def test_html_links_and_anchors() -> None:
    page = (
        '<html>\n<!-- <a href="no.html"> -->\n<script src="app.js">var x = \'<a href="no.html">\';</script>\n'
        "<a class=x href='a.html?x=1&amp;y=2#b'>x</a><img\n src=pic.png>\n<style>a[href=\"no\"]{}</style><p id='top2'>\n"
    )
    document = read_html(page)
    assert document.links == (Link("app.js", 3), Link("a.html?x=1&y=2#b", 4), Link("pic.png", 5))
    assert document.anchors == {"top2"}


MARKUP = st.lists(
    st.sampled_from(
        ["[", "]", "(", ")", "!", "<", ">", "`", "```", "\n", "# ", "- ", "a", " ", "\\", '"', "[x]: ", "|", "<!--", "<a href="]
    )
).map("".join)


@given(MARKUP | st.text())
def test_any_text_is_read(text: str) -> None:
    for document in (read_markdown(text), read_html(text)):
        assert all(1 <= link.line <= text.count("\n") + text.count("\r") + 1 for link in document.links)


@given(st.text())
def test_a_slug_is_steady(text: str) -> None:
    assert slug(slug(text)) == slug(text)


@pytest.mark.parametrize(
    "piece",
    ["[", "![", "[](", "[a](<b", "<", "<a ", "<a href='", "<!--", "<script", "*a_ ", "[a\n", "a\n", '[a](b "', "`a", "[[a]][", "---\n"],
)
def test_evil_documents_are_read_in_time_that_grows_with_their_length(piece: str) -> None:
    text = piece * (30_000 // len(piece))
    began = time.perf_counter()
    read_markdown(text)
    read_html(text)
    assert time.perf_counter() - began < 5
