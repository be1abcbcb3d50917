"""A list of calls and the one under the cursor, whole, below: what can be read of what waits, and how much of it has been.

Invariant: what is called read has been painted since this call came to the front, line after line, at this width.
"""

from textual.app import ComposeResult
from textual.containers import Vertical

from loopdeck import deciding
from loopdeck.core.columns import Cell, Column, Rows, TableRow, cell
from loopdeck.core.plural import some
from loopdeck.deck.approving import Entry, Guard, Inbox, Outcome, Waiting, outcome_of
from loopdeck.deck.attention import moment
from loopdeck.deck.board import age
from loopdeck.deck.decks import Deck
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.errors import LoopdeckError
from loopdeck.store.layout import RunPaths
from loopdeck.tui.dossier import TIERS, Dossier, dossier
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.widgets.block import Block
from loopdeck.tui.widgets.lines import LineTable
from loopdeck.tui.widgets.pages import Line, Pages, wrapped

_COLUMNS = (
    Column("", 2), Column("risk", 9), Column("loop", 18), Column("tool", 10), Column("call", 0), Column("waits", 5, "right"),
)  # fmt: skip
_EMPTY = "Nothing waits for you. What a loop may not do by itself comes here."
_TICK_S = 0.5
_REFUSED_S = 1.5
"""For so long it is said why a key did nothing."""


class CallList(RoomScreen):
    """What waits, oldest first, and the call in front."""

    def __init__(self) -> None:
        super().__init__()
        self.inbox = Inbox()
        self.guard = Guard()
        self.front = ""
        self._lines: tuple[Line, ...] = ()
        self._refused = ("", "", 0.0)
        self._rows: dict[str, TableRow] = {}

    def body(self) -> ComposeResult:
        """The list, the call, and what the keys would do."""
        with Vertical():
            yield LineTable(_COLUMNS, empty=_EMPTY, id="calls")
            yield Pages(id="call")
            yield Block(id="keys")

    def title_words(self) -> str:
        """How many wait: those of runs that ask, as the whole room counts them, and those that nobody is there to hear answered."""
        open_ = [one.waiting.row for one in self.inbox.entries() if one.open]
        asks = sum(1 for row in open_ if row.status == "asking")
        gone = len(open_) - asks
        words = [f"{asks} wait{'s' if asks == 1 else ''} for you"] if asks or not gone else []
        words += [f"{gone} of a run whose runner is gone or silent"] if gone else []
        return f"approvals: {', '.join(words)}" if open_ else "approvals: nothing waits for you"

    def on_mount(self) -> None:
        """Ages grow, and answered ones fade."""
        super().on_mount()
        self.set_interval(_TICK_S, self._tick)

    def take(self, snapshot: Snapshot) -> None:
        """The list first: the title counts it."""
        for gone in self.inbox.take(snapshot, self.room.now()):
            self._ask_after(gone)
        super().take(snapshot)

    def shown(self, snapshot: Snapshot) -> None:
        """What waits, and what came of the others."""
        now = self.room.now()
        names = [f"{deck.name}/" if len(snapshot.decks) > 1 else "" for deck in snapshot.decks]
        # What would look the same is the same row, which is not painted again.
        painted = {row.key: row for row in (_row(one, now, names) for one in self.inbox.entries())}
        known = {key: row for key, row in self._rows.items() if key in painted and row.painted == painted[key].painted}
        self._rows = painted | known
        self.table.fill(Rows(tuple(self._rows.values())))
        self.pages.display = bool(self._rows)
        self._look()
        self.say()
        self.refresh_bindings()

    @property
    def table(self) -> LineTable:
        """The list."""
        return self.query_one("#calls", LineTable)

    @property
    def pages(self) -> Pages:
        """The call."""
        return self.query_one("#call", Pages)

    @property
    def entry(self) -> Entry | None:
        """What is in front."""
        return self.inbox.entry(self.front)

    def say(self, why_not: str | None = None) -> None:
        """Below the call: what kept a key from answering (an empty text: nothing did), or what came of it, or which key does what."""
        now = self.room.now()
        if why_not is not None:
            self._refused = (self.front, why_not, now)
        front, why, since = self._refused
        still = why if front == self.front and 0 <= now - since < _REFUSED_S else ""
        self.query_one("#keys", Block).say((_words(self.entry, self.guard, now, still),))

    def subject(self) -> LoopRow | None:
        """The run whose call it is."""
        return self.entry.waiting.row if self.entry else None

    def on_screen_resume(self) -> None:
        """It is before the operator again."""
        super().on_screen_resume()
        if not self.guard.hidden:
            self.guard.face(self.room.now())

    def _tick(self) -> None:
        if self.is_current:
            self.take(self.room.snapshot)

    def _look(self) -> None:
        """Show the call under the cursor; another one than before has to be read anew."""
        key = self.table.cursor if self.table.source.count() else ""
        if key != self.front:
            self.front, self._lines = key, ()
            self.guard.hide()
            self.pages.show(())
            self._load()

    def _load(self) -> None:
        if self.entry is None or not self.pages.size.width:
            return
        one, width = self.entry.waiting, self.pages.columns
        deck, paths = self.room.deck_of(one.row), self.room.paths_of(one.row)

        def work() -> tuple[Dossier, tuple[Line, ...]]:
            found = dossier(deck, paths, one)
            return found, wrapped(found.lines, width)

        def done(came: tuple[Dossier, tuple[Line, ...]]) -> None:
            if self.is_mounted and self.front == one.key and width == self.pages.columns:
                if came[0].answered is not None:
                    self.inbox.tell(one.key, outcome_of(came[0].answered))
                self._lines = came[1]
                self.pages.show(came[1])
                self.shown(self.room.snapshot)

        self.room.do(work, done)

    def _ask_after(self, gone: Waiting) -> None:
        """Somebody has answered it, or nobody ever will: say which."""
        deck, paths = self.room.deck_of(gone.row), self.room.paths_of(gone.row)

        def done(outcome: Outcome) -> None:
            self.inbox.tell(gone.key, outcome)
            if self.is_mounted:
                self.shown(self.room.snapshot)

        self.room.do(lambda: _came_of(deck, paths, gone.approval.id), done)

    def on_pages_rewrap(self, _: Pages.Rewrap) -> None:
        """Another width: it is laid out, and has to be read, anew."""
        self._lines = ()
        self.guard.hide()
        self._load()

    def on_pages_read(self, message: Pages.Read) -> None:
        """So much of it is on the screen."""
        if not self._lines or message.total != len(self._lines):
            return
        if self.guard.hidden:
            self.guard.face(self.room.now())
        self.guard.on_screen(message.first, message.end, message.total)
        self.say()

    def on_line_table_moved(self, _: LineTable.Moved) -> None:
        """Another call."""
        self._look()
        self.say()
        self.refresh_bindings()


