import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.checks.criteria import MOST_CRITERIA, RubricCriterion, parse_rubric

FULL = """\
# How the handbook must be

Read this first. It explains why.

## Correctness [blocker]
- Every command in the text runs as written.
  A command that needs a secret may be left out.
  - nested detail
- [minor] Typos are rare.

## Form
1. Headings say what follows. [minor]
2. **No secrets.** No key or password is in the text.
3. [ ] run: `ruff check .`

## Tone

Friendly, but short. Speaks to the reader.

<!-- - not a criterion -->
```
- not one either
```
"""


def test_every_kind_of_item_is_a_criterion() -> None:
    assert parse_rubric(FULL) == (
        RubricCriterion(
            "every-command-in-the-text-runs-as",
            "Every command in the text runs as written.\nA command that needs a secret may be left out.\n- nested detail",
            "blocker",
        ),
        RubricCriterion("typos-are-rare", "Typos are rare.", "minor"),
        RubricCriterion("headings-say-what-follows", "Headings say what follows.", "minor"),
        RubricCriterion("no-secrets", "**No secrets.** No key or password is in the text."),
        RubricCriterion("ruff-check", "run: `ruff check .`", None, "ruff check ."),
        RubricCriterion("tone", "Tone\nFriendly, but short. Speaks to the reader.\n```\n- not one either\n```"),
    )


@pytest.mark.req("S2-031")
@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (
            "- The API returns 404 for unknown ids\n- Tests cover the new branch\n",
            ["the-api-returns-404-for-unknown-ids", "tests-cover-the-new-branch"],
        ),
        (
            "The summary names all three risks.\n\nIt is at most\n200 words long.",
            ["the-summary-names-all-three-risks", "it-is-at-most-200-words-long"],
        ),
        ("# Title only\n\nOne paragraph of prose.", ["title-only"]),
        ("* a\n* a\n+ a", ["a", "a-2", "a-3"]),
        ("- ...\n- !!!", ["criterion", "criterion-2"]),
        ("", []),
        ("<!-- nothing -->\n", []),
    ],
)
def test_plain_rubrics_of_other_tools_are_understood(text: str, ids: list[str]) -> None:
    assert [one.id for one in parse_rubric(text)] == ids


@given(
    st.text()
    | st.lists(st.sampled_from(["# ", "## ", "- ", "1. ", "  ", "\n", "\n\n", "[minor]", "**", "`", "run: ", "x", "```", "<!--"])).map(
        "".join
    )
)
def test_any_text_gives_criteria_with_ids_of_their_own(text: str) -> None:
    criteria = parse_rubric(text)
    assert criteria == parse_rubric(text)
    assert len({one.id for one in criteria}) == len(criteria) <= MOST_CRITERIA
    assert all(one.id and len(one.id) <= 70 for one in criteria)


@pytest.mark.parametrize("piece", ["- a\n", "# x\n", "**", "[minor]", "`", " ", "- [ ] ", "<!--", "## a\nb\n"])
def test_a_rubric_of_any_length_is_read_in_time(piece: str) -> None:
    began = time.perf_counter()
    parse_rubric(piece * (200_000 // len(piece)))
    assert time.perf_counter() - began < 3
