"""Git is run by `loopdeck/git/` alone: nobody else starts it or imports GitPython."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import loopdeck

PACKAGE = Path(loopdeck.__file__).parent
STARTERS = {
    "run",
    "Popen",
    "call",
    "check_call",
    "check_output",
    "getoutput",
    "getstatusoutput",
    "create_subprocess_exec",
    "create_subprocess_shell",
    "subprocess_exec",
    "subprocess_shell",
    "system",
    "popen",
    "which",
    "Command",
    "posix_spawn",
    "posix_spawnp",
    *(f"exec{kind}" for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
    *(f"spawn{kind}" for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
}


def _trespasses(source: str) -> Iterator[int]:
    """The lines on which `source` imports GitPython or starts git."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) if any(name.name.split(".")[0] == "git" for name in names):
                yield node.lineno
            case ast.ImportFrom(module=str(module), level=0) if module.split(".")[0] == "git":
                yield node.lineno
            case ast.Call(func=ast.Name(id="__import__") | ast.Attribute(attr="import_module")) if _says(node, {"git"}):
                yield node.lineno
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in STARTERS and _starts_git(node):
                yield node.lineno
            case _:
                pass


def _says(call: ast.Call, words: set[str]) -> bool:
    return any(isinstance(argument, ast.Constant) and argument.value in words for argument in call.args)


def _starts_git(call: ast.Call) -> bool:
    """True if the first word of what `call` is given is git."""
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg in {"args", "argv", "cmd", "command"})]
    return any(_first_word(argument).rpartition("/")[2] == "git" for argument in given)


def _first_word(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return next(iter(text.split()), "")
        case ast.JoinedStr(values=[first, *_]):
            return _first_word(first)
        case ast.List(elts=[first, *_]) | ast.Tuple(elts=[first, *_]):
            return _first_word(first)
        case ast.BinOp(left=left):
            return _first_word(left)
        case _:
            return ""


def test_nobody_else_runs_git():
    found = [
        f"{file.relative_to(PACKAGE.parent)}:{line}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if file.relative_to(PACKAGE).parts[0] != "git"
        for line in _trespasses(file.read_text(encoding="utf-8"))
    ]
    assert not found, "ask loopdeck.git for it"


@pytest.mark.parametrize(
    "source",
    [
        "import git",
        "import git.repo as g",
        "from git import Repo",
        "def f():\n    from git.exc import GitError",
        "importlib.import_module('git')",
        "subprocess.run(['git', 'status'])",
        "run(('/usr/bin/git', *args), check=True)",
        "await asyncio.create_subprocess_exec('git', 'log')",
        "os.system('git gc')",
        "subprocess.check_output(f'git -C {path} log', shell=True)",
        "subprocess.Popen(args=['git'] + rest)",
        "door.run(Command(argv=('git', 'push'), cwd=here))",
        "shutil.which('git')",
    ],
)
def test_the_test_sees_it(source):
    assert list(_trespasses(source))


@pytest.mark.parametrize(
    "source",
    [
        "from loopdeck import git",
        "from loopdeck.git import tree",
        "keys = ('git', 'main')",
        "subprocess.run(['gitk'])",
        "rule.run('digit git')",
    ],
)
def test_and_nothing_else(source):
    assert not list(_trespasses(source))
