"""What an agent is offered in a run's worktree, from inside its sandbox: everything goes by way of `.loop/`, which it may write anyway.

State and findings are the files themselves; a person and the books are reached through the runner, which looks for asks. Nothing an
agent can forge there opens anything: it is the agent's own question and the agent's own state.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from loopdeck.core import asking, memory
from loopdeck.core.asking import Answer, Ask
from loopdeck.offered.server import Failed, Tool
from loopdeck.tools import within
from loopdeck.tools.port import ToolFailed

PATIENCE_S = 45.0
"""Seconds a call waits for a person: less than clients wait for a tool. Asked again, the same question is looked up, not put again."""
_BOOKS_S = 10.0
_LOOK_S = 0.1
_STATE, _FINDINGS = f"{within.SCRATCH}/STATE.md", f"{within.SCRATCH}/FINDINGS.md"
INSTRUCTIONS = (
    "You work in one iteration of a loopdeck loop. Its state is the memory that later iterations start from. What you can't decide, "
    "ask the operator; they may take a while."
)


def find(folder: Path) -> Path | None:
    """The run's worktree around `folder`; None if it is not in one."""
    for place in (folder, *folder.parents):
        if (place / within.SCRATCH / "STATE.md").is_file() and (place / ".git").is_file():
            return place
    return None


class InWorktree:
    """The tools in one worktree."""

    def __init__(self, worktree: Path, patience_s: float = PATIENCE_S) -> None:
        self._worktree = worktree
        self._patience_s = patience_s

    def tools(self) -> tuple[Tool, ...]:
        """All of them."""
        what = {"content": "The whole new state, in Markdown."}
        question = {"question": "What you need to know, with what they need to know to answer it."}
        return (
            Tool("state_read", "Read the loop's state: what is done, what is open, what was learned.", self._state),
            Tool("state_write", "Replace the loop's state. Keep it short, 32 KiB at most.", self._write, what),
            Tool("findings", "Read the open findings of the checks that grade this work.", self._findings),
            Tool("ask_operator", "Ask the person who runs this loop, and wait for their answer.", self._ask, question),
            Tool("budget_left", "What is left of this run's budget: tokens, dollars, time, iterations.", self._budget),
        )

    def _state(self, given: Mapping[str, str]) -> str:
        return self._read(_STATE)

    def _findings(self, given: Mapping[str, str]) -> str:
        return self._read(_FINDINGS)

    def _write(self, given: Mapping[str, str]) -> str:
        content = given["content"]
        if (size := memory.size(content)) > memory.MOST:
            raise Failed(f"The state would be {size} bytes, more than the {memory.MOST} it may have. Keep what later iterations need.")
        self._put(_STATE, content.encode("utf-8", "replace"))
        return f"The state is updated: {size} bytes. It is merged with what others write when the iteration ends."

    def _ask(self, given: Mapping[str, str]) -> str:
        question = given["question"].strip()
        if not question or len(question) > asking.MOST_QUESTION:
            raise Failed(f"A question has 1 to {asking.MOST_QUESTION} characters.")
        answer = self._answer(Ask("question", question), "", self._patience_s)
        return answer or "No answer yet; the question is before the operator. Ask it again, word for word, to look for the answer."

    def _budget(self, given: Mapping[str, str]) -> str:
        answer = self._answer(Ask("budget"), os.urandom(8).hex(), _BOOKS_S)
        if not answer:
            raise Failed("The run's runner does not answer.")
        return answer

    def _answer(self, ask: Ask, nonce: str, patience_s: float) -> str:
        """The answer to `ask`; empty if there is none in time."""
        name = asking.ask_name(ask, nonce)
        answer = f"{within.SCRATCH}/{asking.answer_name(name)}"
        if not self._is_there(answer):
            self._put(f"{within.SCRATCH}/{name}", msgspec.json.encode(ask))
        deadline = time.monotonic() + patience_s
        while not self._is_there(answer):
            if time.monotonic() >= deadline:
                return ""
            time.sleep(_LOOK_S)
        return msgspec.json.decode(self._read(answer), type=Answer).text

    def _is_there(self, path: str) -> bool:
        return (self._worktree / path).is_file()

    def _read(self, path: str) -> str:
        try:
            with within.opened(self._worktree, path) as file:
                return file.read(1 << 20).decode("utf-8", "replace")
        except ToolFailed as error:
            raise Failed(str(error)) from error

    def _put(self, path: str, content: bytes) -> None:
        try:
            within.replace(self._worktree, path, content)
        except ToolFailed as error:
            raise Failed(str(error)) from error
