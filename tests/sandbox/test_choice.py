"""The door a run gets, and what stands behind it: the loop's `[sandbox]`, its repository and its deck as they are on disk."""

import asyncio
from pathlib import Path

import pytest

from loopdeck.core.spec import CheckSpec, Exit, LoopSpec, Maker, Sandbox, Workspace
from loopdeck.git.repository import find
from loopdeck.sandbox.choice import UNSANDBOXED, Chosen, Ground, door_for
from loopdeck.sandbox.port import Command, Role
from tests.kit.repos import git, make_repo, write_files
from tests.kit.walled import ENV, fenceable, name, walled


class Place:
    """A repository with a worktree of its own in a deck's home, below a person's home."""

    def __init__(self, base: Path) -> None:
        self.home = base / "person"
        self.root = make_repo(self.home / "repo", {"README.md": "x", "src/a.py": "a"})
        self.deck = self.home / ".local/state/loopdeck/repo-1"
        self.tree = self.deck / "worktrees/loop-1"
        self.tree.parent.mkdir(parents=True)
        git(self.root, "worktree", "add", "-q", str(self.tree))
        write_files(self.deck, {"runs/loop/1/journal.jsonl": "hush"})
        self.env = {**ENV, "HOME": str(self.home)}

    def chosen(self, sandbox: Sandbox | None = None, link: tuple[str, ...] = ()) -> Chosen:
        """The door for a loop with these tables."""
        spec = LoopSpec(
            "fix", "Mend it.", Maker("scripted", "m"), (CheckSpec("c", run="true"),), Exit(1), sandbox=sandbox or Sandbox(),
            workspace=Workspace(link=link),
        )  # fmt: skip
        return asyncio.run(door_for(spec, Ground(find(self.root), self.deck, self.tree, self.env), name()))

    def say(self, chosen: Chosen, line: str, role: Role = "tool") -> str:
        """What a command line of the maker's prints."""
        command = Command(("/bin/sh", "-c", f"{{ {line}; }} 2>&1"), self.tree, self.env, 20, writable=(self.tree,), role=role)
        try:
            return asyncio.run(chosen.door.run(command)).text
        finally:
            chosen.door.close()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path.resolve())


def test_without_bubblewrap_it_is_the_plain_one_and_says_so(place, without_walls):
    chosen = place.chosen()
    assert (chosen.door.name, chosen.door.confines) == ("plain", False)
    assert chosen.notice.startswith(UNSANDBOXED)
    assert "bubblewrap" in chosen.notice


@walled
def test_with_it_there_is_nothing_to_be_said(place):
    chosen = place.chosen()
    assert (chosen.door.name, chosen.door.confines, chosen.notice) == ("bubblewrap", True, "")
    assert (place.deck / "walls.json").is_file()


@walled
def test_paths_of_the_loop_file_are_absolute_or_of_the_home_or_the_checkout(place, tmp_path):
    write_files(tmp_path / "else", {"where.txt": "elsewhere"})
    write_files(place.home, {"notes/n.txt": "noted", "hush.txt": "hush"})
    opened = Sandbox(read=(str(tmp_path / "else"), "~/notes", "src", "~/no-such-folder"), write=("~/scratch",))
    (place.home / "scratch").mkdir()
    look = f"cat {tmp_path}/else/where.txt ~/notes/n.txt {place.root}/src/a.py {place.root}/README.md ~/hush.txt"
    told = place.say(place.chosen(opened), f"{look}; echo mine > ~/scratch/x; echo no > ~/notes/n.txt; echo ok")
    for seen in ("elsewhere", "noted", "a", "ok"):
        assert seen in told
    assert "hush\n" not in told
    assert told.count("No such file") == 2
    assert (place.home / "scratch/x").read_text() == "mine\n"
    assert (place.home / "notes/n.txt").read_text() == "noted"


@walled
@pytest.mark.parametrize("how", ["read", "write"])
@pytest.mark.parametrize("path", ["~/.local", "~/.local/state/loopdeck/repo-1/runs"])
def test_the_decks_home_stays_hidden_whatever_a_loop_opens(place, how, path):
    chosen = place.chosen(Sandbox(**{how: (path,)}))
    told = place.say(chosen, f"cat {place.deck}/runs/loop/1/journal.jsonl; echo forged >> {place.deck}/runs/loop/1/journal.jsonl; pwd")
    assert "hush" not in told
    assert str(place.tree) in told
    assert (place.deck / "runs/loop/1/journal.jsonl").read_text() == "hush"


@walled
def test_the_shared_git_folder_can_not_be_written_though_a_loop_opens_the_checkout(place):
    chosen = place.chosen(Sandbox(write=(str(place.root),)))
    told = place.say(chosen, f"echo x > {place.root}/new; echo x > {place.root}/.git/hooks-evil; git -C {place.root} log --oneline")
    assert "start" in told
    assert (place.root / "new").exists()
    assert not (place.root / ".git/hooks-evil").exists()


@walled
def test_the_network_of_setup_is_its_own(place):
    count = "python3 -c 'import socket; print(len(socket.if_nameindex()))'"
    alone = place.chosen(Sandbox(setup_network=True))
    assert place.say(alone, count).strip() == "1"
    with_all = place.say(alone, count, role="setup").strip()
    assert with_all == place.say(place.chosen(Sandbox(network=True)), count).strip()
    assert place.say(place.chosen(Sandbox(network=True)), count, role="setup").strip() == "1"


