"""What loops shipped that nobody has read: counted, marked, and what it holds up."""

import pytest

from loopdeck.deck.decks import Deck
from loopdeck.deck.unread import STALE_S, Unread
from tests.cli.loops import fixer, loop, turn, write
from tests.kit.front import opened
from tests.kit.hostile import ALL, harm_in, mess_in
from tests.kit.repos import commit_files, git

HOSTILE = "odd " + ALL.replace("/", "-")[:60] + "\n.txt"


def loops():
    """Runs of every fate. `fixer` ships 1 line, `big` 30 and a binary, `edits` 2 (one added, one removed), `failing` 1."""
    ten = "line\n" * 10
    return {
        "README.md": "# A project\n",
        "shared.txt": "one\ntwo\n",
        **fixer(),
        **loop(
            "big",
            [turn("w", write("docs/a.md", ten), write("docs/b.md", ten), write("c.md", ten), write("d.bin", "\0\0")), turn("d")],
        ),
        **loop("edits", [turn("w", write("shared.txt", "one\nzwei\n")), turn("d")]),
        **loop("hostile", [turn("w", write(HOSTILE, "x\n")), turn("d")]),
        **loop("failing", [turn("w", write("try.txt", "x\n")), turn("d")], checks=[{"run": "false"}], end={"max_iterations": 1}),
        **loop("idler", [turn("d")]),
    }


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("read"), loops()) as door:
        assert door.run("start", "--all", "--wait").code == 10
        yield door


@pytest.fixture
def door(played):
    """The played deck, afterwards as nobody had read or merged anything."""
    start = git(played.repo, "rev-parse", "main").strip()
    yield played
    git(played.repo, "checkout", "-q", "-f", "main")
    git(played.repo, "reset", "-q", "--hard", start)
    for ref in git(played.repo, "for-each-ref", "--format=%(refname)", "refs/heads/other").split():
        git(played.repo, "update-ref", "-d", ref)
    deck = deck_of(played)
    deck.home.readmarks.unlink(missing_ok=True)
    (played.repo / ".loopdeck" / "deck.toml").unlink(missing_ok=True)


def deck_of(door):
    return Deck.open(door.repo, door.env)


def queue(door, inside):
    """Loop → (lines, merged) of what is unread, as the verb says."""
    said = inside(door, "read", "--json").json
    assert sum(one["lines"] for one in said["runs"]) == said["unread_lines"]
    return {one["loop"]: (one["lines"], one["merged"]) for one in said["runs"]}


WAITING = {"fixer": (1, False), "big": (30, False), "edits": (2, False), "hostile": (1, False)}


@pytest.mark.req("S0-25")
def test_the_queue_has_what_was_done_and_what_was_merged(door, inside):
    assert queue(door, inside) == WAITING
    git(door.repo, "merge", "-q", "--no-ff", "-m", "by hand", door.entry("failing")["branch"])
    git(door.repo, "checkout", "-q", "-b", "other")
    git(door.repo, "merge", "-q", "--no-ff", "-m", "by hand", door.entry("edits")["branch"])
    git(door.repo, "checkout", "-q", "main")
    assert queue(door, inside) == {**WAITING, "failing": (1, True), "edits": (2, True)}
    text = inside(door, "read").out
    assert "35 lines of this deck are unread, of at most 2,000" in text
    assert harm_in(text) == ""


