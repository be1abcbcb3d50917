"""A deck in which everything that has a text of its own has it in for terminals: files, a maker, a check, a question."""

from tests.cli.loops import loop, turn, write
from tests.kit.hostile import ALL, FAMILIES

LINES = "".join(f"src/app.py:{number}: error: mark-output {text}\n" for number, text in enumerate(FAMILIES.values(), 1))
FILE = "mark-file\x1b[31m\u202etxt"
FILES: dict[str, str | bytes] = {
    "README.md": "# A project\n", "evil.txt": LINES, "src/app.py": f"x = 1  # mark-snippet {ALL}\n" * 40,
}  # fmt: skip
"""What the repository holds before any loop."""


def evil_loops() -> dict[str, str]:
    """The files of the loop `evil`, which asks once and never passes, and of `refused`, whose goal can't be printed."""
    command = f"printf '%s' 'mark-command {ALL}'".replace("\x85", "").replace("\n", "")
    turns = [
        turn(f"mark-said {ALL}", write(FILE, f"mark-content {ALL}\n"), write("plain.txt", LINES)),
        turn("Asking.", ("bash", {"command": command})),
        turn("mark-state", ("update_state", {"content": f"# State\n\nmark-remembered {ALL}\n"})),
        turn("d"),
    ]
    checks = [{"name": "evil", "run": "cat evil.txt; exit 1"}]
    gates = {"ask": ["bash"]}
    return {
        **loop("evil", turns, checks=checks, end={"max_iterations": 1}, gates=gates),
        **loop("refused", turns, goal=f"mark-goal {ALL}", gates=gates),
    }
