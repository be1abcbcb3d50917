"""The keys of the screen of sessions that were not started here."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="attached.brake", key="p", label="brake", help="Brake: let none of this session's calls through", group="hand"),
    Action(id="attached.release", key="r", label="release", help="Release: let this session's calls through again", group="hand"),
)
