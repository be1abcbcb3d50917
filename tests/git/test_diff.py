"""What differs, as numbers and as text."""

import pytest

from loopdeck.errors import WorkspaceError
from loopdeck.git.diff import Change, appliable, changed, comparing, log, merge_base, patch
from loopdeck.git.refs import trees_of
from loopdeck.git.tree import commit_all
from tests.kit.repos import commit_files, git, make_repo, write_files


def test_paths_lines_and_kinds(root, repo, base):
    (root / "README.md").rename(root / "LESEN.md")
    (root / "tests" / "test_calc.py").unlink()
    (root / "tests" / "test_calc.py").symlink_to("data")
    write_files(root, {"src/calc.py": "1\n2\n3\n", "new\nline\t:": "x\n", "bin": b"\0"})
    after = commit_files(root, {}, "after")
    assert changed(repo, base, after) == (
        Change("LESEN.md", 1, 0, kind="A"),
        Change("README.md", 0, 1, kind="D"),
        Change("bin", 0, 0, binary=True, kind="A"),
        Change("new\nline\t:", 1, 0, kind="A"),
        Change("src/calc.py", 3, 2),
        Change("tests/test_calc.py", 1, 1, kind="T"),
    )
    assert changed(repo, base, base) == ()


def test_several_pairs_at_once(root, repo, base):
    # A name may say anything, even what stands before an answer.
    (before,) = trees_of(repo, [base])
    (clean,) = trees_of(repo, [commit_files(root, {"z": "z\n"})])
    odd = commit_files(root, {f"{before} {clean}\n:x": "x\n", ":100644 a": "\n", "1\t2\ty": "\n"})
    (odd_tree,) = trees_of(repo, [odd])
    for pairs in (
        [(before, odd_tree), (odd_tree, clean), (before, clean)],
        [(odd_tree, clean), (before, clean)],
        [(before, before), (before, clean), (clean, clean)],
        [(before, clean), (before, clean)],
        [],
    ):
        with comparing(repo, pairs) as answers:
            assert answers() == tuple(changed(repo, *pair) for pair in pairs)
    with comparing(repo, [(before, clean)]):
        pass


def test_trees_are_remembered_right(root, repo, base):
    after = commit_files(root, {"z": "z\n"})
    trees = [git(root, "rev-parse", f"{commit}^{{tree}}").strip() for commit in (base, after)]
    assert trees_of(repo, [base]) == (trees[0],)
    assert trees_of(repo, [after, base, after]) == (trees[1], trees[0], trees[1])
    with pytest.raises(WorkspaceError):
        trees_of(repo, [base, "1" * 40])


def test_attributes_of_the_maker_hide_nothing(repo, worktree, base):
    write_files(worktree.path, {".gitattributes": "*.py -diff binary\n", "src/calc.py": "1\n2\n3\n"})
    done = commit_all(worktree, "m", base=base)
    assert done.changes[1] == Change("src/calc.py", 3, 2)
    assert changed(repo, base, done.commit) == done.changes
    assert "+3" in patch(repo, base, done.commit, limit_bytes=10_000).text


def test_submodules_are_seen(root, repo, base, tmp_path):
    make_repo(root / "inner", {"a": "a"})
    git(root, "-c", "advice.addEmbeddedRepo=false", "add", "inner")
    after = commit_files(root, {}, "after")
    assert [(change.path, change.gitlink) for change in changed(repo, base, after)] == [("inner", True)]


def test_a_patch_can_be_applied_or_is_cut_at_a_line(root, repo, base):
    after = commit_files(root, {"long": "line ü\n" * 10_000, "raw": b"\xff\xfe\n", "README.md": "# Shop 2\n"}, "after")
    whole = patch(repo, base, after, limit_bytes=1_000_000)
    assert not whole.cut
    assert whole.text.count("\n+line ü") == 10_000
    assert "+\ufffd\ufffd\n" in whole.text
    part = patch(repo, base, after, limit_bytes=1_001)
    assert part.cut
    assert part.size <= 1_001
    assert part.text.endswith("\n")
    assert whole.text.startswith(part.text)
    assert patch(repo, base, base, limit_bytes=10).text == ""
    small = commit_files(root, {"x": "x\n"})
    git(root, "checkout", "-q", after)
    git(root, "apply", "--check", stdin=patch(repo, after, small, limit_bytes=10_000).text)


def test_an_unknown_commit_is_an_error(repo, base):
    for use in (
        lambda: changed(repo, base, "1" * 40),
        lambda: patch(repo, base, "1" * 40, limit_bytes=10),
        lambda: log(repo, base, "1" * 40),
        lambda: merge_base(repo, base, "1" * 40),
    ):
        with pytest.raises(WorkspaceError):
            use()
    with comparing(repo, [(base, base), (base, "1" * 40)]) as answers, pytest.raises(WorkspaceError):
        answers()


def test_the_log_is_newest_first(root, repo, base):
    first = commit_files(root, {"a": "a"}, "First\n\nwith a body")
    second = commit_files(root, {"b": "b"}, "Zweitens: ü")
    entries = log(repo, base, second)
    assert [(entry.commit, entry.parents, entry.subject) for entry in entries] == [
        (second, (first,), "Zweitens: ü"),
        (first, (base,), "First"),
    ]
    assert {entry.author for entry in entries} == {"Olga Operator"}
    assert entries[0].when[10] == "T"
    assert log(repo, second, second) == ()


def test_merge_bases(root, repo, base):
    after = commit_files(root, {"a": "a"})
    assert merge_base(repo, base, after) == base
    git(root, "checkout", "-q", "--orphan", "other")
    other = commit_files(root, {"b": "b"})
    assert merge_base(repo, after, other) is None


def test_what_is_made_to_be_applied_holds_every_byte(root, repo, base):
    files: dict[str, str | bytes] = {
        "old": b"\xe9t\xe9 latin\n",
        "image": bytes(range(256)) * 20,
        "README.md": "# Shop 2\n",
        "end": "no newline",
    }
    after = commit_files(root, files, "after")
    made = appliable(repo, base, after, limit_bytes=1_000_000)
    assert made is not None
    git(root, "checkout", "-q", base)
    (root / "work.patch").write_bytes(made)
    git(root, "apply", "--index", "work.patch")
    assert git(root, "write-tree").strip() == trees_of(repo, [after])[0]
    assert appliable(repo, base, after, limit_bytes=len(made)) == made
    assert appliable(repo, base, after, limit_bytes=len(made) - 1) is None
