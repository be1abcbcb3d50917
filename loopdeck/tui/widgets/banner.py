"""A line that is there only while it has something to say."""

from textual.widgets import Static

from loopdeck.tui.text import content


class Banner(Static):
    """Say "" and it is gone. Saying the same again costs nothing; another text makes the screen be laid out anew."""

    DEFAULT_CSS = """
    Banner { height: auto; max-height: 2; padding: 0 1; display: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", markup=False, id=id)
        self._words = ""

    def say(self, words: str) -> None:
        """Outside text is fine: it goes through the sanitiser."""
        if words == self._words:
            return
        self._words = words
        self.display = bool(words)
        self.update(content(words))
