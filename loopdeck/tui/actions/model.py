"""What an action is: one thing a person can do, with its key, its words and where it applies."""

from typing import Literal

from msgspec import Struct

Group = Literal["go", "hand", "look", "view", "answer", "edit", "room"]


class Action(Struct, frozen=True, kw_only=True):
    """One thing to do. `id` is unique and says which method does it: `hand.kill` is done by `action_kill`.

    `key` is Textual's name of it (a comma list for several); `label` is for the footer, empty if it needs no place there; `help` is a
    sentence. `danger` marks what asks before it acts.
    """

    id: str
    key: str
    label: str = ""
    help: str
    group: Group
    danger: bool = False

    @property
    def does(self) -> str:
        """The name of the action as screens define it."""
        return self.id.rpartition(".")[2]

    @property
    def runs(self) -> str:
        """The name by which Textual runs it: of the app for what is the room's, else of the screen in front."""
        return f"app.{self.does}" if self.id.startswith("room.") else self.does

    @property
    def title(self) -> str:
        """How the palette calls it."""
        return self.help.partition(":")[0]

    @property
    def more(self) -> str:
        """What the palette says below the title."""
        return self.help.partition(":")[2].strip()
