"""Painting without what the room has no use for.

For each line of each widget, with each frame, Textual works out borders, paddings, hatches, tints and opacities. A table whose strips
are made already, and a screen of which nothing but the ground could ever be seen, need none of that.

Invariant: what is on the screen is what Textual would have painted; a widget that does have a border or a padding is left to it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    _Base = Widget
else:
    _Base = object


class Ground(_Base):
    """Mixed into a screen or container that paints nothing but its ground."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """The same blank line over and over."""
        if self.styles.gutter:
            return super().render_lines(crop)
        blank = Strip.blank(crop.width, Style(bgcolor=self.rich_style.bgcolor))
        for one in self.get_line_filters():
            blank = blank.apply_filter(one, self.background_colors[1])
        return [blank] * crop.height


class Swift(_Base):
    """Mixed into a widget whose `render_line` keeps its strips: the same object means the same line.

    A strip that is the one of the last frame goes to the screen as it went then. What it asks Textual for is asked once a frame.
    """

    across = 0
    """Cells to paint in a line, without the scroll bar's; known while lines are painted."""
    _sent: dict[int, tuple[Strip, Strip]] | None = None
    _under = Color(0, 0, 0)
    _sent_as: tuple[int, Sequence[LineFilter]] = (0, ())

    def render_lines(self, crop: Region) -> list[Strip]:
        """All lines in `crop`, which is what of the widget can be seen."""
        self.across = self.scrollable_content_region.width
        if self.styles.gutter:
            return super().render_lines(crop)
        width, filters = self.size.width, self.get_line_filters()
        if self._sent is None or self._sent_as != (width, filters):
            self._sent, self._sent_as = {}, (width, list(filters))
            # To ask Textual for it walks up the whole tree.
            self._under = self.background_colors[1]
        lines: list[Strip] = []
        for y in crop.line_range:
            strip = self.render_line(y)
            known = self._sent.get(y)
            if known is None or known[0] is not strip:
                known = self._sent[y] = (strip, self._finished(strip, width, filters))
            lines.append(known[1])
        if crop.column_span != (0, width):
            return [one.crop(*crop.column_span) for one in lines]
        return lines

    def notify_style_update(self) -> None:
        """Another theme, or the keys went elsewhere."""
        super().notify_style_update()
        self._sent = None

    def _finished(self, strip: Strip, width: int, filters: Sequence[LineFilter]) -> Strip:
        background = self._under
        strip = strip.adjust_cell_length(width, Style(bgcolor=background.rich_color))
        for one in filters:
            strip = strip.apply_filter(one, background)
        return strip
