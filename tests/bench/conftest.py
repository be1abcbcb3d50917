"""After all benches: every goal once more, one below the other."""

import pytest

from tests.bench import report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was measured; nothing if no bench was run."""
    if report.summary:
        terminalreporter.section("goals of speed")
        for line in sorted(report.summary):
            terminalreporter.write_line(line)
