"""One tree of errors: the operator's mistake, the agent's failure, our own bug.

Each kind knows what a person needs: what is wrong, where, and how to mend it. `cli` shows them in one place; nothing else
catches them to print.
"""


class LoopdeckError(Exception):
    """Anything that loopdeck says in its own words instead of a traceback.

    `what` says what is wrong, `where` names the file and line or the run (or is empty), `remedy` says how to mend it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  {self.remedy}" if self.remedy else head


class UsageError(LoopdeckError):
    """The operator's mistake: a wrong verb, name or loop file. Nothing has been changed."""

    exit_code = 2


class WorkspaceError(LoopdeckError):
    """Git or the file system refused: a path or branch in the way, an empty repository, a lost worktree."""

    exit_code = 14


class StoreError(LoopdeckError):
    """A file of loopdeck's own is damaged, unwritable or held by somebody else."""

    exit_code = 14


class Mendable(LoopdeckError):
    """What stands in a run's way until a person has mended it. The run stands still meanwhile, and then goes on where it stood."""

    exit_code = 14


class Exhausted(StoreError, WorkspaceError, Mendable):
    """The machine has run out of something: room on the disk, open files."""


class WorktreeLost(WorkspaceError, Mendable):
    """A worktree is not where or what it was: deleted, moved, replaced, tampered with, or held by another git."""


class DayBudgetSpent(Mendable):
    """The deck may spend no more today."""


class ConnectorLost(Mendable):
    """An MCP server that a loop names can't be had, so that its maker would lack tools it was promised."""


class Bug(LoopdeckError):
    """Our own mistake, such as an event that the lifecycle does not allow. Never the operator's to mend."""

    exit_code = 70


def in_a_line(error: Exception) -> str:
    """What an error says, its remedy with it, as one line."""
    return " ".join(str(error).replace("\n  ", ". ").split())
