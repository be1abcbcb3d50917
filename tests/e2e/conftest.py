"""A front door for each test, in a repository of its own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.e2e.seat import Seat, seated

Open = Callable[..., Seat]


@pytest.fixture
def front(tmp_path) -> Iterator[Open]:
    """A function that makes a repository of the given files and gives the operator's seat in front of it."""
    with ExitStack() as stack:

        def opened(*decks: Mapping[str, str | bytes]) -> Seat:
            files = {path: text for deck in decks for path, text in deck.items()}
            return stack.enter_context(seated(tmp_path, {"README.md": "# A project\n", **files}))

        yield opened
