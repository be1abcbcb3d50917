"""Two hundred secrets go through every field of a run: none of them is in any file that loopdeck writes, or on any screen."""

import asyncio
import os

import pytest

from loopdeck.core import trace as tr
from loopdeck.deck.decks import Deck
from loopdeck.deck.reader import Reader
from loopdeck.tui.app import Room
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat
from tests.kit.canaries import Canary, files, hundreds, places
from tests.kit.repos import git
from tests.kit.room import screen_text, until

pytestmark = pytest.mark.usefixtures("without_walls")

HELD = {"LEAKY_TOKEN": "c4nary-held-in-the-environment", "PLAIN": "c4nary-let/through+by=name", "DB": "c4nary in a copied file 77"}
SPLIT = "import sys,time\nfor c in open('canaries.txt'):\n for x in c:\n  sys.stdout.write(x);sys.stdout.flush()\n"
QUOTED = 'python3 -c \'import os, urllib.parse as u; print(u.quote(os.environ["PLAIN"], ""))\''
LEAKS = [
    "cat canaries.txt", "cat canaries.txt >&2; exit 3", "python3 split.py", "env | base64 -w0; printf %s \"$PLAIN\" | base64 -w0",
    "printf %s \"$PLAIN\"; cat .env", "printf 'x%s' \"$PLAIN\" | base64 -w0", QUOTED,
]  # fmt: skip


@pytest.fixture
def canaries():
    return hundreds()


def leaking(texts: list[str]) -> dict[str, str]:
    """A loop that lets them out in every way it can."""
    whole = "\n".join(texts)
    turns = [
        turn(f"I found this: {whole}", *[("bash", {"command": one}) for one in LEAKS]),
        turn(f"And now {texts[0]}", ("update_state", {"content": f"# State\n\n{whole}\n"}), write("found.txt", whole)),
        turn("Gated.", ("write_file", {"path": ".envrc", "content": whole}), ("bash", {"command": f"echo '{texts[3]}'"})),
        turn(f"Wrong: {texts[1]}", ("bash", {"comand": whole}), ("nosuch", {"x": whole}), ("read_file", {"path": texts[4]})),
        turn(f"Done, {whole}"),
        turn(f"Again {whole}", ("read_file", {"path": ".loop/FINDINGS.md"}), iteration=2),
        turn("d"),
    ]
    checks: list[dict[str, object]] = [
        {"name": "leaks", "run": "cat canaries.txt; python3 split.py >&2; exit 1"},
        {"name": "points", "run": "sed 's/^/a.py:1:1: E1 /' canaries.txt | head -40; exit 1"},
        {"name": "person", "human": True, "severity": "minor"},
    ]
    more = {"gates": {"allow": ["bash"], "ask": ["bash(echo)"]}, "sandbox": {"env": ["PLAIN"]}, "workspace": {"copy": [".env"]}}
    made = loop("leaking", turns, checks=checks, end={"max_iterations": 2, "no_progress": 9}, **more)
    return {"canaries.txt": f"{whole}\n", "split.py": SPLIT, ".gitignore": ".env\n", ".envrc": f"{texts[5]}\n{texts[8]}\n", **made}


def looked_at(door: Seat) -> list[str]:
    """What the room shows of a run that asks: the inbox to its end, the loop, its trace, the deck."""
    deck = Deck.open(door.repo, {**os.environ, **door.env})
    shown: list[str] = []

    async def go() -> None:
        app = Room((deck,), lambda post: Reader((deck,), post), by="tester@here")
        async with app.run_test(size=(200, 60)) as pilot:
            await until(pilot, lambda: any(row.approvals for row in app.snapshot.rows))
            for keys in (["a"], *[["space"]] * 12, ["escape"], ["enter"], ["t"], ["home"], *[["pagedown"]] * 12, ["enter"], ["end"]):
                await pilot.press(*keys)
                await pilot.pause(0.05)
                shown.append(screen_text(app))

    asyncio.run(go())
    return shown


@pytest.mark.req("S1-10")
def test_no_canary_is_in_any_file_or_on_any_screen(front, canaries):
    assert len(canaries) >= 200
    texts = [one.text for one in canaries]
    door: Seat = front(leaking(texts))
    (door.repo / ".env").write_text(f"DB_PASSWORD='{HELD['DB']}'\n")
    door.env.update({name: value for name, value in HELD.items() if name != "DB"})
    every = [*canaries, *(Canary(value, value) for value in HELD.values())]
    said, screens = list[str](), list[str]()

    def ask(*words: str) -> None:
        out = door.run(*words)
        said.append(out.out + out.err)

    door.ok("start", "leaking")
    for _ in range(2):
        door.until("leaking", "asking")
        for words in (("approvals",), ("approvals", "--json"), ("status",), ("show", "leaking"), ("show", "leaking", "--json")):
            ask(*words)
        [waits] = door.glance("leaking")["approvals"]
        if waits["tool"] == "write_file":
            screens = looked_at(door)
        door.ok("deny", waits["id"], "--why", f"never {texts[2]} nor {HELD['LEAKY_TOKEN']}")
        answered = str(waits["id"])
        door.wait("leaking", lambda one, known=answered: one.run.approvals[known].decided)  # type: ignore[misc]
    door.run("nudge", "leaking", f"use {texts[6]}")
    while door.until("leaking", "asking", "ended")["status"] == "asking":
        door.run("verdict", "leaking", "person", "fail", "--why", f"because {texts[7]}")
        door.wait("leaking", lambda one: one.run.asking != "verdict")
    paths = door.paths("leaking")
    for verb in ("show", "trace", "state", "status"):
        ask(verb, *(() if verb == "status" else ("leaking",)))
    for verb in ("show", "trace", "status"):
        ask(verb, *(() if verb == "status" else ("leaking",)), "--json")
    said.append(git(door.repo, "log", "--all", "--format=%an %ae %B"))
    # What an operator writes by his own hand, the loop file and his commands, stays as he wrote it.
    written = files(paths.dir, but=("spec.toml", "inbox/", "start/", "files/"))
    written |= {f"state/{name}": data for name, data in files(door.deck.home.state_dir("leaking")).items()}
    assert any(name.startswith("blobs/") for name in written)
    assert {"journal.jsonl", "trace.jsonl", "REPORT.md", "state/STATE.md"} <= set(written)
    found = [one for name, data in written.items() for one in places(every, data, name)]
    found += [one for number, text in enumerate(said) for one in places(every, text.encode(), f"verb {number}")]
    found += [one for number, text in enumerate(screens) for one in places(every, text.encode(), f"screen {number}")]
    assert found == [], "\n".join(found)
    assert sum("[redacted:" in text for text in screens) > 5
    redacted = sum(
        text.count("[redacted:") for text in (one.output for one in door.trace("leaking") if isinstance(one, tr.ToolReturned))
    )
    assert redacted > 200
    assert door.folded("leaking").reason == "max_iterations"
