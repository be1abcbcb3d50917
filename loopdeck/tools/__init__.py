"""What a built-in maker can do: files, search, shell, memory. Every tool answers with text, and never leaves the worktree by itself."""
