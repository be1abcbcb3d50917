"""A model that answers the first question once a file says so, and thinks about the second for as long as a bench looks at them."""

import json
import os
from pathlib import Path

from tests.kit.model_talk import Answer, Call, Request

GATE = "PATIENT_GATE"
"""The variable that names the file."""


def once_then_long(request: Request) -> Answer:
    """Reads a file, then thinks; before the gate is open it only thinks."""
    if request.turns or not Path(os.environ[GATE]).exists():
        return Answer("Done.", delay_s=600)
    return Answer("Reading.", (Call("read_file", json.dumps({"path": "README.md"})),))
