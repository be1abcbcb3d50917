import os
from pathlib import Path

import pytest

from loopdeck.sandbox import probe as probing
from loopdeck.sandbox.probe import probe


def test_facts_are_sentences():
    facts = probe()
    assert len(facts) >= 2
    assert all(fact.strip() and "\n" not in fact for fact in facts)
    assert "bubblewrap" in facts[0]


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ('[ "$1" = --version ] && echo "bubblewrap 0.9.9" || echo held', "bubblewrap 0.9.9 at"),
        (
            '[ "$1" = --version ] && echo "bubblewrap 0.9.9" || { echo "no permission"; exit 1; }',
            "can't make a sandbox here: no permission",
        ),
    ],
)
def test_a_sandbox_is_tried_and_not_believed(tmp_path, monkeypatch, does, says):
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setattr(probing, "_SYSTEM", str(program))
    fact = probe()[0]
    assert says in fact
    assert ("can make" in fact) == (does.endswith("held"))


def test_a_machine_without_any(tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "_SYSTEM", str(tmp_path / "none"))
    monkeypatch.setitem(os.environ, "PATH", str(Path(tmp_path)))
    assert "can't be confined" in probe()[0]
