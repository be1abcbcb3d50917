"""What a run works in: its own checkout and the clean one of its checks, both provided alike; the operator's is never touched."""

import json
import shutil
import time

import pytest
import tomli_w

from tests.cli.loops import fixer, loop, turn, write
from tests.e2e.seat import Seat
from tests.kit.repos import all_files, commit_files, git, make_repo, status

OPEN = {"allow": ["bash"]}


def bash(command, **more):
    """A turn that runs a command."""
    return turn("b", ("bash", {"command": command}), **more)


def worked(name, command, check, **more):
    """A loop whose maker runs one command, and whose check is another."""
    return loop(name, [bash(command), turn("d")], checks=[{"name": "seen", "run": check}], gates=OPEN, **more)


def checkout(door):
    """All files of the operator's checkout, to the byte."""
    return {path: content for path, content in all_files(door.repo).items() if not path.startswith(".git/")}


def notices(door, name):
    """What the run had to say to its operator, in one text."""
    return "\n".join(door.show(name)["notices"])


def committed(door, name):
    """Paths that the run changed against its base."""
    run = door.folded(name)
    return git(door.repo, "diff", "--name-only", "-z", run.base, run.commit).split("\0")[:-1]


@pytest.mark.usefixtures("without_walls")
def test_copies_links_and_setup_are_in_both_checkouts_and_in_no_commit(front):
    look = "test -f node_modules/lib/index.js && grep -q hush .env && test -f built/by-setup && test -f conf/local/a.toml"
    wants = {
        "copy": [".env", "conf/local"],
        "link": ["node_modules"],
        "setup": "mkdir -p built && echo x > built/by-setup && pwd >> built/where",
    }
    door: Seat = front(worked("furnished", f"{look} && touch made.txt", f"{look} && test -f made.txt", workspace=wants))
    for path, text in {"node_modules/lib/index.js": "x", ".env": "TOKEN=hush", "conf/local/a.toml": "a = 1"}.items():
        (door.repo / path).parent.mkdir(parents=True, exist_ok=True)
        (door.repo / path).write_text(text)
    before, files = status(door.repo), checkout(door)
    run = door.done("furnished")
    assert len(run.iterations) == 1
    assert committed(door, "furnished") == ["made.txt"]
    assert "node_modules is shared" in notices(door, "furnished")
    assert (status(door.repo), checkout(door)) == (before, files)


@pytest.mark.usefixtures("without_walls")
def test_what_a_maker_does_to_a_copy_is_neither_the_operators_nor_the_checks(front):
    door: Seat = front(worked("spoiler", "echo spoiled > .env && touch x", "grep -q hush .env", workspace={"copy": [".env"]}))
    (door.repo / ".env").write_text("TOKEN=hush\n")
    door.done("spoiler")
    assert (door.repo / ".env").read_text() == "TOKEN=hush\n"
    assert committed(door, "spoiler") == ["x"]


def test_a_virtual_environment_that_setup_made_serves_maker_and_checks(front):
    python = ".venv/bin/python -c 'import sys; assert sys.prefix.endswith(\".venv\"), sys.prefix'"
    wants = {"setup": "python3 -m venv --without-pip .venv"}
    door: Seat = front(worked("python", f"{python} && touch made.txt", f"{python} && test -f made.txt", workspace=wants))
    door.done("python")
    assert committed(door, "python") == ["made.txt"]


def test_a_setup_that_fails_ends_the_run_and_is_named(front):
    door: Seat = front(loop("broken", [turn("d")], workspace={"setup": "echo 'no such package: left-pad' >&2; exit 7"}))
    run = door.ended("broken", 14)
    assert run.reason == "error"
    assert "exit 7" in run.why
    assert "exit code 7" in run.why
    assert "no such package: left-pad" in run.why
    assert run.spend.model_calls == 0
    assert "no such package" in door.paths("broken").report.read_text()


def test_a_tracked_file_that_setup_changes_is_put_back_and_said(front):
    wants = {"setup": "echo changed > package-lock.json"}
    door: Seat = front(
        worked("locked", "touch x", "grep -q as-it-was package-lock.json", workspace=wants), {"package-lock.json": "as-it-was\n"}
    )
    door.done("locked")
    assert "package-lock.json" in notices(door, "locked")
    assert committed(door, "locked") == ["x"]


