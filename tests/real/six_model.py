"""A model for six agents at the same task: who asks is told by the path of the address, and each is answered in its own tools.

Whoever is asked for leave asks three times: to mend the file, to try it, to take it away; the operator allows, edits and denies.
"""

import json
import re

from tests.kit.model_talk import Answer, Call, Request
from tests.real import acp_model, claude_model, codex_model
from tests.real.claude_model import call

UNSAID = "nobody says what add is for"
_SAYING = '"""The sum of two numbers."""'


def fixer(request: Request) -> Answer:
    """What the agent at this address gets."""
    match request.tag.rpartition("/")[2]:
        case "claude":
            return claude_model.fixer(request)
        case "codex":
            return codex_model.fixer(request)
        case "opencode":
            return _opencode(request)
        case "command":
            return Answer("Mend it." if request.turns == 0 else "Good.")
        case _:
            return _driven(request)


def _driven(request: Request) -> Answer:
    """The models that loopdeck drives itself."""
    steps = (
        ("I look.", "read_file", {"path": "calc.py"}),
        ("I mend it.", "edit_file", {"path": "calc.py", "old": "a - b", "new": "a + b"}),
        ("I try it.", "bash", {"command": "python3 try_calc.py"}),
        ("I tidy up.", "bash", {"command": "rm -rf calc.py"}),
    )
    if request.turns < len(steps):
        said, tool, given = steps[request.turns]
        return Answer(said, calls=(Call(tool, json.dumps(given)),))
    return _told(request)


def _opencode(request: Request) -> Answer:
    """As with others over ACP; an edited call comes as one to be made in its place."""
    instead = re.search(r'"command": ?"(python3 -B [^"]+)"', "\n".join(request.texts))
    if instead is not None and instead[1] not in acp_model.calls(request):
        return Answer("As allowed.", calls=(call("bash", command=instead[1], description="Step"),))
    answer = acp_model.fixer(request)
    return answer if answer.calls or not request.tools else _told(request)


def _told(request: Request) -> Answer:
    heard = "\n".join(request.texts)
    tried = "all fine" if "all fine" in heard else "untried"
    return Answer(f"Mended: it adds now; {tried}; {'not tidied' if 'it is needed' in heard else 'tidied'}.")


def reviewed(request: Request) -> Answer:
    """A maker of one vendor, and a judge of another that is not satisfied until the function says what it is for."""
    if request.tag.rpartition("/")[2] == "judge":
        passed = f"+    {_SAYING}" in request.said
        one = {"id": "says-what-for", "outcome": "passed" if passed else "failed", "path": "calc.py", "line": 1}
        graded = {"criteria": [one | {"reason": "" if passed else UNSAID}], "explanation": "Read it."}
        return Answer(json.dumps(graded | {"result": "satisfied" if passed else "needs_revision"}))
    path, again = f"{claude_model.folder(request)}/calc.py", UNSAID in request.said
    old, new = ("return a + b", f"{_SAYING}\n    return a + b") if again else ("a - b", "a + b")
    match request.turns:
        case 0:
            return Answer("I look.", calls=(call("Read", file_path=path),))
        case 1:
            return Answer("I mend it.", calls=(call("Edit", file_path=path, old_string=old, new_string=new),))
        case _:
            return Answer("Mended.")
