"""The verbs of the README, made from the table that the parser is made from: `python -m tests.architecture.readme` writes them."""

import argparse
from pathlib import Path

from loopdeck.cli.arguments import VERBS

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN = "<!-- verbs: made by `python -m tests.architecture.readme`, compared by a test -->\n"
END = "<!-- end of verbs -->"


def verbs() -> str:
    """The table, as Markdown."""
    rows = []
    for name, verb in VERBS.items():
        parser = argparse.ArgumentParser(prog=name, add_help=False)
        verb.add(parser)
        words = " ".join(parser.format_usage().removeprefix("usage: ").split()).replace("|", "\\|")
        rows.append(f"| `{words}` | {verb.help} |")
    return "\n".join(["| verb | does |", "|---|---|", *rows, ""])


def parts(text: str) -> tuple[str, str, str]:
    """What stands before, between and after the marks."""
    head, _, rest = text.partition(BEGIN)
    table, _, tail = rest.partition(END)
    return head + BEGIN, table, END + tail


def main() -> None:
    """Write the table into the README."""
    head, _, tail = parts(README.read_text("utf-8"))
    README.write_text(head + verbs() + tail, "utf-8")


if __name__ == "__main__":
    main()