@pytest.mark.usefixtures("without_walls")
@pytest.mark.req("S0-23")
def test_a_protected_test_is_put_back_and_that_iteration_is_not_done(front):
    mend = "echo 'exit 0' > tests/check.sh; rm tests/data.txt; touch tests/new.txt"
    turns = [
        turn("I mend the test.", ("bash", {"command": mend})), turn("Done."),
        turn("Then the code.", write("answer.txt", "42\n"), iteration=2), turn("Done."),
    ]  # fmt: skip
    tests = {"tests/check.sh": "grep -q 42 answer.txt\n", "tests/data.txt": "data\n", "answer.txt": "41\n"}
    checks = [{"name": "tests", "run": "sh tests/check.sh"}, {"name": "easy", "run": "true"}]
    door: Seat = front(loop("cheat", turns, checks=checks, gates=OPEN, workspace={"protect": ["tests/**"]}), tests)
    run = door.done("cheat")
    first, second = run.iterations
    assert (first.passed, second.passed, first.outcomes["tests"]) == (False, True, "failed")
    assert set(first.protected) == {"tests/check.sh", "tests/data.txt", "tests/new.txt"}
    told = json.dumps(door.prompts("cheat", 2))
    assert "tests/check.sh is protected and was put back" in told
    assert committed(door, "cheat") == ["answer.txt"]
    tree = door.worktree("cheat")
    assert {path: (tree / path).read_text() for path in tests if path.startswith("tests")} == {
        p: t for p, t in tests.items() if p.startswith("tests")
    }
    assert not (tree / "tests/new.txt").exists()


@pytest.mark.usefixtures("without_walls")
@pytest.mark.req("S0-23")
def test_an_iteration_that_touched_what_is_protected_is_not_done_though_all_checks_pass(front):
    turns = [
        turn("w", ("bash", {"command": "echo more >> tests/check.sh; echo 42 > answer.txt"})),
        turn("d"),
        turn("Nothing left.", iteration=2),
    ]
    files = {"tests/check.sh": "grep -q 42 answer.txt\n"}
    door: Seat = front(
        loop("cheat", turns, checks=[{"run": "sh tests/check.sh"}], gates=OPEN, workspace={"protect": ["tests/**"]}), files
    )
    run = door.done("cheat")
    assert [one.passed for one in run.iterations] == [False, True]
    assert [one.score for one in run.iterations] == [1.0, 1.0]


@pytest.mark.req("S2-055")
def test_two_loops_edit_one_file_at_once_and_neither_changes_the_other(front):
    def editor(name):
        turns = [bash(f"for i in 1 2 3 4 5 6; do echo {name} $i >> shared.txt; sleep 0.05; done"), turn("d")]
        checks = [{"run": f"test $(grep -c {name} shared.txt) = 6 -a $(wc -l < shared.txt) = 7"}]
        return loop(name, turns, checks=checks, gates=OPEN)

    door: Seat = front(editor("left"), editor("right"), {"shared.txt": "first\n"})
    before = status(door.repo)
    said = door.run("start", "left", "right", "--wait")
    assert said.code == 0, said
    for mine, other in (("left", "right"), ("right", "left")):
        text = (door.worktree(mine) / "shared.txt").read_text()
        assert (text.count(mine), text.count(other)) == (6, 0)
        assert other not in git(door.repo, "show", f"{door.folded(mine).branch}:shared.txt")
    assert (status(door.repo), (door.repo / "shared.txt").read_text()) == (before, "first\n")
    for name in ("left", "right"):
        door.ok("discard", name)
    door.ok("clean")
    assert git(door.repo, "worktree", "list", "--porcelain").count(f"{door.base}/home/") == git(door.repo, "worktree", "list").count(
        "/.pool/"
    )
    assert git(door.repo, "branch", "--list", "loop/*") == ""


