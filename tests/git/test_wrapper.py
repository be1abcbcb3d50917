"""The door to git: what it keeps out, how it waits, what it says when it fails."""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from loopdeck.errors import WorkspaceError, WorktreeLost
from loopdeck.git import locks, program, settings, wrapper
from loopdeck.git.wrapper import Git
from tests.kit.repos import git, make_repo, write_files


def _touching(marker: Path) -> str:
    """A command that leaves a mark and passes its input on."""
    return f"touch '{marker}'; cat"


def test_git_is_found_once_by_an_absolute_path(monkeypatch, tmp_path):
    (tmp_path / "git").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join((".", os.environ["PATH"])))
    program.executable.cache_clear()
    try:
        found = Path(program.executable())
    finally:
        program.executable.cache_clear()
    assert found.is_absolute()
    assert found.parent != tmp_path
    assert program.version() >= (2, 20)


def test_the_environment_of_the_caller_has_no_say(root, tmp_path, monkeypatch):
    other = make_repo(tmp_path / "other", {"a": "a"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    door = Git(root / ".git", root)
    assert "README.md" in door.run("ls-files", "-z").fields
    assert not {"GIT_DIR", "GIT_INDEX_FILE", "GIT_EXTERNAL_DIFF"} & set(door.environment())


def test_a_failure_says_what_git_said_last_where_and_what_to_do(root):
    with pytest.raises(WorkspaceError) as caught:
        Git(root / ".git", root).run("checkout", "no-such-branch")
    assert caught.value.what.startswith("git checkout: pathspec 'no-such-branch' did not match")
    assert caught.value.where == str(root)


def test_a_missing_worktree_is_said_to_be_missing(root, tmp_path):
    with pytest.raises(WorkspaceError, match="can't be started") as caught:
        Git(root / ".git", tmp_path / "gone").run("status")
    assert caught.value.where == str(tmp_path / "gone")


@pytest.mark.parametrize(
    ("section", "attribute", "act"),
    [
        ('filter "a=b.c"', "filter=a=b.c", "clean"),
        ('filter "plain"', "filter=plain", "clean"),
        ('filter "plain"', "filter=plain", "process"),
        ('filter "plain"', "filter=plain", "smudge"),
        ('diff "plain"', "diff=plain", "textconv"),
        ('diff "plain"', "diff=plain", "command"),
    ],
)
def test_no_driver_of_the_configuration_runs_on_a_makers_files(root, tmp_path, section, attribute, act):
    marker = tmp_path / "marker"
    with (root / ".git" / "config").open("a") as config:
        config.write(f'[{section}]\n\t{act} = "{_touching(marker)}"\n\trequired = true\n')
    write_files(root, {".gitattributes": f"* {attribute}\n", "new.txt": "new\n", "README.md": "changed\n"})
    door = Git(root / ".git", root)
    door.run("diff", check=False)
    door.run("add", "-A")
    door.run("diff", "--cached", check=False)
    (root / "README.md").unlink()
    door.run("checkout", "--", "README.md")
    assert not marker.exists()
    if act in {"clean", "textconv"}:  # the same is run where the operator's files are concerned, so the test can tell
        write_files(root, {"README.md": "changed again\n"})
        trusted = Git(root / ".git", root, trusted=True)
        trusted.run("diff", check=False)
        assert marker.exists()


def test_neither_hooks_nor_fsmonitor_nor_aliases_run(root, tmp_path):
    marker = tmp_path / "marker"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch '{marker}'\n")
    script.chmod(0o755)
    hooks = root / ".git" / "hooks"
    hooks.mkdir()
    for hook in ("post-checkout", "pre-commit", "post-index-change", "reference-transaction"):
        (hooks / hook).symlink_to(script)
    with (root / ".git" / "config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = {script}\n\tpager = {script}\n[alias]\n\tstatus = !{script}\n")
    door = Git(root / ".git", root)
    write_files(root, {"README.md": "x\n"})
    door.run("status")
    door.run("add", "-A")
    door.run("reset", "--hard")
    door.run("update-ref", "refs/x", "HEAD")
    assert not marker.exists()
    git(root, "add", "-A")
    assert marker.exists()


def test_the_operators_name_is_used_and_loopdecks_if_there_is_none(root, tmp_path):
    named = settings.of(root / ".git")
    assert (named.name, named.email) == ("Olga Operator", "olga@example.org")
    bare = tmp_path / "nameless"
    subprocess.run(["git", "init", "-q", str(bare)], check=True)
    assert (settings.of(bare / ".git").name, settings.of(bare / ".git").email) == settings.NOBODY


def test_settings_are_read_again_when_the_configuration_changes(root):
    assert settings.of(root / ".git").drivers == ()
    git(root, "config", "filter.late.clean", "cat")
    assert settings.of(root / ".git").drivers == (("filter", "late"),)


def test_what_the_operator_ignores_everywhere_is_ignored(root, tmp_path, monkeypatch):
    (tmp_path / "ignored").write_text(".DS_Store\n")
    (tmp_path / "global").write_text(f"[core]\n\texcludesFile = {tmp_path / 'ignored'}\n[user]\n\tname = Global\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "global"))
    write_files(root, {".DS_Store": "x", "new": "y"})
    assert Git(root / ".git", root).run("ls-files", "-z", "-o", "--exclude-standard").fields == ("new",)


def test_a_broken_configuration_is_named(root):
    with (root / ".git" / "config").open("a") as config:
        config.write("[broken\n")
    with pytest.raises(WorkspaceError, match="bad config"):
        settings.of(root / ".git")


def test_a_lock_of_somebody_else_is_waited_for(root):
    lock = root / ".git" / "index.lock"
    lock.touch()
    freed = threading.Timer(0.3, lock.unlink)
    freed.start()
    write_files(root, {"new": "x"})
    Git(root / ".git", root).run("add", "-A")
    freed.join()


def test_a_lock_that_stays_is_named_and_never_removed_from_the_operators_folder(root, monkeypatch):
    monkeypatch.setattr(wrapper, "PATIENCE_S", 0.2)
    lock = root / ".git" / "index.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    write_files(root, {"new": "x"})
    with pytest.raises(WorkspaceError, match=r"index\.lock") as caught:
        Git(root / ".git", root).run("add", "-A")
    assert "remove the lock file" in caught.value.remedy
    assert lock.exists()


# Works in a worktree as we do, and is killed with a lock made.
DIES = """
import os, signal, sys
from pathlib import Path
from loopdeck.git import locks
git_dir = Path(sys.argv[1])
with locks.noted(git_dir):
    (git_dir / "index.lock").touch()
    print("there", flush=True)
    if sys.argv[2] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody can be told to be dead")


@linux
def test_the_lock_of_our_own_dead_git_is_removed(worktree):
    subprocess.run([sys.executable, "-c", DIES, str(worktree.git_dir), "dies"], check=False, stdout=subprocess.DEVNULL)
    lock = worktree.git_dir / "index.lock"
    assert lock.exists()
    write_files(worktree.path, {"new": "x"})
    worktree.git().run("add", "-A")
    assert not lock.exists()
    assert not list(worktree.git_dir.glob("loopdeck-git.*"))


@linux
def test_the_lock_of_anybody_else_stays_however_old_it_is(worktree, monkeypatch):
    monkeypatch.setattr(wrapper, "PATIENCE_S", 0.2)
    lock = worktree.git_dir / "index.lock"
    lock.touch()
    os.utime(lock, (time.time() - 5000, time.time() - 5000))
    write_files(worktree.path, {"new": "x"})
    with pytest.raises(WorktreeLost, match=r"index\.lock"):
        worktree.git().run("add", "-A")
    assert lock.exists()


@linux
def test_the_lock_of_a_living_git_of_ours_stays_and_one_that_is_open_too(worktree, monkeypatch):
    monkeypatch.setattr(wrapper, "PATIENCE_S", 0.2)
    lock = worktree.git_dir / "index.lock"
    command = [sys.executable, "-c", DIES, str(worktree.git_dir), "lives"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert not locks.remove_if_dead(lock, worktree.git_dir, worktree.repo.common_dir)
        other.kill()
        other.wait()
    with lock.open():
        assert not locks.remove_if_dead(lock, worktree.git_dir, worktree.repo.common_dir)
    assert locks.remove_if_dead(lock, worktree.git_dir, worktree.repo.common_dir)


@linux
def test_who_died_long_ago_without_a_lock_vouches_for_none(worktree):
    subprocess.run([sys.executable, "-c", DIES, str(worktree.git_dir), "dies"], check=False, stdout=subprocess.DEVNULL)
    lock = worktree.git_dir / "index.lock"
    lock.unlink()
    look = "from pathlib import Path; from loopdeck.git import locks; import sys\nwith locks.noted(Path(sys.argv[1])): pass"
    subprocess.run([sys.executable, "-c", look, str(worktree.git_dir)], check=True)
    lock.touch()
    assert not locks.remove_if_dead(lock, worktree.git_dir, worktree.repo.common_dir)


@pytest.mark.chaos
@linux
def test_a_hundred_gits_killed_in_the_middle_of_their_work_leave_nothing_in_the_way(worktree):
    chance = random.Random(1)
    left = 0
    add = (
        "import sys; from pathlib import Path; from loopdeck.git.repository import find; from loopdeck.git.admin import open_worktree\n"
        "tree = open_worktree(find(Path(sys.argv[1])), Path(sys.argv[1])); print('on', flush=True)\n"
        "while True: tree.git().run('add', '-A'); tree.git().run('reset', '-q')"
    )
    for number in range(100):
        write_files(worktree.path, {f"f{number}-{each}": "x" * 20_000 for each in range(100)})
        with subprocess.Popen([sys.executable, "-c", add, str(worktree.path)], stdout=subprocess.PIPE, start_new_session=True) as other:
            assert other.stdout is not None
            other.stdout.readline()
            time.sleep(chance.random() * 0.1)
            os.killpg(other.pid, 9)
        left += (worktree.git_dir / "index.lock").exists()
        worktree.git().run("add", "-A")
        worktree.git().run("reset", "-q")
    # The figures are what a chaos suite is for.
    print(f"\n100 gits killed: {left} locks left, all removed")  # noqa: T201 - the figures are the output
    assert left


def test_a_pipe_in_the_place_of_gitignore_does_not_hang_us(worktree, monkeypatch):
    monkeypatch.setattr(wrapper, "LIMIT_S", 0.5)
    (worktree.path / ".gitignore").unlink()
    os.mkfifo(worktree.path / ".gitignore")
    with pytest.raises(WorkspaceError, match="did not end"):
        worktree.git().run("status")


def test_the_package_is_light_to_import():
    names = sorted(file.stem for file in Path(wrapper.__file__).parent.glob("[a-z]*.py"))
    code = "import sys\n" + "".join(f"import loopdeck.git.{name}\n" for name in names)
    code += "print([heavy for heavy in ('git', 'asyncio', 'multiprocessing', 'email', 'http') if heavy in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
