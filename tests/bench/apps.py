"""What the room is measured beside: a Textual app that does next to nothing, and one that does what the room does in the plain way."""

MINIMAL = """
from textual.app import App
from textual.widgets import Static

class Minimal(App):
    BINDINGS = [("j", "turn", "turn"), ("q", "quit", "quit")]
    count = 0

    def compose(self):
        yield Static("minimal 0", id="said")

    def action_turn(self):
        self.count += 1
        self.query_one("#said").update(f"minimal {self.count}")

Minimal().run()
"""

NAIVE = '''
import json, sys, threading, time
from pathlib import Path
from textual.app import App
from textual.widgets import DataTable

class Naive(App):
    """A table of all runs; each event of a journal changes its row, one message an event."""

    def compose(self):
        yield DataTable(id="runs")

    def on_mount(self):
        self.table = self.query_one("#runs")
        for name in ("state", "loop", "events", "kind", "clock", "iter", "at", "score", "budget", "spent", "age", "why"):
            self.table.add_column(name, key=name, width=12)
        self.files = sorted(Path(sys.argv[1]).glob("*/runs/*/*/journal.jsonl"))
        for file in self.files:
            self.table.add_row("running", file.parent.parent.name, *[""] * 10, key=str(file))
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        opened = [(str(file), file.open("rb")) for file in self.files]
        counts = {}
        for _, file in opened:
            file.seek(0, 2)
        while True:
            for key, file in opened:
                for line in file.readlines():
                    if line.endswith(b"\\n"):
                        said = json.loads(line)
                        counts[key] = counts.get(key, 0) + 1
                        self.call_from_thread(self.changed, key, counts[key], said["event"]["kind"], said["clock"])
                        Path(sys.argv[2]).write_text(str(sum(counts.values())))
            time.sleep(0.005)

    def changed(self, key, count, kind, clock):
        self.table.update_cell(key, "events", str(count))
        self.table.update_cell(key, "kind", kind)
        self.table.update_cell(key, "clock", f"{clock:.2f}")
        for name in ("iter", "at", "score", "budget", "spent", "age", "why"):
            self.table.update_cell(key, name, f"{name} {count}")

Naive().run()
'''

CHANGING = '''
"""The room, or a DataTable, with so many rows that all change ten times a second: how the time of the processor goes."""
import sys, threading, time
from pathlib import Path
from msgspec import structs
from loopdeck.deck.decks import Deck
from loopdeck.deck.snapshot import DeckFacts, LoopRow, Snapshot

way, count = sys.argv[1], int(sys.argv[2])
rows = [
    LoopRow(key=f"0/loop-{n:04}", deck=0, loop=f"loop-{n:04}", run="r", status="running", phase="maker", last_at=time.time())
    for n in range(count)
]

class Changing:
    def __init__(self, post):
        self.post, self.free, self.on = post, threading.Event(), True
        self.free.set()
    def start(self):
        threading.Thread(target=self.run, daemon=True).start()
    def run(self):
        number = 0
        while self.on:
            self.free.wait()
            self.free.clear()
            number += 1
            now = time.time()
            changed = tuple(structs.replace(row, last_at=now, cost=10**9 * number, iteration=number) for row in rows)
            self.post(Snapshot(number, now, (DeckFacts("deck", "/", "/"),), changed))
            time.sleep(0.1)
    def stop(self):
        self.on = False
        self.free.set()
    def taken(self):
        self.free.set()
    def poke(self): pass
    def watch(self, key): pass

if way == "room":
    from loopdeck.tui.app import Room
    deck = Deck.open(Path.cwd(), {"HOME": "/nowhere", "LOOPDECK_HOME": "/nowhere/home"})
    Room((deck,), Changing, by="bench").run()
else:
    from textual.app import App
    from textual.widgets import DataTable
    from loopdeck.deck.board import COLUMNS, table_row

    class Table(App):
        def compose(self):
            yield DataTable(id="rows")
        def on_mount(self):
            self.table = self.query_one("#rows")
            for column in COLUMNS:
                self.table.add_column(column.name or " ", key=column.name or " ", width=column.width or 20)
            for row in rows:
                self.table.add_row(*[""] * len(COLUMNS), key=row.key)
            self.changing = Changing(lambda snapshot: self.call_from_thread(self.shown, snapshot))
            self.changing.start()
        def shown(self, snapshot):
            for row in snapshot.rows:
                painted = table_row(row, snapshot.taken).painted
                for column, cells in zip(COLUMNS, painted):
                    text = cells.text if hasattr(cells, "text") else "".join(one.text for one in cells)
                    self.table.update_cell(row.key, column.name or " ", text)
            self.changing.taken()
    Table().run()
'''
