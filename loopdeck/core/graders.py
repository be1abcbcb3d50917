"""Which files of the repository do the grading: the programs that the checks' commands start.

Where such a file lies in the worktree and nothing protects it, its maker could have it say anything. What a check only looks at (`ruff
check src/a.py`) is no grader, nor is what the loop file says may be changed (a scope check's paths, an experiment's `editable`).
"""

from collections.abc import Iterator, Sequence

from loopdeck.core import gatedpaths, globs, hazards
from loopdeck.core.shellwords import Command, commands
from loopdeck.core.spec import LoopSpec


def graders(spec: LoopSpec) -> dict[str, str]:
    """Paths in the repository, each with the check whose program it is; that there are such files is not said."""
    free = (
        *(path for check in spec.checks if check.scope for path in check.scope.paths),
        *(spec.experiment.editable if spec.experiment else ()),
    )
    found: dict[str, str] = {}
    for check in spec.checks:
        line = check.run or (check.metric.run if check.metric else "")
        for path in _programs(line):
            if not globs.any_match(path, free):
                found.setdefault(path, check.name)
    return found


def _programs(line: str) -> Iterator[str]:
    """The files that a command line runs, relative to where it begins."""
    folder = ""
    for command in commands(line):
        words = [word.begin for word in command if word.known]
        if not words:
            continue
        if words[0] == "cd" and len(words) > 1:
            folder = f"{folder}{words[1]}/"
            continue
        path = _program(words, command)
        inside = gatedpaths.normal(folder + path) if path else None
        if inside is not None and inside != ".":
            yield inside


def _program(words: Sequence[str], command: Command) -> str:
    """The file that a command runs, as it is written; empty if it runs none that could be the repository's."""
    first = words[0]
    name = hazards.name_of(first)
    if name in hazards.WRAPPERS:
        rest = next((at for at, word in enumerate(words) if at and _could_be(word)), 0)
        return _program(words[rest:], command[rest:]) if rest else ""
    if name in hazards.SHELLS or name in {".", "source"} or hazards.INTERPRETERS.fullmatch(name):
        script = next((word for word in words[1:] if not word.startswith("-")), "")
        code = any(word in {"-c", "-e", "-m", "-p", "--eval"} for word in words[1 : words.index(script) if script else None])
        return "" if code else script
    return first if "/" in first and not first.startswith("/") else ""


def _could_be(word: str) -> bool:
    """True for a word of a wrapper that may be the command it runs."""
    return not word.startswith("-") and "=" not in word and not word[:1].isdigit()
