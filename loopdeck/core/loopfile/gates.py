"""`[gates]`: rules as texts, or as tables that say when they hold and bring examples with them.

`{rule = "bash(git push)", sandbox = "none", examples = ["git push origin main"], not_examples = ["git pull"]}` is the rule
`bash(git push) when sandbox=none`, once its examples have been tried. Invariant: a rule whose examples don't come out is refused.
"""

import json
from collections.abc import Sequence
from typing import Literal, get_args

from loopdeck.core import rules, shapes
from loopdeck.core.loopfile.remedies import remedies
from loopdeck.core.spec import Gates
from loopdeck.core.tables import Item, Table, kind_of

Kind = Literal["allow", "ask", "deny"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
_FIELD = {"bash": "command", "glob": "pattern", "skill": "name", "update_state": "content"}
"""The argument that an example written as a text stands for; of other tools it is the path."""


def read_gates(table: Table) -> Gates:
    """`[gates]`."""
    gates = Gates(*(_rules(table, kind) for kind in _KINDS))
    table.unknown(remedies("gates"))
    if "bash" in gates.allow:
        what = "`gates.allow` lets every shell command through, also where no sandbox holds it"
        table.note("allow", what, 'Allow the commands that are needed: "bash(pytest)".', warning=True)
    for text in gates.allow:
        if (program := _of_the_worktree(text)) is not None:
            what = f"`gates.allow` has {text}, but {program} lies in the worktree, where its maker can change it: it asks all the same"
            table.note("allow", what, "Name a program of the machine, such as `bash(make test)`, or leave the rule out.", warning=True)
    return gates


def _of_the_worktree(text: str) -> str | None:
    """The program of a rule that no command can be let through by, since it is the worktree's own."""
    rule = rules.parse(text)
    first = rule.pattern.split()[0] if rule.tool == "bash" and rule.pattern else ""
    return first if "/" in first and not first.startswith("/") else None


def _rules(table: Table, kind: Kind) -> tuple[str, ...]:
    value = table.get(kind)
    if not isinstance(value, list) or all(isinstance(one, str) for one in value):
        good = table.texts(kind, shape=lambda text: shapes.rule(text) or _pointless(kind, text))
        return tuple(dict.fromkeys(good))
    found: dict[str, None] = {}
    for index, one in enumerate(value):
        if isinstance(one, str):
            complaint = shapes.rule(one) or _pointless(kind, one)
            if complaint is None:
                found[one] = None
            else:
                table.note(kind, f"{table.name(kind)} {complaint[0]}", complaint[1], index=index)
        elif isinstance(one, dict):
            found.update(dict.fromkeys(_written(_at(table, kind, index, one), kind)))
        else:
            what = f"{table.name(kind)} must be a list of rules; item {index + 1} is {kind_of(one)}"
            table.note(kind, what, f'Write `{kind} = ["bash(git push)"]`, or `{{rule = "bash(git push)"}}`.', index=index)
    return tuple(found)


def _at(table: Table, key: str, index: int, values: dict[str, object]) -> Table:
    _, source, path = table.items[key]
    home = (source, (*path, index))
    items = {name: Item(value, source, (*path, index, name)) for name, value in values.items()}
    return Table(f"{table.label}.{key}", items, home, table.problems)


def _written(table: Table, kind: Kind) -> Sequence[str]:
    """The rule of a table, as the one text that it is; none if something about it is wrong."""
    before = len(table.problems)
    bare = table.text("rule", shape=lambda text: shapes.rule(text) or _only_bare(text))
    if "rule" not in table:
        table.note("", f"a rule of {table.label} has no `rule`", 'Write `{rule = "bash(git push)", …}`.')
    when = [(name, _values(table, name)) for name in rules.CONDITIONS]
    examples, others = _examples(table, "examples"), _examples(table, "not_examples")
    table.unknown({"allows": "Write `examples`.", "refuses": "Write `not_examples`.", "match": "Write `examples`."})
    if not bare or len(table.problems) > before:
        return ()
    text = rules.written(bare, when)
    if complaint := shapes.rule(text) or _pointless(kind, text):
        table.note("rule", f"{table.name('rule')} {complaint[0]}", complaint[1])
        return ()
    _try(table, kind, text, examples, others)
    return () if len(table.problems) > before else (text,)


def _values(table: Table, name: str) -> tuple[str, ...]:
    """One text or several."""
    if isinstance(table.get(name), list):
        return table.texts(name, shape=_word)
    one = table.text(name, shape=_word)
    return (one,) if one else ()


def _word(text: str) -> tuple[str, str] | None:
    return None if not set(text) & set(", \t\n") else ("holds a blank or a comma", "Write several as a list.")


def _only_bare(text: str) -> tuple[str, str] | None:
    if rules.bare(text.strip()) == text.strip():
        return None
    return "holds its conditions in its text", "Write them beside it: `sandbox`, `host`, `path`."


def _pointless(kind: Kind, text: str) -> tuple[str, str] | None:
    """What an allow rule can't do."""
    rule = rules.parse(text)
    if kind != "allow" or not rule.when.path:
        return None
    if rule.tool not in {"read_file", "write_file", "edit_file"}:
        return (
            f"allows by the paths of {rule.tool}, which a call can't be known by",
            "Allow words or a glob; ask and deny may go by path.",
        )
    if "gated" in rule.when.path:
        return "would allow all paths that configure what runs code", "Name each: `write_file(.github/workflows/ci.yml)`."
    return None


def _examples(table: Table, key: str) -> list[tuple[int, object]]:
    value = table.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str | dict) for one in value):
        what = f"{table.name(key)} must be a list of calls, not {kind_of(value)}"
        table.note(key, what, f'Write `{key} = ["git push origin main"]`, or tables of arguments.')
        return []
    return list(enumerate(value))


def _try(table: Table, kind: Kind, text: str, examples: Sequence[tuple[int, object]], others: Sequence[tuple[int, object]]) -> None:
    if not examples and not others:
        return
    # What rules mean takes a while to import, and few bring examples.
    from loopdeck.core import gate

    rule = rules.parse(text)
    state = rule.when.sandbox[0] if rule.when.sandbox else "none"
    walls = {"confined": state != "none", "network": state == "open", "listed": state == "listed"}
    policy = gate.Policy(**{kind: (text,)}, **walls)  # type: ignore[arg-type]  # one of the three lists

    def names(example: object) -> bool:
        field = _FIELD.get(rule.tool, "path")
        given = example if isinstance(example, dict) else {field: example, **({"pattern": "x"} if rule.tool == "grep" else {})}
        ruling = gate.judge(policy, rule.tool, json.dumps(given, default=str))
        return (ruling.verdict, ruling.rule) == (kind, text)

    verb = {"allow": "allow", "ask": "ask for", "deny": "deny"}[kind]
    for index, one in examples:
        if not names(one):
            table.note(
                "examples", f"the rule {text} does not {verb} its example {one!r}", "Mend the rule, or the example.", index=index
            )
    for index, one in others:
        if names(one):
            what = f"the rule {text} would {verb} {one!r}, which is one of its `not_examples`"
            table.note("not_examples", what, "Make the rule narrower, or mend the example.", index=index)
