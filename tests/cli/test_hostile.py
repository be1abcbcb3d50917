"""Hostile text in everything that a verb could print: none of it reaches the terminal as it is, and none is silently dropped."""

from pathlib import Path

import pytest

from tests.kit.evil import FILE, FILES, evil_loops
from tests.kit.front import Front
from tests.kit.hostile import ALL, FAMILIES, harm_in, mess_in
from tests.kit.repos import commit_files, git, make_repo


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    """A deck in a folder, on a branch, with files, a maker, a check and an operator that all have it in for terminals."""
    base = tmp_path_factory.mktemp("hostile").resolve()
    door = Front(make_repo(base / "mark-folder\x1b]0;x\x07\u202e", {**FILES, **evil_loops()}), base)
    git(door.repo, "checkout", "-q", "-b", "mark-branch\u202e\u200b")
    try:
        yield door
    finally:
        door.end()


def checked(door, *args, codes=(0,), env=None):
    """What the verb says, as text and as JSON, each fit for a terminal; gives the text."""
    said = door.run(*args, env=env)
    assert said.code in codes, (args, said)
    assert not harm_in(said.out), (args, harm_in(said.out))
    assert not harm_in(said.err), (args, harm_in(said.err))
    assert "Traceback" not in said.err
    if args[0] not in ("init",):
        document = door.run(*args, "--json", env=env)
        assert document.code in codes
        for line in document.out.splitlines():
            assert not mess_in(line), (args, mess_in(line))
        assert not harm_in(document.err)
    return said.out + said.err


def test_nothing_hostile_reaches_the_terminal(evil):
    door = evil
    assert "mark-folder␛]0;x␇" in checked(door, "where")
    assert "can't be printed" in checked(door, "check", codes=(2,))
    door.ok("start", "evil", "--input", f"mark-input {ALL}")
    door.until("evil", "asking")
    assert "mark-command" in checked(door, "status")
    assert "mark-command" in checked(door, "approvals")
    door.ok("nudge", "evil", f"mark-nudge {ALL}")
    assert "mark-nudge" in checked(door, "show", "evil")
    door.ok("deny", "evil", "--why", f"mark-why {ALL}")
    door.until_ended("evil")

    shown = checked(door, "show", "evil")
    for mark in ("mark-output", "mark-command", "mark-why", "mark-folder"):
        assert mark in shown, mark
    traced = checked(door, "trace", "evil")
    for mark in ("mark-said", "mark-content", "mark-why"):
        assert mark in traced, mark
    assert "mark-remembered" in checked(door, "state", "evil")
    checked(door, "state", "evil", "--history")
    diff = checked(door, "diff", "evil")
    assert "mark-content" in diff
    assert "mark-output" in diff
    assert "mark-file␛" in checked(door, "diff", "evil", "--stat")
    assert "mark-output" in checked(door, "merge", "evil", codes=(1,))
    assert "mark-folder" in checked(door, "clean")

    # Files in conflict, and files in the way, are named in a refusal.
    before = git(door.repo, "rev-parse", "HEAD").strip()
    commit_files(door.repo, {FILE: "mine\n"}, "mine")
    assert "mark-file␛" in checked(door, "merge", "evil", codes=(14,))
    git(door.repo, "reset", "-q", "--hard", before)


def test_arguments_come_back_harmlessly(evil, inside):
    for args in (
        ["show", ALL], ["start", ALL], ["state", ALL], ["check", ALL], ["approve", ALL], ["new", ALL], ["diff", ALL], ["trace", ALL],
        ["pause", ALL], ["demo", "--dir", str(evil.repo)],
    ):  # fmt: skip
        for more in ([], ["--json"]):
            said = inside(evil, *args, *more)
            assert said.code == 2, args
            assert not harm_in(said.out + said.err), (args, harm_in(said.out + said.err))
            assert said.out + said.err
    for args in ([ALL], ["status", ALL], ["status", f"--{ALL}"], ["trace", "evil", "--iteration", ALL], ["verdict", "evil", "x", ALL]):
        said = inside(evil, *args)
        assert said.code == 2
        assert not harm_in(said.out + said.err), (args, harm_in(said.out + said.err))


def test_names_of_variables_and_editors_are_harmless(evil):
    env = {"mark-variable\x1b[31m_TOKEN": "qP7-hush-hush-zz91", "TERM": "mark-term\x1b[31m", "EDITOR": "mark-editor\x1b[31m"}
    said = checked(evil, "doctor", env=env)
    assert "mark-variable␛[31m_TOKEN" in said
    edited = evil.run("state", "evil", "--edit", env=env)
    assert (edited.code, "mark-editor" in edited.err) == (2, True)
    assert not harm_in(edited.err)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_damaged_or_foreign_journal_is_harmless(front, inside, family):
    door = front({})
    text = FAMILIES[family]
    home = Path(inside(door, "where", "--json").json["home"])
    run = home / "runs" / "evil" / "20200101-0000-0000"
    run.mkdir(parents=True, mode=0o700)
    (run / "journal.jsonl").write_bytes(f'{{"seq":0,"at":"{text}"}}\n{text}\n'.encode("utf-8", "surrogatepass"))
    (run / "trace.jsonl").write_bytes(f"{text}\n".encode("utf-8", "surrogatepass"))
    (run / "spec.toml").write_text(f"{text}\n", encoding="utf-8")
    (home / "state" / "evil").mkdir(parents=True, mode=0o700)
    (home / "state" / "evil" / "STATE.md").write_text(f"mark {text}\n", encoding="utf-8")
    for args in (["status"], ["show", "evil"], ["trace", "evil"], ["state", "evil"], ["diff", "evil"], ["merge", "evil"], ["clean"]):
        said = inside(door, *args)
        assert said.code in (0, 2, 14), (args, said)
        assert not harm_in(said.out + said.err), (args, harm_in(said.out + said.err))
