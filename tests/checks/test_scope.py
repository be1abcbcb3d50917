import pytest

from loopdeck.checks.port import ChangedPath
from loopdeck.core.spec import CheckSpec, ScopeCheck
from tests.checks.room import context, verdict


def scope(*paths: str, **bounds) -> CheckSpec:
    return CheckSpec(name="scope", scope=ScopeCheck(paths, **bounds))


def changed(*rows: tuple[str, int, int]) -> tuple[ChangedPath, ...]:
    return tuple(ChangedPath(*row) for row in rows)


@pytest.mark.req("S2-034")
def test_a_change_within_its_scope_passes(tmp_path) -> None:
    where = context(tmp_path, changed=changed(("src/a.py", 10, 2), ("src/x/b.py", 1, 1), ("README.md", 1, 0)))
    said = verdict(scope("src/**", "*.md", max_files=3, max_lines=15), where)
    assert said.passed
    assert "3 files and 15 lines changed" in said.evidence.tail


@pytest.mark.req("S2-034")
def test_each_path_outside_is_a_finding(tmp_path) -> None:
    where = context(tmp_path, changed=changed(("src/a.py", 1, 0), ("docs/b.md", 1, 0), ("ci.yml", 0, 9), ("src2/c.py", 1, 0)))
    said = verdict(scope("src/**"), where)
    assert said.outcome == "failed"
    assert [one.path for one in said.findings] == ["docs/b.md", "ci.yml", "src2/c.py"]
    assert all("src/**" in one.message for one in said.findings)
    assert len({one.fingerprint for one in said.findings}) == 3
    assert said.score == 0.25


def test_too_many_files_or_lines_are_findings(tmp_path) -> None:
    where = context(tmp_path, changed=changed(("a", 100, 0), ("b", 0, 50)))
    said = verdict(scope(max_files=1, max_lines=149), where)
    assert [one.criterion for one in said.findings] == ["max_files", "max_lines"]
    assert "a (+100 -0)" in said.findings[1].evidence
    assert said.score == 0
    assert verdict(scope(max_files=2, max_lines=150), where).passed


def test_an_empty_change_is_in_scope(tmp_path) -> None:
    assert verdict(scope("src/**", max_files=1), context(tmp_path)).passed


def test_a_thousand_paths_outside_are_counted(tmp_path) -> None:
    where = context(tmp_path, changed=changed(*((f"x{n}\x1b[31m", 10**18, 0) for n in range(1000))))
    said = verdict(scope("src/**", max_lines=5), where)
    assert len(said.findings) == 20
    assert said.findings[0].criterion == "max_lines"
    assert "\x1b" not in "".join(one.path + one.message + one.evidence for one in said.findings)
