import subprocess
import sys

import pytest

from loopdeck.checks import human
from loopdeck.checks.registry import make_check
from loopdeck.core.spec import CheckSpec, MetricCheck, RubricCheck, SchemaCheck, ScopeCheck
from loopdeck.errors import UsageError
from tests.checks.room import NOW, context, verdict, write

EVERY = {
    "command": CheckSpec("c", run="true"),
    "links": CheckSpec("c", links=("*.md",)),
    "schema": CheckSpec("c", schema=SchemaCheck(("*.json",), "schema.json")),
    "scope": CheckSpec("c", scope=ScopeCheck()),
    "rubric": CheckSpec("c", rubric=RubricCheck("RUBRIC.md")),
    "human": CheckSpec("c", human=True),
}


@pytest.mark.req("S2-029")
@pytest.mark.parametrize("kind", EVERY)
def test_each_table_makes_its_own_kind_of_check(tmp_path, kind: str) -> None:
    write(tmp_path, {"a.md": "x", "a.json": "{}", "schema.json": "true"})
    said = verdict(EVERY[kind], context(tmp_path), rubric_text="- run: `true`")
    assert said.kind == kind
    assert said.outcome == ("unknown" if kind == "human" else "passed")


@pytest.mark.parametrize(
    ("spec", "words"), [(CheckSpec("m", metric=MetricCheck("x", "(.*)")), "metric"), (CheckSpec("e"), "nothing to check")]
)
def test_what_can_not_be_checked_is_said_with_a_remedy(spec: CheckSpec, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_check(spec)
    assert words in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize(("passed", "why"), [(True, "lovely"), (True, ""), (False, "the \x1b[31mtone\x1b[0m is off"), (False, "")])
def test_a_persons_answer_is_a_verdict_with_evidence(passed: bool, why: str) -> None:
    said = human.verdict(EVERY["human"], passed, "ada", why, NOW)
    assert said.passed == passed
    assert said.kind == "human"
    assert said.evidence.at == NOW
    assert "ada" in said.evidence.tail
    assert "\x1b" not in str(said)
    assert len(said.findings) == (0 if passed else 1)


def test_the_heavy_packages_wait_until_they_are_needed() -> None:
    heavy = "{'jsonschema', 'referencing', 'markdown_it', 'rich', 'anthropic', 'openai'}"
    program = f"import sys, loopdeck.checks.registry; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
