"""What an agent in a run's worktree asks of the run's runner, by files in `.loop/`: the words both sides share.

The agent's side writes `ask-<id>.json`, the runner's `answer-<id>.json`; no file has two writers. An answer is text and nothing else:
whatever is written there, no call is allowed by it.
"""

import hashlib
from typing import Literal

import msgspec
from msgspec import Struct

TOOL = "ask_operator"
"""Under this name a question is put to a person, as a call that always asks."""
SERVED = frozenset(f"loopdeck.{name}" for name in ("state_read", "state_write", "findings", "ask_operator", "budget_left"))
"""The tools of our own server in a worktree: they reach the loop's state, its books and its operator, and nothing else."""
MOST_QUESTION = 4000
MOST_OPEN = 40
"""Asks that are looked at in one turn of an agent."""
NOTHING_TO_ADD = "The operator has seen the question and adds nothing: decide for yourself."


class Ask(Struct, frozen=True):
    """A question for a person, or for the run's books (`text` is empty then)."""

    kind: Literal["question", "budget"]
    text: str = ""


class Answer(Struct, frozen=True):
    """The answer, for the agent to read."""

    text: str


def ask_name(ask: Ask, nonce: str = "") -> str:
    """The file of an ask. A question asked twice is one question; `nonce` makes it another."""
    return f"ask-{hashlib.sha256(f'{ask.kind}/{ask.text}/{nonce}'.encode('utf-8', 'replace')).hexdigest()[:16]}.json"


def answer_name(ask: str) -> str:
    """The file of the answer to what is asked in the file `ask`."""
    return f"answer-{ask.removeprefix('ask-')}"


def arguments_of(question: str) -> str:
    """A question as a call's arguments: the answer is for a person to fill in."""
    return msgspec.json.encode({"question": question, "answer": ""}).decode()


def answered(arguments: str, text: str) -> str:
    """The arguments of a question with its answer. Raises ValueError if they are no question's."""
    given = msgspec.json.decode(arguments, type=dict[str, str])
    return msgspec.json.encode({**given, "answer": text}).decode()


def answer_in(arguments: str) -> str:
    """What a person filled in; what to go on with if they filled in nothing."""
    try:
        given = msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return NOTHING_TO_ADD
    said = given.get("answer") if isinstance(given, dict) else None
    return said.strip() if isinstance(said, str) and said.strip() else NOTHING_TO_ADD