@pytest.mark.req("S0-25")
def test_marking_lowers_it_by_file_by_folder_and_all(door, inside):
    listed = inside(door, "read", "big", "--list")
    assert (listed.code, listed.out.count("unread")) == (0, 5)
    assert queue(door, inside) == WAITING
    said = inside(door, "read", "big", "docs", "c.md", "--json").json
    assert said["marked"] == ["docs/a.md", "docs/b.md", "c.md"]
    assert {one["path"]: one["read"] for one in said["files"]} == {"c.md": True, "d.bin": False, "docs/a.md": True, "docs/b.md": True}
    assert queue(door, inside)["big"] == (0, False)
    said = inside(door, "read", "big")
    assert "marked 1 file with 0 lines as read" in said.out
    assert "0 files with 0 lines of it unread" in said.out
    assert "big" not in queue(door, inside)
    wrong = inside(door, "read", "edits", "nowhere.txt")
    assert (wrong.code, "nothing at 'nowhere.txt'" in wrong.err) == (2, True)
    idle = inside(door, "read", "idler")
    assert (idle.code, "nothing to read" in idle.err) == (2, True)
    assert inside(door, "read", "hostile").code == 0
    assert "hostile" not in queue(door, inside)
    assert mess_in(inside(door, "read", "hostile", "--json").out) == ""


def test_what_changes_after_it_was_read_is_unread_again(door, inside):
    branch = door.entry("big")["branch"]
    tip = git(door.repo, "rev-parse", branch).strip()
    inside(door, "read", "big")
    git(door.repo, "checkout", "-q", "--ignore-other-worktrees", "--detach", branch)
    try:
        git(door.repo, "update-ref", f"refs/heads/{branch}", commit_files(door.repo, {"c.md": "other\n" * 3}))
        assert queue(door, inside)["big"] == (3, False)
        git(door.repo, "update-ref", f"refs/heads/{branch}", tip)
        assert "big" not in queue(door, inside)
    finally:
        git(door.repo, "update-ref", f"refs/heads/{branch}", tip)
        git(door.repo, "checkout", "-q", "-f", "main")


@pytest.mark.req("S0-24")
@pytest.mark.req("S0-25")
def test_too_much_unread_holds_merging_until_it_is_read(door, inside):
    (door.repo / ".loopdeck" / "deck.toml").write_text("[deck]\nmax_unread_lines = 3\n", encoding="utf-8")
    git(door.repo, "add", "-A")
    git(door.repo, "commit", "-q", "-m", "stricter")
    before = git(door.repo, "rev-parse", "HEAD")
    held = inside(door, "merge", "fixer")
    assert held.code == 2
    assert "34 lines" in held.err
    assert "the 3 of max_unread_lines" in held.err
    assert "loopdeck read" in held.err
    assert git(door.repo, "rev-parse", "HEAD") == before
    assert "merging waits" in inside(door, "read").out
    for name in ("big", "hostile"):
        inside(door, "read", name)
    assert inside(door, "merge", "fixer").code == 0


def test_what_was_discarded_does_not_count_unless_it_was_merged(front, inside):
    door = front({**fixer(), **fixer("other", "other fixed\n")})
    door.ok("start", "--all", "--wait")
    git(door.repo, "merge", "-q", "--no-ff", "-m", "by hand", door.entry("other")["branch"])
    for name in ("fixer", "other"):
        assert inside(door, "discard", name).code == 0
    assert queue(door, inside) == {"other": (1, True)}
    ref = git(door.repo, "for-each-ref", "--format=%(refname)", "refs/loopdeck/discarded").split()
    for one in ref:
        git(door.repo, "update-ref", "-d", one)
    assert queue(door, inside) == {"other": (1, True)}


def test_looking_again_costs_no_git(door, monkeypatch):
    deck = deck_of(door)
    unread = Unread(deck)
    first = unread.look()
    assert first.lines == 34
    assert first.of(door.entry("big")["run"]) == 30

    def forbidden(*_):
        raise AssertionError("git was asked")

    with monkeypatch.context() as patched:
        patched.setattr("loopdeck.git.wrapper.Git.run", forbidden)
        assert unread.look() is first
    with monkeypatch.context() as patched:
        # Another process asks git where branches are, and for no run's files.
        patched.setattr("loopdeck.git.diff.changed", forbidden)
        patched.setattr("loopdeck.deck.unread.load_run", forbidden)
        assert Unread(deck).look().owed == first.owed
    monkeypatch.setattr("loopdeck.deck.unread.STALE_S", 0.0)
    assert unread.look() is first
    assert STALE_S > 0
