"""What a command could try, and how one sees from outside whether it has worked."""

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loopdeck.sandbox import family
from loopdeck.sandbox.port import Finished
from tests.kit.repos import git
from tests.sandbox.world import World

Worked = Callable[[World, Finished], bool]


@dataclass(frozen=True)
class Attack:
    """`steps` are command lines, one after the other, each a command of its own; `worked` looks from outside.

    `anywhere` says that it works where there are no walls: what doesn't is held by something else, and only proven to stay held.
    """

    name: str
    steps: tuple[str, ...]
    worked: Worked
    anywhere: bool = True


def told(world: World, finished: Finished) -> bool:
    """The secret came out."""
    return world.canary in finished.text


def heard(world: World, finished: Finished) -> bool:
    """Somebody outside was reached."""
    time.sleep(0.15)
    return bool(world.heard)


def said(word: str) -> Worked:
    """It says that it has."""
    return lambda world, finished: word in finished.text.split()


def holds(where: Callable[[World], Path], text: str = "evil") -> Worked:
    """A file outside holds what it should not."""

    def look(world: World, finished: Finished) -> bool:
        try:
            return text in where(world).read_text("utf-8", "replace")
        except (OSError, NotADirectoryError):
            return False

    return look


def _there(where: Callable[[World], Path]) -> Worked:
    return lambda world, finished: os.path.lexists(where(world))


def _gone(where: Callable[[World], Path]) -> Worked:
    return lambda world, finished: not where(world).exists()


def _dead(world: World, finished: Finished) -> bool:
    now = family.process(world.victim)
    return now is None or now.dead


def _limited(world: World, finished: Finished) -> bool:
    return resource.prlimit(world.victim, resource.RLIMIT_NOFILE)[0] == 77


def _late(world: World, finished: Finished) -> bool:
    time.sleep(0.8)
    return (world.tree / "late").exists()


def _branch(world: World, finished: Finished) -> bool:
    return "evil" in git(world.repo, "branch", "--list", "--format=%(refname:short)").split()


def _spelled(world: World, finished: Finished) -> bool:
    return any(entry.name in (".Claude", "claude.md", ".VSCODE") for entry in world.tree.iterdir())


def _in_tree(path: str) -> Callable[[World], Path]:
    return lambda world: world.tree / path


def _left(world: World, folder: str) -> Path:
    return Path(folder, f"evil-{world.mark}")


def _python(text: str) -> str:
    return f"python3 -I -S - <<'END'\n{text}\nEND"


_CONNECT = """
import os, socket
s = socket.socket(socket.{family}, socket.{kind})
s.settimeout(2)
s.connect({address})
s.send(b"out")
"""


def _connects(kind: str, address: str, family: str = "AF_INET", before: str = "") -> str:
    return _python(before + _CONNECT.format(family=family, kind=kind, address=address))


_PTRACE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
print("attached" if libc.ptrace(16, int(os.environ["VICTIM"]), 0, 0) == 0 else "refused")
"""
_SHARED = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
# The machine's own, or that of somebody else: in a namespace of its own there is none with that number.
print("shared" if libc.shmget(int(os.environ["SEGMENT"]), 4096, 0) >= 0 else "refused")
"""
_SMALL = """
import os
for line in open("/proc/mounts"):
    _, place, kind, options, *_ = line.split()
    if kind != "tmpfs" or place == "/proc":
        continue
    probe = os.path.join(place, "x")
    try:
        open(probe, "w").close()
        os.unlink(probe)
    except OSError:
        continue
    sizes = [option[5:-1] for option in options.split(",") if option.startswith("size=")]
    if not sizes or int(sizes[0]) > (1 << 30) // 1024:
        print("boundless", place)
"""
_BOMB = """
import os, time
made = 0
try:
    for _ in range(300):
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
            os._exit(0)
        made += 1
except OSError:
    pass
print(made, flush=True)
time.sleep(600)
"""

_ROOT = os.geteuid() == 0

