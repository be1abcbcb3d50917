"""A run's work as it is read: every path is there, each line has its number, nothing is left out unsaid."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.deck.decks import Deck
from loopdeck.deck.errand import errand
from loopdeck.deck.review import MOST_LINES, Line, file_diff, is_policy, language, mark_of, outlook, parsed, review
from loopdeck.deck.unread import Cargo
from loopdeck.errors import UsageError
from loopdeck.git import diff
from loopdeck.git.repository import find
from tests.cli.loops import loop, turn, write
from tests.kit.front import opened
from tests.kit.hostile import FAMILIES
from tests.kit.repos import commit_files, git, make_repo

GATED = ".github/workflows/ci.yml"
NAMES = [f"odd {name}.txt" for name in ("\x1b[31m", "\n@@ -1 +1 @@", "[/red]", "\u202egnp", "\udcff", ":(top)", "*")]


def texts():
    """What a shell script makes, for names and files that no tool would write."""
    return (
        "mkdir -p out; printf 'x\\000y' > bin.dat; chmod +x run.sh; rm gone.txt; rm kind.txt; ln -s run.sh kind.txt\n"
        f"seq {MOST_LINES + 1} > huge.txt; printf 'no end' > noend.txt; printf 'a\\r\\nb\\n' > crlf.txt\n"
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    files = {
        "README.md": "# A project\n", "run.sh": "true\n", "gone.txt": "one\ntwo\n", "kind.txt": "x\n", "noend.txt": "no end\n",
        "make.sh": texts(), "shared.txt": "one\ntwo\n",
        **loop(
            "all",
            [
                turn("w", write(GATED, "on: push\n"), write("conftest.py", "import os\n"), ("bash", {"command": "sh make.sh"})),
                turn("d"),
            ],
            gates={"allow": [f"write_file({GATED})", "bash(sh make.sh)", "write_file(conftest.py)"]},
        ),
        **loop("shared", [turn("w", write("shared.txt", "one\nzwei\n")), turn("d")]),
        **loop("policy", [turn("w", write("p.txt", "p\n")), turn("d")]),
        **loop("idler", [turn("d")]),
    }  # fmt: skip
    with opened(tmp_path_factory.mktemp("reviewed"), files) as door:
        door.run("start", "--all", "--wait")
        yield door


def of(door, name):
    deck = Deck.open(door.repo, door.env)
    return deck, deck.resolve(name)


def test_every_path_is_on_the_list_with_what_it_is(played):
    deck, paths = of(played, "all")
    found = {one.path: one for one in review(deck, paths).files}
    entry = played.entry("all")
    assert sorted(found) == sorted(git(played.repo, "diff", "--no-renames", "--name-only", "main", entry["branch"]).split())
    assert found[GATED].mark == "configures tools, hooks or agents"
    assert found["conftest.py"].mark == "is run by tools of its own accord"
    assert (found["bin.dat"].binary, found["gone.txt"].kind, found["kind.txt"].kind) == (True, "D", "T")
    assert not any(one.read or one.policy for one in found.values())


def lines_of(played, name, path):
    deck, paths = of(played, name)
    work = review(deck, paths)
    one = next(each for each in work.files if each.path == path)
    return file_diff(deck, work.cargo, one)


def test_each_kind_of_change_can_be_seen(played):
    change = lines_of(played, "all", "noend.txt")
    assert [(line.sign, line.text, line.old, line.new) for line in change.lines] == [
        ("@", "", 1, 1), ("-", "no end", 1, 0), ("+", "no end", 0, 1), ("~", "No newline at end of file", 0, 0),
    ]  # fmt: skip
    assert [line.text for line in lines_of(played, "all", "run.sh").lines] == ["old mode 100644", "new mode 100755"]
    kind = lines_of(played, "all", "kind.txt")
    assert [line.text for line in kind.lines if line.sign in "+-"] == ["x", "run.sh"]
    assert "new file mode 120000" in [line.text for line in kind.lines]
    assert [line.text for line in lines_of(played, "all", "crlf.txt").lines if line.sign == "+"] == ["a\r", "b"]
    assert lines_of(played, "all", "conftest.py").language == "python"


def test_what_is_not_shown_is_named(played):
    assert "binary" in lines_of(played, "all", "bin.dat").note
    huge = lines_of(played, "all", "huge.txt")
    assert (huge.lines, f"{MOST_LINES + 1:,} lines are too many" in huge.note, "git diff" in huge.note) == ((), True, True)


def test_a_run_that_changed_nothing_has_no_review(played):
    with pytest.raises(UsageError, match="changed nothing"):
        review(*of(played, "idler"))


def test_the_outlook_names_conflicts_and_changes_nothing(played):
    deck, paths = of(played, "shared")
    work = review(deck, paths)
    clean = outlook(deck, work.cargo)
    assert (clean.into, clean.conflicts, clean.refusal, clean.files, clean.added, clean.removed) == ("main", (), "", 1, 1, 1)
    git(played.repo, "checkout", "-q", "-b", "aside")
    commit_files(played.repo, {"shared.txt": "one\ndue\n"})
    refs = git(played.repo, "for-each-ref")
    try:
        assert outlook(deck, work.cargo).conflicts == ("shared.txt",)
        assert git(played.repo, "for-each-ref") == refs
    finally:
        git(played.repo, "checkout", "-q", "main")


def test_a_change_of_policy_is_marked_and_can_not_be_merged_by_a_verb(played):
    branch, scratch = played.entry("policy")["branch"], played.base / "scratch"
    git(played.repo, "worktree", "add", "-q", "--detach", str(scratch), branch)
    made = commit_files(scratch, {".loopdeck/deck.toml": "[gates]\nallow = ['bash']\n"}, "sly")
    git(played.repo, "update-ref", f"refs/heads/{branch}", made)
    deck, paths = of(played, "policy")
    work = review(deck, paths)
    assert [(one.path, one.policy) for one in work.files] == [(".loopdeck/deck.toml", True), ("p.txt", False)]
    assert work.files[0].mark == "changes what loops are and may do"
    assert work.moved
    assert "merge by hand" in outlook(deck, work.cargo).refusal


@pytest.mark.parametrize("path", [".loopdeck/deck.toml", ".LOOPDECK/x", ".loopdeck./y", ".loop\u200bdeck/z"])
def test_policy_is_found_in_any_spelling(path):
    assert is_policy(path)
    assert mark_of(diff.Change(path, 1, 0), ()).startswith("changes what loops")


def test_protected_paths_are_marked_by_their_pattern():
    assert mark_of(diff.Change("tests/a.py", 1, 0), ("src/**", "tests/**")) == "protected by tests/**"
    assert mark_of(diff.Change("module", 1, 1, gitlink=True), ()) == "a submodule"
    assert mark_of(diff.Change("src/a.py", 1, 1), ("tests/**",)) == ""


@pytest.mark.parametrize("name", [*FAMILIES.values(), "", ".", "a" * 5000 + ".py", "[", "*.py"])
def test_any_name_has_a_language_or_none(name):
    assert isinstance(language(f"folder/{name}"), str)


def test_files_of_any_name_are_shown_alone(tmp_path):
    repo = make_repo(tmp_path / "repo", {"a.txt": "a\n"})
    base = git(repo, "rev-parse", "HEAD").strip()
    tip = commit_files(repo, {name: f"{at}\n" for at, name in enumerate(NAMES)})
    deck = Deck(find(repo), Deck.open(repo, {"LOOPDECK_HOME": str(tmp_path / "home")}).home)
    cargo = Cargo("l", "r", base, tip, tip, True, False, ())
    changes = diff.changed(deck.repo, base, tip)
    assert sorted(one.path for one in changes) == sorted(NAMES)
    for at, name in enumerate(NAMES):
        patch = diff.patch(deck.repo, base, tip, limit_bytes=10_000, path=name)
        assert [line for line in parsed(patch.text) if line.sign == "+"] == [Line("+", f"{at}", 0, 1)]
    assert cargo.tip == tip


LINES = st.lists(
    st.sampled_from(["a", "b", "", "-x", "+x", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "diff --git a/x b/x", "\\ No newline", "~"]),
    max_size=12,
)


@settings(max_examples=60)
@given(LINES, LINES, st.booleans(), st.booleans())
def test_both_files_can_be_told_from_their_diff(tmp_path_factory, before, after, ends_before, ends_after):
    """Lines that look like a diff's own are lines all the same: put together again, each side is the file it was."""
    folder = tmp_path_factory.getbasetemp() / "parsed"
    if not folder.exists():
        make_repo(folder, {"keep": "x"})
    repo = find(folder)
    trees = []
    for lines, ends in ((before, ends_before), (after, ends_after)):
        text = "\n".join(lines) + ("\n" if ends and lines else "")
        blob = git(folder, "hash-object", "-w", "--stdin", stdin=text).strip()
        trees.append(git(folder, "mktree", stdin=f"100644 blob {blob}\tf\n").strip())
    shown = list(parsed(diff.patch(repo, *trees, limit_bytes=100_000, path="f").text))
    old = {line.old: line.text for line in shown if line.sign in "- "}
    new = {line.new: line.text for line in shown if line.sign in "+ "}
    for found, whole in ((old, before), (new, after)):
        assert all(whole[number - 1] == text for number, text in found.items())
    changed = [line for line in shown if line.sign in "+-"]
    counted = diff.changed(repo, *trees)
    assert len(changed) == sum(one.added + one.removed for one in counted)


def test_an_errand_is_the_verb_itself(played, monkeypatch):
    for name, value in played.env.items():
        monkeypatch.setenv(name, value)
    deck, paths = of(played, "shared")
    told: list[str] = []
    came = errand(deck, ("show", paths.run), told.append)
    assert (came.code, came.complaint) == (0, "")
    assert came.said.splitlines() == told
    assert told[0].startswith(f"shared {paths.run}")
    wrong = errand(deck, ("show", "nobody"))
    assert (wrong.code, wrong.said) == (2, "")
    assert wrong.complaint.startswith("there is no run or loop 'nobody'")


def test_an_errand_takes_nothing_of_the_checkout_for_itself(played, monkeypatch):
    for name, value in played.env.items():
        monkeypatch.setenv(name, value)
    trap = played.repo / "msgspec.py"
    trap.write_text("raise SystemExit(99)\n", encoding="utf-8")
    try:
        assert errand(of(played, "shared")[0], ("where",)).code == 0
    finally:
        trap.unlink()
