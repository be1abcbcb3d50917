"""Which runs are in the operator's branch: merged by the verb or by hand, they leave their trailers in its history."""

import re
from datetime import datetime

from loopdeck.git.repository import Repository

_RUN = re.compile(rb"^Loopdeck-Run: ([0-9A-Za-z-]{1,64})\s*$", re.MULTILINE)


def landed(repo: Repository, since: datetime) -> frozenset[str]:
    """The ids of runs that commits of the checked-out history name, made since then. Raises WorkspaceError if git refuses.

    What was squashed, or picked without its trailers, is not seen.
    """
    git = repo.operators()
    if git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False).code:
        return frozenset()
    said = git.run("log", "--no-show-signature", f"--since={since.isoformat()}", "--format=%B", "--grep=^Loopdeck-Run: ", "HEAD")
    return frozenset(found.decode() for found in _RUN.findall(said.stdout))
