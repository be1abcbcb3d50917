"""Git: the only code that runs it.

Invariant: whatever a maker has put into a worktree, git run from here executes nothing of it, and writes to nothing of the operator's
but branches of loopdeck's own (and, on `loopdeck merge`, the branch they are on). Light to import: GitPython comes only with a merge.
"""
