"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from loopdeck.deck.serving import SWITCH

# A test that wants a supervisor says so; no other leaves one behind.
os.environ[SWITCH] = "off"

# How long an example takes says how busy the machine is. What fails once must fail for everybody: new ground is for `explore`
# (pytest --hypothesis-profile=explore).
settings.register_profile("explore", deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("same", settings.get_profile("explore"), derandomize=True, database=None)
settings.load_profile("same")


@pytest.fixture(scope="session")
def path_without_bwrap(tmp_path_factory) -> str:
    """A PATH with everything on it that is on this machine's, but no bubblewrap."""
    parts = []
    for number, part in enumerate(os.environ["PATH"].split(os.pathsep)):
        place = Path(part)
        if (place / "bwrap").exists():
            beside = tmp_path_factory.mktemp(f"path-{number}")
            for entry in place.iterdir():
                if entry.name != "bwrap":
                    (beside / entry.name).symlink_to(entry)
            place = beside
        parts.append(str(place))
    return os.pathsep.join(parts)


@pytest.fixture
def without_walls(monkeypatch, path_without_bwrap) -> None:
    """As on a machine that can make no sandbox: every command asks, and what is allowed can do what its operator can."""
    monkeypatch.setenv("PATH", path_without_bwrap)
    monkeypatch.setenv("LOOPDECK_SANDBOX", "bubblewrap")
