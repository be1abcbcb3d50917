"""The walls in a whole run: what needs no approval behind them, what still asks, and what the loop file opens."""

import json

import pytest

from loopdeck.core import events as ev
from loopdeck.core.columns import cell
from loopdeck.deck.board import table_row
from loopdeck.deck.loopboard import badges
from loopdeck.deck.rows import Known, Sums, run_row
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat
from tests.kit.repos import git
from tests.kit.walled import fenceable, walled
from tests.kit.webserver import server


def bash(*commands):
    """Turns that each want to run one command."""
    return [turn("b", ("bash", {"command": one})) for one in commands]


def working(*commands, check="true", **more):
    """A loop whose maker runs `commands` and writes a file that its check can see."""
    return loop(
        "work", [*bash(*commands), turn("w", write("made.txt", "made\n")), turn("d")], checks=[{"name": "there", "run": check}], **more
    )


@walled
@pytest.mark.req("S2-098")
def test_a_command_that_can_not_leave_needs_no_approval_and_can_not_leave(front):
    door: Seat = front(working("touch kept.txt; touch $HOME/../kept-too.txt; cat /proc/1/environ", check="test -f kept.txt"))
    run = door.done("work")
    assert run.approvals == {}
    assert not (door.base / "kept-too.txt").exists()
    assert (door.worktree("work") / "kept.txt").exists()
    assert "unsandboxed" not in " ".join(run.notices)
    [granted] = [one for one in door.events("work") if isinstance(one, ev.ToolCallGranted) and one.tool == "bash"]
    assert granted.rule == "default"
    told = door.outputs("work")[0]
    assert "LOOPDECK_HOME" not in told
    assert "LOOPDECK_RUN" in told


@walled
def test_what_a_makers_python_compiles_is_not_committed_and_no_check_reads_it(front):
    imports = "python3 -c 'import made.calc'; echo \"at ${PYTHONPYCACHEPREFIX:-nowhere}\""
    door: Seat = front({"made/calc.py": "x = 1\n", **working(imports, check=f"{imports} | grep nowhere")})
    run = door.done("work")
    assert "/caches/work/maker/python" in door.outputs("work")[0]
    assert any((door.deck.home.path / "caches/work/maker/python").rglob("calc.*.pyc"))
    assert "pyc" not in git(door.repo, "ls-tree", "-r", "--name-only", run.branch)


@pytest.mark.usefixtures("without_walls")
def test_without_one_it_asks_and_the_run_says_what_that_means(front):
    door: Seat = front(working("touch kept.txt"))
    door.ok("start", "work")
    [waits] = door.until("work", "asking")["approvals"]
    [notice] = [one for one in door.folded("work").notices if "unsandboxed: approvals are advisory" in one]
    assert "bubblewrap is not installed" in notice
    assert "unsandboxed" in door.ok("show", "work").out
    door.ok("approve", waits["id"])
    assert door.until_ended("work")["reason"] == "done"


@walled
def test_the_network_is_off_and_asks_where_it_is_on(front):
    reach = "python3 -c 'import socket; socket.create_server((\"127.0.0.1\", 0)); print(len(socket.if_nameindex()))'"
    off, on = working(reach), working(reach, sandbox={"network": True})
    door: Seat = front(off)
    door.done("work")
    assert door.outputs("work")[0].startswith("1")
    for path, text in on.items():
        (door.repo / path).write_text(text)
    door.ok("start", "work")
    [waits] = door.until("work", "asking")["approvals"]
    assert "network" in door.ok("approvals").out
    door.ok("approve", waits["id"])
    assert door.until_ended("work")["reason"] == "done"


@walled
@pytest.mark.parametrize("key", ["network", "setup_network"])
def test_a_list_of_hosts_lets_those_through_and_says_what_it_refused(front, key):
    with server() as port:
        fetch = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/in').read().decode())"
        other = "import urllib.request as u; u.urlopen('http://api.foo.com/')"
        line = f'unset no_proxy NO_PROXY; python3 -c "{fetch}" > got; python3 -c "{other}"; true'
        listed = {"sandbox": {key: [f"127.0.0.1:{port}"]}}
        by_setup = key == "setup_network"
        door: Seat = front(
            working("cat got", workspace={"setup": line}, **listed) if by_setup else working(f"{line}; cat got", **listed)
        )
        door.done("work")
    told = door.outputs("work")[0]
    assert f"GET /in host=127.0.0.1:{port}" in told
    if not by_setup:
        # No approval was asked for: the operator has listed where it may go.
        assert "[network: api.foo.com is not in [sandbox] network]" in told
    found = door.run("trace", "work", "--kind", "host_reached", "--json").lines
    ways = {(one["host"], one["verdict"], one["by"]) for one in found}
    assert ("127.0.0.1", "allowed", "setup" if by_setup else "tool") in ways
    assert {host for host, verdict, _ in ways if verdict == "refused"} == {"api.foo.com"}
    shown = door.ok("trace", "work", "--kind", "host_reached").out
    assert "refused api.foo.com:80" in shown
    assert "bytes sent" in shown
    assert door.folded("work").walls == ("closed" if by_setup else "listed")


