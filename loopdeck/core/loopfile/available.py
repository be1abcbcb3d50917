"""What loop files may say that this version can't do yet. When it can, its line here is deleted and nothing else.

`NOT_YET` is refused, because a run would not be what the file promises; `NO_EFFECT_YET` is only warned about.
"""

from loopdeck.core.tables import Table

NOT_YET = {
    "check metric": "Write a command check that fails when the number is out of bounds.",
    "experiment": "Take `[experiment]` out, and grade the work with a command check.",
}
NO_EFFECT_YET = {
    "trigger": "this version starts loops only by hand",
}


def refuse(table: Table, key: str, thing: str, index: int | None = None) -> bool:
    """Note at `key` that `thing` isn't built yet; False if it is."""
    if thing not in NOT_YET:
        return False
    written = thing if " " in thing else table.name(key)
    table.note(key, f"{written} is not available in this version", NOT_YET[thing], index=index)
    return True


def warn(table: Table, key: str, thing: str, remedy: str) -> None:
    """Note at `key` that what it says has no effect yet; nothing if it has."""
    if thing in NO_EFFECT_YET:
        table.note(key, f"{table.name(key)}: {NO_EFFECT_YET[thing]}", remedy, warning=True)
