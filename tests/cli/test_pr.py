"""`pr`: shown first, pushed and opened only when a person says so, refused with a remedy where it can't be."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from loopdeck.git.remote import Remote
from tests.cli.loops import fixer, loop, turn, write
from tests.kit.front import opened
from tests.kit.hostile import ALL, harm_in
from tests.kit.repos import commit_files, git

GH = """#!/bin/sh
# What it is asked stays beside it; what it answers is like the real one.
printf '%s\\n' "$*" >> "$(dirname "$0")/asked"
if [ -f "$(dirname "$0")/broken" ]; then echo "gh: not logged in" >&2; exit 4; fi
case "$1" in
    repo) echo '{"nameWithOwner": "olga/project"}' ;;
    pr) cat > "$(dirname "$0")/body"; echo "https://example.org/olga/project/pull/7" ;;
esac
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    base = tmp_path_factory.mktemp("pr")
    loops = {
        **fixer(goal="Answer.\nAll of it."),
        **loop("idler", [turn("d")]),
        **loop(
            "other", [turn("w", write("o.txt", "o"), ("bash", {"command": "sh report.sh"})), turn("d")],
            gates={"allow": ["bash(sh report.sh)"]},
        ),
        "report.sh": "cp evil.txt .loop/REPORT.md",
        "evil.txt": ALL,
    }  # fmt: skip
    with opened(base, {"README.md": "# A project\n", **loops}) as door:
        assert door.run("start", "--all", "--wait").code == 0
        folder = base / "bin"
        folder.mkdir()
        (folder / "gh").write_text(GH, encoding="utf-8")
        (folder / "gh").chmod(0o755)
        git(base, "init", "-q", "--bare", "-b", "main", "remote.git")
        git(door.repo, "remote", "add", "origin", str(base / "remote.git"))
        git(door.repo, "push", "-q", "origin", "main")
        yield door


@pytest.fixture
def door(played):
    """With its `gh` on PATH and nothing pushed yet."""
    env = dict(played.env)
    played.env["PATH"] = f"{played.base / 'bin'}:{env['PATH']}"
    yield played
    played.env.clear()
    played.env.update(env)
    for name in ("asked", "body", "broken"):
        (played.base / "bin" / name).unlink(missing_ok=True)
    for ref in pushed(played):
        git(played.base / "remote.git", "update-ref", "-d", f"refs/heads/{ref}")


def pushed(door):
    return git(door.base / "remote.git", "for-each-ref", "--format=%(refname:short)", "refs/heads/loop").split()


def asked(door):
    file = door.base / "bin" / "asked"
    return file.read_text("utf-8").splitlines() if file.exists() else []


def test_with_a_yes_the_branch_is_pushed_and_proposed(door, inside):
    entry = door.entry("fixer")
    said = inside(door, "pr", "fixer", "--yes", "--json").json
    assert (said["url"], said["branch"]) == ("https://example.org/olga/project/pull/7", entry["branch"])
    assert pushed(door) == [entry["branch"]]
    assert git(door.base / "remote.git", "rev-parse", entry["branch"]) == git(door.repo, "rev-parse", entry["branch"])
    create = asked(door)[-1]
    assert f"pr create --head {entry['branch']} --base main --title fixer: Answer." in create
    body = (door.base / "bin" / "body").read_text("utf-8")
    assert "**Ended: done.**" in body
    assert harm_in(body + create) == ""
    # Once more is fine: the branch is there as it is.
    assert inside(door, "pr", "fixer", "--yes").code == 0


def test_what_a_maker_reports_leaves_visible_or_not_at_all(door, inside):
    assert inside(door, "pr", "other", "--yes", "--title", ALL).code == 0
    body = (door.base / "bin" / "body").read_text("utf-8")
    assert "The maker's report" in body
    assert harm_in(body + asked(door)[-1]) == ""


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_without_a_person_nothing_leaves_the_machine(door, inside, words):
    said = door.run("pr", "fixer", *words)
    assert said.code == 2
    assert "a person must say yes" in said.err
    assert (pushed(door), asked(door)) == ([], [])


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_a_person_sees_it_all_and_answers(door, answer, code):
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    try:
        done = subprocess.run(
            [sys.executable, "-m", "loopdeck", "pr", "fixer", "--title", "Look at this"],
            cwd=door.repo, env=door.env, stdin=theirs, capture_output=True, timeout=50, check=False,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    out = done.stdout.decode()
    assert done.returncode == code, done.stderr
    for shown in (door.entry("fixer")["branch"], "1 file +1 -0", "remote.git", "into    main", "Look at this", "[y/N]"):
        assert shown in out
    assert harm_in(out) == ""
    assert bool(pushed(door)) is bool(asked(door)) is (code == 0)


def refused(door, inside, *words, run="fixer"):
    said = inside(door, "pr", run, "--yes")
    assert said.code != 0
    for word in words:
        assert word in said.err, said.err
    assert pushed(door) == []


def test_no_gh_no_remote_and_nothing_to_propose_are_said(door, inside, monkeypatch):
    refused(door, inside, "changed nothing", run="idler")
    path = door.env["PATH"]
    door.env["PATH"] = ":".join(part for part in path.split(":")[1:] if not Path(part, "gh").exists())
    refused(door, inside, "no `gh`", "git push origin loop/fixer/")
    door.env["PATH"] = path
    git(door.repo, "remote", "rename", "origin", "one")
    git(door.repo, "remote", "add", "two", "/nowhere")
    try:
        refused(door, inside, "several remotes: one, two", "git config branch.main.remote one")
        git(door.repo, "config", "branch.main.remote", "two")
        refused(door, inside, "two refused")
        git(door.repo, "remote", "remove", "two")
        url = git(door.repo, "remote", "get-url", "one").strip()
        git(door.repo, "remote", "remove", "one")
        refused(door, inside, "no remote", "git remote add")
        git(door.repo, "remote", "add", "origin", url)
    finally:
        assert git(door.repo, "remote").split() == ["origin"]


def test_a_gh_that_can_do_nothing_pushes_nothing(door, inside):
    (door.base / "bin" / "broken").touch()
    refused(door, inside, "not logged in", "gh auth status")


def test_what_is_on_the_other_side_is_never_overwritten(door, inside):
    branch = door.entry("other")["branch"]
    start = git(door.repo, "rev-parse", "main").strip()
    theirs = commit_files(door.repo, {"theirs.txt": "x"})
    git(door.repo, "push", "-q", "origin", f"{theirs}:refs/heads/{branch}")
    git(door.repo, "reset", "-q", "--hard", start)
    said = inside(door, "pr", "other", "--yes")
    assert said.code != 0
    assert "other commits" in said.err
    assert git(door.base / "remote.git", "rev-parse", branch).strip() == theirs
    assert not any(line.startswith("pr ") for line in asked(door))


def test_a_branch_that_the_other_side_does_not_have_is_not_named(door, inside):
    git(door.repo, "checkout", "-q", "-b", "mine")
    try:
        assert inside(door, "pr", "fixer", "--yes").code == 0
    finally:
        git(door.repo, "checkout", "-q", "main")
    assert "--base" not in asked(door)[-1]
    assert json.loads(inside(door, "pr", "fixer", "--yes", "--into", "main", "--json").out)["url"]
    assert "--base main" in asked(door)[-1]


def test_a_password_in_a_remotes_address_is_not_shown():
    assert Remote("o", "https://olga:hunter2@example.org/x.git").shown == "https://example.org/x.git"
    assert Remote("o", "git@example.org:x.git").shown == "git@example.org:x.git"
    assert Remote("o", "/srv/a@b.git").shown == "/srv/a@b.git"