def test_a_dirty_checkout_is_left_alone_and_the_run_starts_from_head(front):
    door: Seat = front(
        worked("plain", "grep -q committed a.txt && test ! -e new.txt && touch x", "test -f x"),
        {"a.txt": "committed\n", "b.txt": "b\n", "c.txt": "c\n"},
    )
    (door.repo / "a.txt").write_text("edited\n")
    (door.repo / "b.txt").unlink()
    (door.repo / "new.txt").write_text("new\n")
    (door.repo / "c.txt").write_text("staged\n")
    git(door.repo, "add", "c.txt")
    before, files = status(door.repo), checkout(door)
    index = (door.repo / ".git/index").read_bytes()
    door.done("plain")
    assert (status(door.repo), checkout(door)) == (before, files)
    assert (door.repo / ".git/index").read_bytes() == index
    assert "does not see 4 uncommitted files" in notices(door, "plain")


def test_loop_files_need_no_commit(front):
    door: Seat = front({"a.txt": "a"})
    for path, text in fixer().items():
        (door.repo / path).parent.mkdir(parents=True, exist_ok=True)
        (door.repo / path).write_text(text)
    before = status(door.repo)
    door.done("fixer")
    assert status(door.repo) == before
    assert "uncommitted" not in notices(door, "fixer")
    assert committed(door, "fixer") == ["answer.txt"]


def nothing_ran(door):
    """True if no run was made."""
    return not list((door.base / "home").rglob("journal.jsonl")) and not list((door.base / "home").rglob("spec.toml"))


def test_a_repository_without_a_commit(tmp_path):
    base = tmp_path.resolve()
    door = Seat(make_repo(base / "repo", {}), base)
    for path, text in fixer().items():
        (door.repo / path).parent.mkdir(parents=True, exist_ok=True)
        (door.repo / path).write_text(text)
    said = door.says("start", "fixer")
    assert "no commit yet" in said.err
    assert "git commit" in said.err
    assert nothing_ran(door)


@pytest.mark.parametrize("base", ["no-such-branch", "v9.9", "0123456789abcdef0123456789abcdef01234567"])
def test_a_base_that_is_no_commit(front, base):
    door: Seat = front(fixer(workspace={"base": base}))
    said = door.says("start", "fixer", "--wait")
    assert base in said.err
    assert "workspace.base" in said.err
    assert nothing_ran(door)


def test_a_base_elsewhere_is_where_the_run_starts(front):
    door: Seat = front(worked("old", "test ! -e later.txt && touch x", "test -f x", workspace={"base": "v1"}))
    git(door.repo, "tag", "v1")
    commit_files(door.repo, {"later.txt": "later"})
    run = door.done("old")
    assert run.base == git(door.repo, "rev-parse", "v1").strip()


def test_outside_of_a_repository(tmp_path):
    door = Seat(tmp_path, tmp_path.resolve())
    for verb in (["start", "x"], ["status"], ["check"]):
        assert "repository" in door.run(*verb, cwd=tmp_path).err
        assert door.run(*verb, cwd=tmp_path).code == 2


def test_submodules_stay_empty_and_are_named(front, tmp_path):
    inner = make_repo(tmp_path / "inner", {"lib.txt": "lib"})
    door: Seat = front(fixer())
    git(door.repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "vendor/inner")
    git(door.repo, "commit", "-q", "-m", "a submodule")
    before = status(door.repo)
    door.done("fixer")
    assert "submodules stay empty" in notices(door, "fixer")
    assert "vendor/inner" in notices(door, "fixer")
    assert committed(door, "fixer") == ["answer.txt"]
    assert status(door.repo) == before


def test_a_detached_head_is_no_obstacle_and_is_named(front):
    door: Seat = front(fixer())
    git(door.repo, "checkout", "-q", "--detach")
    before = status(door.repo)
    door.done("fixer")
    assert "detached" in notices(door, "fixer")
    assert status(door.repo) == before


def test_a_branch_in_the_way_of_all_of_a_loops_branches(front):
    door: Seat = front(fixer())
    git(door.repo, "branch", "loop")
    run = door.ended("fixer", 14)
    assert (run.reason, "loop" in run.why) == ("error", True)
    assert "branch" in run.why
    assert git(door.repo, "rev-parse", "loop") == git(door.repo, "rev-parse", "HEAD")


