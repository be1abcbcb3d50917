"""The tables of the README that are made from the code: verbs and keys. `python -m tests.architecture.readme` writes them."""

import argparse
from pathlib import Path

from textual.keys import format_key

from loopdeck.cli.arguments import VERBS
from loopdeck.tui.actions import SCOPES, actions

README = Path(__file__).resolve().parents[2] / "README.md"
_BY = "made by `python -m tests.architecture.readme`, compared by a test"
_SCREENS = {
    "deck": "deck", "loop": "a loop", "trace": "trace", "event": "an event", "approvals": "approvals", "state": "the state",
    "review": "review",    "money": "money", "new": "a new loop", "why": "why", "compare": "two iterations", "harness": "harness",
    "attached": "sessions",
}  # fmt: skip


def verbs() -> str:
    """The table, as Markdown."""
    rows = []
    for name, verb in VERBS.items():
        parser = argparse.ArgumentParser(prog=name, add_help=False)
        verb.add(parser)
        words = " ".join(parser.format_usage().removeprefix("usage: ").split()).replace("|", "\\|")
        rows.append(f"| `{words}` | {verb.help} |")
    return "\n".join(["| verb | does |", "|---|---|", *rows, ""])


def keys() -> str:
    """Every action with its key and the screens it is on, as Markdown."""
    places: dict[tuple[str, str], list[str]] = {}
    for scope in SCOPES:
        for one in actions(scope):
            places.setdefault((one.key, one.help), []).append(_SCREENS.get(scope, scope))
    every = len(SCOPES)
    rows = []
    for (key, words), where in places.items():
        shown = ", ".join(f"`{format_key(each)}`" for each in key.split(","))
        rows.append(f"| {shown} | {words} | {'everywhere' if len(where) >= every - 2 else ', '.join(where)} |")
    return "\n".join(["| key | does | where |", "|---|---|---|", *rows, ""])


TABLES = {"verbs": verbs, "keys": keys}
"""The tables by the names of their marks."""


def written(text: str) -> str:
    """The README `text` with every table as the code has it now."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: {_BY} -->\n", f"<!-- end of {name} -->"
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = head + begin + table() + end + tail
    return text


def main() -> None:
    """Write the tables into the README."""
    README.write_text(written(README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
