"""The house rules for Python files: python3 tools/lint.py FOLDER…

Prints `path:line: rule: what is wrong`, one a line; exit code 1 if there is anything to print.
"""

import ast
import sys
from pathlib import Path

WIDEST = 100


def text_rules(source):
    """(line, rule, what) of everything that can be seen without understanding the code."""
    for number, line in enumerate(source.split("\n"), 1):
        if len(line) > WIDEST:
            yield number, "long-line", f"{len(line)} characters, at most {WIDEST}"
        if line != line.rstrip():
            yield number, "trailing-space", "spaces at the end of the line"
        if "\t" in line:
            yield number, "tab", "a tab; indent with spaces"


def code_rules(tree):
    """(line, rule, what) of what only shows in the syntax tree."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    name = (alias.asname or alias.name).split(".")[0]
                    if name not in used:
                        yield node.lineno, "unused-import", f"{name} is imported and never used"
            case ast.ExceptHandler(type=None):
                yield node.lineno, "bare-except", "name the exceptions that are expected here"
            case ast.FunctionDef(args=args):
                for default in [*args.defaults, *filter(None, args.kw_defaults)]:
                    if isinstance(default, ast.List | ast.Dict | ast.Set):
                        yield default.lineno, "mutable-default", "shared between calls; use None or a tuple"


def main(folders):
    found = []
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            for line, rule, what in [*text_rules(source), *code_rules(ast.parse(source))]:
                found.append((path.as_posix(), line, rule, what))
    for path, line, rule, what in sorted(found):
        print(f"{path}:{line}: {rule}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["shed"]))