def test_a_folder_in_the_way_of_the_worktree(front):
    door: Seat = front(
        fixer(workspace={"setup": "sleep 0.1"}),
        {".loopdeck/deck.toml": "[deck]\nmax_runs = 1\n"},
        loop("first", [turn("d", delay_s=60)]),
    )
    door.ok("start", "first")
    door.at_work("first")
    door.ok("start", "fixer")
    door.wait("fixer", lambda one: one.status == "queued" and one.live)
    path = door.deck.home.worktree("fixer", door.folded("fixer").id)
    path.mkdir(parents=True)
    (path / "precious.txt").write_text("mine")
    door.ok("kill", "first")
    entry = door.until_ended("fixer")
    assert entry["reason"] == "error"
    assert str(path) in entry["why"]
    assert (path / "precious.txt").read_text() == "mine"


def test_more_runs_than_places_wait_and_are_all_done(front):
    slow = [
        loop(f"fix{number}", [turn("w", write("x", "1"), delay_s=0.4), turn("d")], checks=[{"run": "test -f x"}]) for number in range(3)
    ]
    door: Seat = front(*slow, {".loopdeck/deck.toml": "[deck]\nmax_runs = 1\n"})
    waits = door.start("start", "--all", "--wait")
    seen, most = set(), 0
    while waits.poll() is None:
        entries = list(door.deck.document()["loops"])
        seen |= {one["status"] for one in entries}
        most = max(most, sum(one["status"] == "running" for one in entries))
        time.sleep(0.03)
    waits.communicate()
    assert waits.returncode == 0
    assert "queued" in seen
    assert most == 1
    assert {one["reason"] for one in door.ok("status", "--json").json["loops"]} == {"done"}


def test_a_sparse_worktree_has_only_what_it_needs_and_loses_nothing(front):
    files = {"src/a.txt": "a\n", "docs/b.txt": "b\n", "c.txt": "c\n"}
    look = "test -f src/a.txt -a ! -e docs"
    door: Seat = front(
        worked("sparse", f"{look} && echo more >> src/a.txt", f"{look} && grep -q more src/a.txt", workspace={"sparse": ["src"]}), files
    )
    run = door.done("sparse")
    assert committed(door, "sparse") == ["src/a.txt"]
    assert "docs/b.txt" in git(door.repo, "ls-tree", "-r", "--name-only", run.commit)


def test_spaces_and_umlauts_in_every_path(tmp_path):
    base = tmp_path.resolve() / "Übung mit Leerzeichen"
    name = "Größe & 'Maß' $x"
    files = worked(
        "plain",
        "cp 'däta/ein name.txt' 'däta/noch einer.txt'",
        "test -f 'däta/noch einer.txt'",
        workspace={"copy": ["gehe im/.env"], "setup": "test -f 'gehe im/.env'"},
    )
    door = Seat(make_repo(base / name, {**files, "däta/ein name.txt": "ä\n"}), base)
    try:
        (door.repo / "gehe im").mkdir()
        (door.repo / "gehe im/.env").write_text("x")
        before = status(door.repo)
        door.done("plain")
        assert committed(door, "plain") == ["däta/noch einer.txt"]
        assert status(door.repo) == before
        assert door.ok("status", "--json").json["deck"] == str(door.repo)
        assert "noch einer" in door.ok("diff", "plain").out
    finally:
        door.end()


def test_a_worktree_deleted_while_it_runs_stops_it_and_is_named(front):
    door: Seat = front(
        loop(
            "gone",
            [bash("echo hello", delay_s=1.5), turn("d", delay_s=0.5), turn("d", iteration=2)],
            checks=[{"run": "true"}],
            gates=OPEN,
        )
    )
    door.ok("start", "gone")
    door.at_work("gone")
    path = door.worktree("gone")
    shutil.rmtree(path)
    entry = door.until("gone", "paused")
    assert str(path) in entry["why"], entry["why"]
    door.ok("resume", "gone")
    assert door.until_ended("gone")["reason"] == "done"
    assert "Traceback" not in door.log("gone")
    assert "made anew" in notices(door, "gone")


def test_a_deck_of_nothing_but_a_folder(front):
    door: Seat = front({".loopdeck/deck.toml": tomli_w.dumps({"deck": {"max_runs": 2}})})
    assert door.says("start", "--all").err
    assert door.ok("status", "--json").json["loops"] == []
