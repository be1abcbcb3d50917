"""Changes of files as calls of our own tools."""

import difflib
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from loopdeck.agents.outside import patches

LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n", "  d\n", "-e\n", "+f\n"]), max_size=30)


def diff(old: str, new: str) -> str:
    """A unified diff without its head, as agents send it."""
    return "".join(list(difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), n=1))[2:])


def test_one_replacement_makes_the_new_file_of_the_old(tmp_path_factory):
    place = tmp_path_factory.mktemp("tree")

    @given(LINES, LINES)
    def holds(before: list[str], after: list[str]) -> None:
        old, new = "".join(before), "".join(after)
        (place / "x").write_text(old)
        (call,) = patches.patched(place, str(place / "x"), diff(old, new))
        arguments = json.loads(call.arguments)
        assert (call.tool, arguments["path"]) == ("edit_file", "x")
        at = [i for i in range(len(old) + 1) if old.startswith(arguments["old"], i)]
        assert any(old[:i] + arguments["new"] + old[i + len(arguments["old"]) :] == new for i in at)

    holds()


def test_hunks_that_do_not_fit_the_file_are_shown_as_they_are(tmp_path):
    (tmp_path / "x").write_text("quite\nother\n")
    (call,) = patches.patched(tmp_path, "x", "@@ -1 +1 @@\n-a\n+b\n@@ -9 +9 @@\n-c\n+d\n")
    assert json.loads(call.arguments) == {"path": "x", "old": "a\nc\n", "new": "b\nd\n"}


def test_no_newline_at_the_end(tmp_path):
    (tmp_path / "x").write_text("a")
    text = "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"
    (call,) = patches.patched(tmp_path, "x", text)
    assert json.loads(call.arguments) == {"path": "x", "old": "a", "new": "b"}


def test_a_path_is_the_place_it_leads_to(tmp_path):
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "way").symlink_to(tmp_path)
    (tree / "near").symlink_to("a")
    for path, place in (("near/x", "a/x"), (f"{tree}/near/x", "a/x"), ("way/x", f"{tmp_path}/x"), ("../x", f"{tmp_path}/x")):
        assert json.loads(patches.written(tree, path, "").arguments)["path"] == place


def test_a_whole_text_replaced_is_shown_as_what_changes(tmp_path):
    (tmp_path / "x").touch()

    @given(LINES, LINES, LINES, LINES)
    def holds(head: list[str], old: list[str], new: list[str], tail: list[str]) -> None:
        before, after = "".join([*head, *old, *tail]), "".join([*head, *new, *tail])
        arguments = json.loads(patches.replaced(tmp_path, "x", before, after).arguments)
        assert len(arguments["old"].splitlines()) <= len(old) + 6
        at = [i for i in range(len(before) + 1) if before.startswith(arguments["old"], i)]
        assert any(before[:i] + arguments["new"] + before[i + len(arguments["old"]) :] == after for i in at)

    holds()


def test_what_lies_elsewhere_is_never_read(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "secret").write_text("s3cret")
    (tree / "way").symlink_to(tmp_path / "secret")
    assert patches.read(tree, "way") is None
    assert patches.read(tree, "../secret") is None
    assert patches.read(tree, str(tmp_path / "secret")) is None
    assert "s3cret" not in patches.deleted(tree, str(Path(tree / "way")), "").arguments