@walled
def test_what_is_linked_is_there_and_where_it_really_is(place):
    write_files(place.home / "store", {"lib/x.js": "code"})
    (place.root / "node_modules").symlink_to(place.home / "store")
    (place.tree / "node_modules").symlink_to(place.root / "node_modules")
    told = place.say(place.chosen(link=("node_modules",)), "cat node_modules/lib/x.js; echo evil > node_modules/lib/x.js")
    assert told.startswith("code")
    assert (place.home / "store/lib/x.js").read_text() == "code"


@walled
def test_a_repository_that_borrows_its_objects_is_whole(place):
    git(place.home, "clone", "-q", "--shared", str(place.root), "borrower")
    place.root = place.home / "borrower"
    place.tree = place.deck / "worktrees/borrowed"
    git(place.root, "worktree", "add", "-q", str(place.tree))
    assert "start" in place.say(place.chosen(), "git log --oneline")


@walled
def test_stand_ins_that_a_dead_runner_left_are_gone_before_anything_is_committed(place):
    (place.tree / ".claude").mkdir(0o500)
    (place.tree / "AGENTS.md").mkdir(0o500)
    place.chosen()
    assert not (place.tree / ".claude").exists()
    assert not (place.tree / "AGENTS.md").exists()


@walled
def test_caches_are_the_loops_own_and_last_and_no_check_gets_a_makers(place):
    write_files(place.home, {".cache/pip/mine": "mine"})
    place.env["XDG_CACHE_HOME"] = str(place.home / ".cache")
    keep = 'mkdir -p "$PIP_CACHE_DIR" && echo kept >> "$PIP_CACHE_DIR/x"; cat "$PIP_CACHE_DIR/x"'
    line = f"{keep}; cat ~/.cache/pip/mine; echo evil > $XDG_CACHE_HOME/y"
    first = place.say(place.chosen(), line)
    assert first.startswith("kept\n")
    assert "mine\n" not in first
    assert place.say(place.chosen(), line).startswith("kept\nkept\n")
    role: Role
    for role in ("check", "setup"):
        told = place.say(place.chosen(), 'cat "$PIP_CACHE_DIR/x" "$XDG_CACHE_HOME/y" || echo new', role=role)
        assert told.endswith("new\n")
        assert "evil" not in told
    assert (place.deck / "caches/fix/maker/pip/x").read_text() == "kept\nkept\n"
    assert (place.deck / "caches/fix").stat().st_mode & 0o77 == 0
    assert (place.home / ".cache/pip/mine").read_text() == "mine"
    assert not (place.home / ".cache/y").exists()


@walled
def test_where_hosts_are_listed_toolchains_fetch_into_the_loops_cache_too(place):
    said = 'echo "${CARGO_HOME:-none} ${GOMODCACHE:-none}"'
    assert place.say(place.chosen(), said) == "none none\n"
    caches = place.deck / "caches/fix/maker"
    assert place.say(place.chosen(Sandbox(network=("crates.io",))), said) == f"{caches}/cargo {caches}/go-mod\n"


@fenceable
def test_without_bubblewrap_a_fence_is_put_up_and_what_it_lacks_is_said(place, path_without_bwrap, monkeypatch):
    monkeypatch.setenv("PATH", path_without_bwrap)
    chosen = place.chosen(Sandbox(network=("example.com",)))
    assert (chosen.door.name, chosen.door.confines, chosen.walls, chosen.hosts) == ("landlock", True, "closed", ())
    assert chosen.notice.startswith("held by Landlock and not by bubblewrap, so that commands ask: it can change modes")
    assert "those in `network` are out of reach" in chosen.lacks[-1]
    told = place.say(chosen, f"cat {place.root}/README.md; echo x > {place.root}/new; mkdir .claude; echo x > made; git log --oneline")
    assert "start" in told
    assert not (place.root / "new").exists()
    assert not (place.tree / ".claude").exists()
    assert (place.tree / "made").exists()
    assert (place.deck / "second-walls.json").is_file()
    assert [entry.name for entry in (place.deck / "caches").iterdir()] == ["fix"]


@fenceable
@pytest.mark.parametrize("how", ["read", "write"])
def test_a_fence_opens_nothing_that_would_show_the_decks_home(place, path_without_bwrap, monkeypatch, how):
    monkeypatch.setenv("PATH", path_without_bwrap)
    write_files(place.home, {"notes/n.txt": "noted"})
    chosen = place.chosen(Sandbox(**{how: ("~/.local", "~/notes")}))
    journal = place.deck / "runs/loop/1/journal.jsonl"
    told = place.say(chosen, f"cat {journal}; echo forged >> {journal}; cat {place.home}/notes/n.txt; pwd")
    assert "hush" not in told
    assert "noted" in told
    assert journal.read_text() == "hush"


@fenceable
def test_what_a_fence_is_said_to_lack_it_does_lack(place, path_without_bwrap, monkeypatch):
    monkeypatch.setenv("PATH", path_without_bwrap)
    write_files(place.home, {"mine.txt": "mine"})
    chosen = place.chosen()
    told = place.say(chosen, f"chmod 604 {place.home}/mine.txt; cat {place.home}/mine.txt; cat /proc/1/comm; echo x > .git; cat .git")
    assert (place.home / "mine.txt").stat().st_mode & 0o777 == 0o604
    assert "mine\n" not in told
    assert told.splitlines()[-1] == "x"
    assert (place.tree / ".git").read_text().startswith("gitdir: ")


@walled
def test_a_list_of_no_hosts_lets_nothing_through(place):
    chosen = place.chosen(Sandbox(network=(), setup_network=()))
    assert (chosen.walls, chosen.hosts) == ("closed", ())
    count = "python3 -c 'import socket; print(len(socket.if_nameindex()))'; echo ${HTTP_PROXY:-none}"
    assert place.say(chosen, count) == "1\nnone\n"
    assert place.say(chosen, count, role="setup") == "1\nnone\n"