def _came_of(deck: Deck, paths: RunPaths, approval: str) -> Outcome:
    """What became of a call that waits no more. Reads files."""
    answered = deciding.decision(paths, approval)
    if answered is not None:
        return outcome_of(answered)
    try:
        one = deck.view(paths)
    except LoopdeckError as error:
        return Outcome("not to be told", why=error.what)
    known = one.run.approvals.get(approval)
    if known is not None and known.decided:
        return Outcome("approved" if known.approved else "denied", known.by, known.why)
    return Outcome(f"its run ended: {one.reason}" if one.status == "ended" else "no longer asked")


def _row(one: Entry, now: float, names: list[str]) -> TableRow:
    row, call = one.waiting.row, one.waiting.approval
    glyph, style = TIERS[call.tier]
    loop = cell(names[row.deck] + row.loop, "strong" if one.open else "dim", 80)
    waits = cell(age(now - moment(call.since)), "dim") if one.open else cell("")
    if one.outcome is None:
        risk = cell("expired", "bad") if one.waiting.expired(now) else cell(call.tier, style)
        fades = one.gone_at is not None
        what = cell("answered: looking who did …", "dim") if fades else cell(call.summary, limit=300)
        return TableRow(one.waiting.key, (cell(glyph, style), risk, loop, cell(call.tool, "accent"), what, waits))
    mark, its = _mark(one.outcome)
    came = (cell(f"{mark} {_told(one.outcome)}  ", its, 300), cell(call.summary, "dim", 300))
    return TableRow(one.waiting.key, (cell(mark, its), cell(call.tier, "dim"), loop, cell(call.tool, "dim"), came, waits))


def _mark(outcome: Outcome) -> tuple[str, str]:
    if outcome.word.startswith("approved"):
        return "✓", "good"
    return ("✗", "bad") if outcome.word == "denied" else ("■", "dim")


def _told(outcome: Outcome) -> str:
    by = f" by {outcome.by}" if outcome.by else ""
    at = f" at {outcome.at[11:19]}" if outcome.at else ""
    return f"{outcome.word}{by}{at}{': ' + outcome.why if outcome.why else ''}"


def _words(one: Entry | None, guard: Guard, now: float, why_not: str) -> tuple[Cell, ...]:
    if one is None:
        return ()
    if one.outcome is not None:
        mark, style = _mark(one.outcome)
        gone = "" if one.waiting.row.live else "; its runner is gone: o, then r goes on with it"
        return (cell(f" {mark} {_told(one.outcome)}{gone}", style, 600),)
    if why_not:
        return (cell(f" not yet: {why_not}", "warn", 400),)
    if guard.hidden:
        return (cell(" …", "dim"),)
    if guard.unread:
        return (cell(f" ▼ {some(guard.unread, 'more line')}, which `y` waits for: space", "ask"),)
    if one.waiting.approval.tier != "dangerous":
        return (cell(" all of it has been on the screen", "dim"),)
    return (cell(" !! Y now approves it" if guard.armed(now) else " !! dangerous: y, and then Y", "bad"),)