@walled
def test_what_is_protected_or_configures_tools_can_not_be_written(front):
    tries = "echo x > tests/a.sh; echo x > tests/new; echo x > CLAUDE.md; mkdir .claude; echo x > .claude/a; rm -rf tests; true"
    door: Seat = front(
        working(tries, check="grep -q right tests/a.sh", workspace={"protect": ["tests/**"]}), {"tests/a.sh": "# right\n"}
    )
    run = door.done("work")
    assert [one.protected for one in run.iterations] == [()]
    tree = door.worktree("work")
    assert (tree / "tests/a.sh").read_text() == "# right\n"
    assert not (tree / "CLAUDE.md").exists()
    assert not (tree / ".claude").exists()


@walled
def test_the_loop_file_opens_what_it_names_and_nothing_else(front, tmp_path, monkeypatch):
    monkeypatch.setenv("BUILD_NUMBER", "77")
    for name in ("read", "write", "neither"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(f"this is {name}\n")
    at = str(tmp_path)
    look = f"cat {at}/read/file {at}/write/file {at}/neither/file"
    change = f"echo from $BUILD_NUMBER > {at}/write/file; echo no > {at}/read/file; true"
    opened = {"read": [f"{at}/read"], "write": [f"{at}/write"], "env": ["BUILD_NUMBER"]}
    door: Seat = front(working(f"{look}; {change}", sandbox=opened))
    door.env["BUILD_NUMBER"] = "77"
    door.done("work")
    told = door.outputs("work")[0]
    assert "this is read" in told
    assert "this is write" in told
    assert "this is neither" not in told
    assert (tmp_path / "write" / "file").read_text() == "from 77\n"
    assert (tmp_path / "read" / "file").read_text() == "this is read\n"


@walled
def test_checks_see_their_clean_checkout_and_not_the_worktree(front):
    door: Seat = front(
        working(check='test -f made.txt && touch scratch && ! test -e "${PWD%.check}" && ! test -e ~/../repo/README.md'),
        {"README.md": "x"},
    )
    door.done("work")
    assert not (door.worktree("work") / "scratch").exists()


@walled
def test_setup_runs_behind_the_walls_too_and_what_is_linked_can_not_be_written(front):
    wants = {"setup": "touch set-up ../escaped; cat vendor/lib", "link": ["vendor"]}
    door: Seat = front(
        working("cat vendor/lib; echo evil > vendor/lib", check="test -f set-up", workspace=wants), {".gitignore": "vendor\nset-up\n"}
    )
    (door.repo / "vendor").mkdir()
    (door.repo / "vendor" / "lib").write_text("code\n")
    run = door.done("work")
    assert "code" in door.outputs("work")[0]
    assert (door.repo / "vendor" / "lib").read_text() == "code\n"
    assert not any("can write to it" in one for one in run.notices)
    assert not list((door.base / "home").rglob("escaped"))


@walled
def test_git_tells_and_can_not_be_changed(front):
    door: Seat = front(working("git status --short; git log --oneline | wc -l; git commit -qm x --allow-empty; git config a.b c"))
    door.done("work")
    told = door.outputs("work")[0]
    assert "?? CLAUDE.md" not in told
    assert "Read-only file system" in told
    assert "a.b" not in (door.repo / ".git/config").read_text()


@walled
def test_a_rule_still_asks_behind_walls(front):
    door: Seat = front(working("touch one", gates={"ask": ["bash(touch)"]}, check="test -f one"))
    door.ok("start", "work")
    [waits] = door.until("work", "asking")["approvals"]
    door.ok("approve", waits["id"])
    assert door.until_ended("work")["reason"] == "done"


@walled
def test_a_command_killed_with_its_run_is_gone(front):
    door: Seat = front(working("setsid sleep 4321 & sleep 4321"))
    door.ok("start", "work")
    door.at_work("work")
    door.ok("kill", "work", "--now")
    assert door.until_ended("work")["reason"] == "human"


@walled
def test_the_merge_checks_behind_walls(front):
    door: Seat = front(working("touch kept.txt", check="test -f kept.txt && ! test -e ~/../repo/README.md"))
    door.done("work")
    assert json.loads(door.ok("merge", "work", "--json").out)["commit"]


@walled
def test_the_doctor_says_which_and_why(front):
    door: Seat = front(working("true"))
    said = door.ok("doctor", "--json").json["sandbox"]
    assert said["confines"]
    assert "nothing got out" in " ".join(said["facts"])


@pytest.mark.usefixtures("without_walls")
def test_the_doctor_says_what_is_missing(front):
    door: Seat = front(working("true"))
    said = door.ok("doctor", "--json").json["sandbox"]
    assert not said["confines"]
    assert "bubblewrap is not installed" in " ".join(said["facts"])


@walled
def test_an_unattended_loop_starts_where_a_sandbox_holds_and_its_gates_still_wait(front):
    door: Seat = front(
        working("touch kept.txt", "git push", level="unattended", check="test -f made.txt", gates={"ask": ["bash(git push)"]})
    )
    door.ok("start", "work")
    [waits] = door.until("work", "asking")["approvals"]
    assert "git push" in waits["summary"]
    door.ok("deny", waits["id"], "--why", "no")
    door.until_ended("work")
    shown = door.ok("show", "work", "--json").json["sandbox"]
    assert shown == {"door": "bubblewrap", "walls": "closed", "hosts": [], "lacks": []}
    assert "held by bubblewrap, with no network" in door.ok("show", "work").out


@pytest.mark.usefixtures("without_walls")
def test_an_unattended_loop_is_refused_where_nothing_holds_it(front):
    door: Seat = front(working("touch kept.txt", level="unattended", check="test -f made.txt"))
    said = door.says("start", "work")
    assert said.code == 2
    assert "nothing can hold commands on this machine" in said.err
    assert door.run("status", "--json").json["loops"][0]["run"] is None


@walled
def test_an_unattended_run_that_loses_its_sandbox_ends_before_anything_else_runs(front, path_without_bwrap):
    door: Seat = front(working("touch begun.txt; sleep 60", "touch kept.txt", level="unattended", check="test -f made.txt"))
    door.ok("start", "work")
    door.wait("work", lambda view: (door.worktree("work") / "begun.txt").exists())
    door.slay("work")
    door.env |= {"PATH": path_without_bwrap, "LOOPDECK_SANDBOX": "none"}
    door.ok("resume", "work")
    ended = door.until_ended("work")
    assert ended["reason"] == "error"
    assert "an unattended run needs a sandbox that holds: unsandboxed" in door.folded("work").why
    assert not (door.worktree("work") / "kept.txt").exists()


@pytest.mark.usefixtures("without_walls")
def test_an_unsandboxed_run_is_marked_wherever_it_is_looked_at(front):
    door: Seat = front(working("touch kept.txt"))
    door.ok("start", "work")
    [waits] = door.until("work", "asking")["approvals"]
    mark = "unsandboxed: approvals are advisory"
    assert mark in door.ok("approvals").out
    assert mark in door.ok("show", "work").out
    assert door.ok("show", "work", "--json").json["sandbox"]["walls"] == "none"
    row = run_row(door.view("work"), Known("k", 0), Sums())
    assert table_row(row, 0.0).painted[-1][0] == cell("unsandboxed ", "bad")
    assert cell(f"  {mark}", "bad") in badges(row)
    door.ok("deny", waits["id"], "--why", "no")


@walled
def test_the_whole_network_is_said_in_words(front):
    door: Seat = front(working("true", sandbox={"network": True, "setup_network": ["pypi.org"]}))
    assert "in work the whole network; its setup these hosts alone: pypi.org" in door.ok("doctor").out
    door.ok("start", "work")
    [waits] = door.until("work", "asking")["approvals"]
    assert "the whole network" in door.ok("approvals").out
    door.ok("deny", waits["id"], "--why", "no")


@fenceable
def test_without_bubblewrap_a_fence_holds_and_what_it_lacks_is_said_where_it_asks(front, path_without_bwrap, monkeypatch):
    monkeypatch.setenv("PATH", path_without_bwrap)
    door: Seat = front(working("touch kept.txt; touch $HOME/../../person-too.txt; cat /proc/1/environ", check="test -f kept.txt"))
    door.ok("start", "work")
    [waits] = door.until("work", "asking")["approvals"]
    told = door.ok("approvals").out
    assert "the sandbox of this machine does not hold all that it could do" in told
    assert "not held: it can change modes, times and owners of files outside" in told
    door.ok("approve", waits["id"])
    door.until_ended("work")
    run = door.folded("work")
    assert (run.reason, run.door, run.walls) == ("done", "landlock", "closed")
    assert (door.worktree("work") / "kept.txt").exists()
    assert not (door.base / "person-too.txt").exists()
    assert door.outputs("work")[0].count("Permission denied") >= 1
    assert "not held: it sees the names and command lines of all processes" in door.ok("show", "work").out
    assert "Landlock" in door.ok("doctor").out


@pytest.mark.req("S2-018")
def test_an_unattended_loop_with_a_warning_open_is_refused(front):
    door: Seat = front(working("touch kept.txt", level="unattended", check="true"))
    said = door.says("start", "work")
    assert "can't have warnings open: 1 warning, the first: this check can't fail" in said.err
    assert "touch" not in said.err