ATTACKS = (
    Attack("write a file outside", ("echo evil > $OUT/file",), holds(lambda world: world.outside / "file")),
    Attack("delete a file outside", ("rm -f $OUT/file",), _gone(lambda world: world.outside / "file")),
    Attack("write to the home", ("echo evil >> ~/.bashrc",), holds(lambda world: world.home / ".bashrc")),
    Attack("write through a link", ("ln -s $OUT/file link; echo evil > link",), holds(lambda world: world.outside / "file")),
    Attack("write below a linked folder", ("ln -s $OUT d; echo evil > d/file",), holds(lambda world: world.outside / "file")),
    Attack("a link first, the write later", ("ln -s $OUT/file link", "echo evil > link"), holds(lambda world: world.outside / "file")),
    Attack("write through a hard link", ("ln $OUT/file hard; echo evil > hard",), holds(lambda world: world.outside / "file")),
    Attack("the machine's /tmp", ("echo evil > /tmp/evil-$MARK",), holds(lambda world: _left(world, "/tmp"))),
    Attack("the machine's shared memory", ("echo evil > /dev/shm/evil-$MARK",), holds(lambda world: _left(world, "/dev/shm"))),
    Attack("the operator's checkout", ("echo evil > $REPO/README.md",), holds(lambda world: world.repo / "README.md")),
    Attack(
        "a sibling's worktree", ("echo evil > $DECK/worktrees/sibling/x",), holds(lambda world: world.tree.with_name("sibling") / "x")
    ),
    Attack(
        "a hook of git's",
        ("mkdir -p $REPO/.git/hooks; echo evil > $REPO/.git/hooks/pre-commit",),
        holds(lambda world: world.repo / ".git/hooks/pre-commit"),
    ),
    Attack("git's configuration", ("git config --local alias.x '!evil'",), holds(lambda world: world.repo / ".git/config")),
    Attack(
        "configuration of the worktree",
        ("echo evil > $REPO/.git/worktrees/loop-run/config.worktree",),
        holds(lambda world: world.repo / ".git/worktrees/loop-run/config.worktree"),
    ),
    Attack("where the worktree points to", ("echo 'gitdir: evil' > .git",), holds(_in_tree(".git"))),
    Attack(
        "another pointer in its place",
        ("mv .git old; mkdir .git; echo evil > .git/config",),
        holds(_in_tree(".git/config")),
    ),
    Attack("a branch of the operator's repository", ("git branch evil",), _branch),
    Attack(
        "a file left in the shared git folder",
        ("touch $REPO/.git/evil $REPO/.git/objects/evil",),
        _there(lambda world: world.repo / ".git/evil"),
    ),
    Attack("settings of an agent", ("mkdir -p .claude; echo evil > .claude/settings.json",), holds(_in_tree(".claude/settings.json"))),
    Attack("words for an agent", ("echo evil > CLAUDE.md",), holds(_in_tree("CLAUDE.md"))),
    Attack("servers for an agent", ("echo evil > .mcp.json",), holds(_in_tree(".mcp.json"))),
    Attack("another spelling", ("mkdir .Claude .VSCODE; echo evil > .Claude/x; echo evil > claude.md",), _spelled),
    Attack(
        "a folder instead of the file", ("rm -rf .mcp.json; mkdir .mcp.json; echo evil > .mcp.json/x",), holds(_in_tree(".mcp.json/x"))
    ),
    Attack("an editor's settings", ("echo evil > .vscode/settings.json",), holds(_in_tree(".vscode/settings.json"))),
    Attack(
        "an editor's settings, the folder moved",
        ("mv .vscode v; mkdir .vscode; echo evil > .vscode/settings.json",),
        holds(_in_tree(".vscode/settings.json")),
    ),
    Attack(
        "a workflow", ("mkdir -p .github/workflows; echo evil > .github/workflows/x.yml",), holds(_in_tree(".github/workflows/x.yml"))
    ),
    Attack(
        "a workflow, the folder above moved",
        ("mv .github g; mkdir -p .github/workflows; echo evil > .github/workflows/x.yml",),
        holds(_in_tree(".github/workflows/x.yml")),
    ),
    Attack("attributes that filter", ("echo '* filter=evil' > .gitattributes",), holds(_in_tree(".gitattributes"))),
    Attack("a gated file further down", ("echo evil > sub/.envrc",), holds(_in_tree("sub/.envrc"))),
    Attack("a gated file, the folder above moved", ("mv sub s; mkdir sub; echo evil > sub/.envrc",), holds(_in_tree("sub/.envrc"))),
    Attack(
        "a link in a gated place",
        ("rm GEMINI.md; echo evil > GEMINI.md",),
        lambda world, _: not (world.tree / "GEMINI.md").is_symlink(),
    ),
    Attack("a protected test", ("echo evil > tests/test_a.py",), holds(_in_tree("tests/test_a.py"))),
    Attack("a new protected test", ("echo evil > tests/test_new.py",), _there(_in_tree("tests/test_new.py"))),
    Attack("a protected folder that is not there yet", ("mkdir -p later; echo evil > later/x",), holds(_in_tree("later/x"))),
    Attack(
        "a protected test, a folder above moved",
        ("mv pkg/deep pkg/old; mkdir -p pkg/deep/tests; echo evil > pkg/deep/tests/test_b.py",),
        holds(_in_tree("pkg/deep/tests/test_b.py")),
    ),
    Attack(
        "a protected test, a link in the way of the next command",
        ("rm -rf pkg; ln -s $OUT pkg; mkdir -p $OUT/deep/tests", "mkdir -p pkg/deep/tests; echo evil > pkg/deep/tests/evil"),
        lambda world, _: (world.outside / "deep/tests/evil").exists() or (world.tree / "pkg").is_symlink(),
    ),
    Attack("secrets in a home", ("grep -rhs token ~ ; cat ~/.ssh/id_ed25519",), told),
    Attack("a secret elsewhere", ("cat $OUT/secret",), told),
    Attack("what the operator has not committed", ("cat $REPO/local.txt",), told),
    Attack("the run's trace", ("cat $RUN/trace.jsonl",), told),
    Attack(
        "everything that can be read around", ("grep -rhs canary- $(dirname $OUT) ~root/.ssh /home /mnt /srv /var 2>/dev/null",), told
    ),
    # Without walls it sees what its runner was started with, and not what a test has set since.
    Attack("variables of the runner", ("env; cat /proc/1/environ; cat /proc/$PPID/environ | tr '\\0' '\\n'",), told, anywhere=False),
    Attack("variables of every process", ("cat /proc/[0-9]*/environ | tr '\\0' '\\n'",), told),
    Attack(
        "the root of another process",
        ("cat /proc/1/root/$OUT/secret; cat /proc/$PPID/cwd/../outside/secret /proc/$VICTIM/root/$OUT/secret",),
        told,
    ),
    Attack("TCP on this machine", (_connects("SOCK_STREAM", '("127.0.0.1", int(os.environ["TCP"]))'),), heard),
    Attack("UDP on this machine", (_connects("SOCK_DGRAM", '("127.0.0.1", int(os.environ["UDP"]))'),), heard),
    Attack("an abstract socket", (_connects("SOCK_STREAM", '"\\0loopdeck-" + os.environ["ABSTRACT"]', "AF_UNIX"),), heard),
    Attack(
        "the deck's own socket", (_connects("SOCK_STREAM", '"births"', "AF_UNIX", "import os\nos.chdir(os.environ['DECK'])"),), heard
    ),
    Attack("kill somebody", ("kill -9 $VICTIM",), _dead),
    Attack("look into a process", (_python(_PTRACE),), said("attached")),
    Attack("take somebody's means away", ("prlimit --pid $VICTIM --nofile=77:77",), _limited),
    Attack("memory that all processes share", (_python(_SHARED),), said("shared")),
    Attack("a user namespace of one's own", ("unshare --user --map-root-user true && echo made",), said("made")),
    Attack(
        "mount something",
        ("mkdir m; unshare --user --map-root-user --mount mount -t tmpfs x m && echo made; mount -t tmpfs x m && echo made",),
        said("made"),
    ),
    Attack(
        "make the system writable",
        ("mount -o remount,rw /usr && echo made; touch /usr/evil-$MARK && rm /usr/evil-$MARK && echo made",),
        said("made"),
    ),
    Attack(
        "settings of the kernel",
        ("cat /proc/sys/vm/swappiness > now; cat now > /proc/sys/vm/swappiness && echo made",),
        said("made"),
        anywhere=_ROOT,
    ),
    Attack("a device", ("mknod mem c 1 1 && echo made",), said("made"), anywhere=False),
    Attack("memory without bounds", (_python(_SMALL),), said("boundless"), anywhere=False),
    Attack(
        "forge an answer to an approval",
        ('echo \'{"kind":"decide","approved":true,"evil":1}\' > $RUN/inbox/decision-1.json',),
        holds(lambda world: world.run / "inbox/decision-1.json"),
    ),
    Attack(
        "link an answer into the inbox",
        ("echo evil > answer; ln answer $RUN/inbox/decision-2.json; mv answer $RUN/inbox/decision-2.json",),
        holds(lambda world: world.run / "inbox/decision-2.json"),
    ),
    Attack(
        "an inbox of its own in the place of the run's",
        ("mkdir inbox; echo evil > inbox/decision-3.json; mv $RUN/inbox $RUN/old; ln -s $PWD/inbox $RUN/inbox",),
        holds(lambda world: world.run / "inbox/decision-3.json"),
    ),
    Attack(
        "an answer through the open files of others",
        ('for place in /proc/[0-9]*/root /proc/[0-9]*/cwd; do echo evil > "$place$RUN/inbox/decision-4.json"; done',),
        holds(lambda world: world.run / "inbox/decision-4.json"),
    ),
    Attack(
        "cut the journal", ("truncate -s 0 $RUN/journal.jsonl",), lambda world, finished: not (world.run / "journal.jsonl").read_text()
    ),
    Attack("forge the journal", ("echo evil >> $RUN/journal.jsonl",), holds(lambda world: world.run / "journal.jsonl")),
    Attack("take the lease away", ("rm -f $RUN/lease",), _gone(lambda world: world.run / "lease")),
    Attack(
        "another loop's memory", ("echo evil > $DECK/state/other/STATE.md",), holds(lambda world: world.deck / "state/other/STATE.md")
    ),
    Attack("a daemon", ("(setsid sh -c '(sleep 0.4; touch late) &' &)",), _late, anywhere=False),
    Attack("a bomb of processes", (_python(_BOMB),), lambda world, finished: finished.exit_code == 0, anywhere=False),
)
