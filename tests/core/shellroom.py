"""A folder in which shell lines are run for real, to see what bash makes of them: the marker they leave, and the words it ran."""

import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

_PLACES = ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/opt/homebrew/bin/bash")
BASH = next((path for path in _PLACES if Path(path).exists()), "")
_TOOLS = (
    "awk", "bash", "cat", "chmod", "cp", "dash", "dd", "env", "false", "fd", "fdfind", "file", "find", "gawk", "git", "grep", "head",
    "install", "kill", "ln", "ls", "make", "mawk", "mkdir", "mkfifo", "mv", "nice", "nohup", "perl", "printf", "python3", "rg", "rm",
    "sed", "setsid", "sh", "shuf", "sleep", "sort", "split", "stdbuf", "tail", "tar", "tee", "test", "timeout", "touch", "tr", "true",
    "truncate", "uniq", "wc", "xargs",
)  # fmt: skip
"""What is there to be run; nothing that talks to others."""
_MARK = "@@ran@@"


class Room:
    """The folder, with a file `x`, programs of the maker's called `evil`, and a repository. `M` is what nobody may make."""

    def __init__(self, base: Path) -> None:
        self.bin = base / "bin"
        self.bin.mkdir(parents=True)
        for name in _TOOLS:
            place = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
            if place:
                (self.bin / name).symlink_to(place)
        self.folder = base / "work"
        self.template = base / "template"
        self.template.mkdir()
        env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", "init", "-q", str(self.template)], check=True, env=env)
        files = {
            "x": "x\ny\n", "evil": "#!/bin/sh\ntouch M\n", "evil.sed": "1w M\n", "evil.awk": 'BEGIN{print "x">"M"}\n',
            "evil.mk": "all:\n\ttouch M\n",
        }  # fmt: skip
        for name, text in files.items():
            (self.template / name).write_text(text)
        (self.template / "evil").chmod(0o755)
        self.fresh()

    def fresh(self) -> None:
        """The folder as at the start."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder)
        self._before = self._looks()

    def changed(self) -> bool:
        """True if anything but git's own folder is not as it was at the start."""
        return self._looks() != self._before

    def run(self, script: str, timeout: float = 4.0) -> bytes:
        """What bash says on stderr to `script`; whatever it starts is over when this returns."""
        env = {"PATH": str(self.bin), "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        with subprocess.Popen(
            [BASH, "-c", script], cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                return process.communicate(timeout=timeout)[1]
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return process.communicate()[1]

    def ran(self, line: str) -> list[list[str]]:
        """The commands that bash ran for a line without line ends, as words."""
        said = self.run(f"PS4='{_MARK}'\nset -x\n{line}").decode("utf-8", "replace")
        traced = (one.lstrip(_MARK[0]).removeprefix(_MARK[2:]) for one in said.split("\n") if one.startswith("@") and _MARK in one)
        return [shlex.split(one) for one in traced]

    def _looks(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else b""
            for path in self.folder.rglob("*")
            if ".git" not in path.relative_to(self.folder).parts
        }
