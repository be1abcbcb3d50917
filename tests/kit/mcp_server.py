"""An honest MCP server, made with the reference library: `python -m tests.kit.mcp_server [http PORT]`, else over stdio."""

import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("kit", version="1.0")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def look_up(word: str) -> str:
    """Look a word up in the handbook."""
    return f"handbook.md:12: {word} means what it says"


@server.tool()
def note(text: str) -> str:
    """Write a note into the folder it runs in."""
    Path("note.txt").write_text(text)
    return f"written in {Path.cwd()}"


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("on purpose")


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")
