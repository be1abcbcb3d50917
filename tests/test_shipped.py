"""What ships with loopdeck is found from a checkout and from a wheel, and every template makes a loop that lints clean."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from loopdeck import shipped
from loopdeck.core.loopfile import read_deck, read_loop
from loopdeck.errors import UsageError, WorkspaceError
from loopdeck.store.skills import find_skills
from loopdeck.store.specs import load_loop
from tests.kit.repos import write_files

ROOT = Path(__file__).resolve().parent.parent


def test_a_checkout_finds_what_lies_beside_the_package():
    assert shipped.sample_project() == ROOT / "sample-projects" / "workshop"
    assert shipped.shipped_skills() == ROOT / "skills"


def test_a_wheel_finds_what_was_packed_into_it(tmp_path):
    package = tmp_path / "site-packages" / "loopdeck"
    (package / "_shipped" / "sample-projects" / "workshop").mkdir(parents=True)
    (package / "_shipped" / "skills").mkdir()
    (package.parent / "skills").mkdir()
    assert shipped.sample_project(package=package) == package / "_shipped" / "sample-projects" / "workshop"
    assert shipped.shipped_skills(package=package) == package / "_shipped" / "skills"


def test_a_broken_installation_says_so(tmp_path):
    with pytest.raises(WorkspaceError, match="lacks skills/"):
        shipped.shipped_skills(package=tmp_path / "loopdeck")


def test_the_build_packs_to_where_the_lookup_looks():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert build["force-include"] == {name: f"loopdeck/_shipped/{name}" for name in ("sample-projects", "skills")}


@pytest.mark.soak  # fetches the build backend from a package index
def test_a_wheel_holds_every_file_that_is_shipped(tmp_path):
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(pip, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "sample-projects", "skills"], check=True, capture_output=True)
    tracked = {f"loopdeck/_shipped/{name}" for name in listed.stdout.decode().split("\n") if name}
    assert "loopdeck/_shipped/sample-projects/workshop/.loopdeck/deck.toml" in tracked
    assert tracked <= packed
    here = (ROOT / "loopdeck" / "templates").rglob("*")
    assert {file.relative_to(ROOT).as_posix() for file in here if file.is_file()} <= packed


def test_there_is_a_template_for_each_common_loop():
    assert shipped.templates() == (
        "answers", "dependency-updates", "docs-links", "experiments", "fix-tests", "minimal", "missing-test", "pr-review", "triage",
        "version-string",
    )  # fmt: skip


@pytest.mark.req("S2-056")
def test_every_shipped_skill_is_named_by_a_template_and_comes_with_its_loop(tmp_path):
    named: dict[str, str] = {}
    for template in shipped.templates():
        for skill in tomllib.loads(shipped.template(template)["loop.toml"]).get("skills", ()):
            named.setdefault(skill, template)
    assert set(named) == {folder.name for folder in shipped.shipped_skills().iterdir()}
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for skill, template in named.items():
        new = [sys.executable, "-m", "loopdeck", "new", f"my-{template}", "--template", template, "--json"]
        made = subprocess.run(
            new, cwd=tmp_path, check=True, capture_output=True, env={**os.environ, "LOOPDECK_HOME": str(tmp_path / "home")}
        )
        assert f".loopdeck/skills/{skill}/SKILL.md" in json.loads(made.stdout)["files"]
        assert find_skills(tmp_path).found[skill].warnings == ()


@pytest.mark.parametrize(("prints", "fails"), [("1.2", False), ("1.95", True), ("", True), ("broken", True), ("9\n1.9", False)])
def test_the_experiments_template_fails_while_the_number_is_too_high(tmp_path, prints, fails):
    command = tomllib.loads(shipped.template("experiments")["loop.toml"])["check"][0]["run"]
    (tmp_path / "bench.py").write_text(f"print({prints!r})" if prints else "raise SystemExit(1)")
    assert (subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True).returncode != 0) == fails


@pytest.mark.parametrize("name", shipped.templates())
@pytest.mark.parametrize("values", [{}, {"agent": "openai", "model": "gpt-5", "loop": "nightly"}])
@pytest.mark.req("S0-21")
def test_every_template_lints_clean(name, values):
    files = shipped.template(name, values)
    assert next(iter(files)) == "loop.toml"
    deck, problems = read_deck(shipped.deck_template(), "deck.toml")
    assert not problems
    reading = read_loop(name, files["loop.toml"], "loop.toml", deck, prompt=files.get("PROMPT.md", ""))
    assert reading.problems == ()
    assert reading.spec is not None
    assert reading.spec.maker.agent == values.get("agent", "anthropic")
    assert not re.search(r"\$\{?[A-Za-z_]", files["loop.toml"]), "a variable is left"
    for skill in reading.spec.skills:
        assert shipped.skill(skill)["SKILL.md"].startswith(f"---\nname: {skill}\n")
    for check in reading.spec.checks:
        assert check.rubric is None or check.rubric.file in files


@pytest.mark.parametrize("name", shipped.templates())
def test_a_loop_made_from_a_template_lints_clean_where_it_lies(name, tmp_path):
    deck = {".loopdeck/deck.toml": shipped.deck_template()}
    loop = {f".loopdeck/loops/mine/{file}": text for file, text in shipped.template(name, {"loop": "mine"}).items()}
    skills = {
        f".loopdeck/skills/{skill.name}/{file}": text
        for skill in shipped.shipped_skills().iterdir()
        for file, text in shipped.skill(skill.name).items()
    }
    write_files(tmp_path, deck | loop | skills)
    assert load_loop(tmp_path, "mine").problems == ()


@pytest.mark.req("S2-073")
def test_the_minimal_loop_file_is_short():
    assert len(shipped.template("minimal")["loop.toml"].splitlines()) <= 15


def test_the_triage_template_only_reports():
    files = shipped.template("triage")
    spec = read_loop("triage", files["loop.toml"], "loop.toml", read_deck("", "deck.toml")[0]).spec
    assert spec is not None
    assert spec.level == "report"
    assert "bash" not in spec.maker.tools


@pytest.mark.parametrize(("version", "fails"), [("1.2.3", True), ("2.0.0", False)])
def test_the_version_template_fails_while_the_old_version_is_there(tmp_path, version, fails):
    spec = read_loop("v", shipped.template("version-string")["loop.toml"], "loop.toml", read_deck("", "deck.toml")[0]).spec
    assert spec is not None
    command = spec.checks[0].run
    assert subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True).returncode != 0, "nothing to look in is no pass"
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"This is {version}.\n")
    assert (subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True).returncode != 0) == fails


def test_the_deck_template_is_right_once_its_comments_are_taken_off():
    text = re.sub(r"^# (?=\[|\w+ = )", "", shipped.deck_template(), flags=re.MULTILINE)
    assert text.count("\n[") >= 7
    deck, problems = read_deck(text, "deck.toml")
    assert [problem for problem in problems if not problem.warning] == []
    template = shipped.template("minimal")["loop.toml"]
    assert read_loop("a", template, "loop.toml", deck).errors == ()


@pytest.mark.parametrize(
    ("ask", "name"), [(shipped.template, "fix-test"), (shipped.sample_project, "workshpo"), (shipped.skill, "fixing-test")]
)
def test_an_unknown_name_lists_the_known_ones(ask, name):
    with pytest.raises(UsageError) as refused:
        ask(name)
    assert "Did you mean" in refused.value.remedy


@pytest.mark.parametrize("folder", sorted(shipped.shipped_skills().iterdir()), ids=lambda folder: folder.name)
def test_a_shipped_skill_keeps_the_open_format(folder):
    text = (folder / "SKILL.md").read_text(encoding="utf-8")
    front = re.match(r"---\nname: ([a-z0-9-]{1,64})\ndescription: (\S.{20,1023})\n---\n# ", text)
    assert front is not None
    assert front[1] == folder.name
    assert len(text) < 4000
