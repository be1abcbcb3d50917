"""Sealed places: mounted while a command runs, and no trace of it before or after."""

import pytest

from loopdeck.sandbox.seals import STAND_INS, Seals, clear
from tests.kit.repos import write_files


def mounts(options: list[str]) -> dict[str, str]:
    """Path → how it is mounted."""
    found, at = {}, 0
    while at < len(options):
        if options[at] == "--perms":
            at += 4
        how, path = options[at], options[at + 1]
        found[path] = how
        at += 2 if how == "--tmpfs" else 3
    return found


def all_of(tree) -> list[str]:
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))


def test_an_empty_tree_has_stand_ins_only_while_they_are_needed(tmp_path):
    seals = Seals(tmp_path, ("tests/**",))
    laid = mounts(seals.lay())
    assert set(all_of(tmp_path)) == {*STAND_INS, ".github", "tests"}
    assert laid == {f"{tmp_path}/{name}": "--tmpfs" for name in (*STAND_INS, ".github", "tests")}
    seals.lift()
    assert all_of(tmp_path) == []


def test_what_is_there_is_mounted_and_pinned(tmp_path):
    write_files(tmp_path, {"a/b/tests/x": "", "package.json": "{}", "a/.envrc": "", ".github/workflows/x.yml": "", "src/a.py": ""})
    seals = Seals(tmp_path, ("a/b/tests/**",))
    laid = mounts(seals.lay())
    seals.lift()
    expected = {"a": "--bind", "a/b": "--bind", "a/b/tests": "--ro-bind", "package.json": "--ro-bind", "a/.envrc": "--ro-bind"}
    assert {path: laid[f"{tmp_path}/{path}"] for path in expected} == expected
    assert laid[f"{tmp_path}/.github/workflows"] == "--ro-bind"
    assert laid[f"{tmp_path}/.github"] == "--bind"
    order = list(laid)
    assert order.index(f"{tmp_path}/a") < order.index(f"{tmp_path}/a/b") < order.index(f"{tmp_path}/a/b/tests")
    assert not any("src" in path for path in laid)


def test_single_files_are_sealed_one_by_one_and_a_flood_of_them_ends(tmp_path):
    write_files(tmp_path, {f"src/{number}_test.py": "" for number in range(300)})
    seals = Seals(tmp_path, ("src/*_test.py",))
    laid = mounts(seals.lay())
    seals.lift()
    assert 50 < sum(how == "--ro-bind" for how in laid.values()) < 100


def test_links_are_not_followed_and_put_back(tmp_path):
    outside = tmp_path / "outside"
    tree = tmp_path / "tree"
    write_files(outside, {"tests/x": ""})
    write_files(tree, {"AGENTS.md": "x"})
    (tree / "CLAUDE.md").symlink_to("AGENTS.md")
    (tree / "a").symlink_to(outside)
    seals = Seals(tree, ("a/tests/**",))
    laid = mounts(seals.lay())
    assert f"{tree}/CLAUDE.md" not in laid
    assert not any(path.startswith(f"{tree}/a") for path in laid)
    (tree / "CLAUDE.md").unlink()
    (tree / "CLAUDE.md").mkdir()
    (tree / "CLAUDE.md" / "evil").write_text("evil")
    seals.lift()
    assert str((tree / "CLAUDE.md").readlink()) == "AGENTS.md"


def test_another_spelling_is_taken_away_after(tmp_path):
    seals = Seals(tmp_path, ())
    seals.lay()
    write_files(tmp_path, {".Claude/settings.json": "evil", "agents.MD": "evil", "mine.txt": "mine"})
    seals.lift()
    assert all_of(tmp_path) == ["mine.txt"]


def test_what_was_spelled_so_before_stays(tmp_path):
    write_files(tmp_path, {"agents.MD": "theirs"})
    seals = Seals(tmp_path, ())
    assert mounts(seals.lay())[f"{tmp_path}/agents.MD"] == "--ro-bind"
    seals.lift()
    assert all_of(tmp_path) == ["agents.MD"]


def test_two_commands_at_once_take_them_away_together(tmp_path):
    seals = Seals(tmp_path, ())
    assert seals.lay() == seals.lay()
    seals.lift()
    assert (tmp_path / ".claude").is_dir()
    seals.lift()
    assert all_of(tmp_path) == []


@pytest.mark.parametrize("again", [False, True])
def test_what_a_dead_runner_left_is_cleared_away_and_nothing_else(tmp_path, again):
    write_files(tmp_path, {".vscode/settings.json": "{}"})
    (tmp_path / ".idea").mkdir()
    Seals(tmp_path, ()).lay()
    assert (tmp_path / ".claude").is_dir()
    if again:
        seals = Seals(tmp_path, ())
        seals.lay()
        seals.lift()
    else:
        clear(tmp_path)
    assert all_of(tmp_path) == [".idea", ".vscode", ".vscode/settings.json"]


def test_a_tree_that_is_gone_breaks_nothing(tmp_path):
    seals = Seals(tmp_path / "gone", ("tests/**",))
    assert seals.lay() == []
    seals.lift()
    clear(tmp_path / "gone")
