import os

from loopdeck.sandbox import family
from loopdeck.tools.shell import MOST_SHOWN


def test_output_and_exit_code_are_told(call):
    outcome = call("bash", command="echo hi; ls src")
    assert outcome.output == "hi\ncalc.py\ndeep\n[exit code 0]"
    assert not outcome.is_error
    assert outcome.problem == ""


def test_a_command_that_fails_is_a_failing_tool(call):
    outcome = call("bash", command="echo oops >&2; exit 3")
    assert outcome.output == "oops\n[exit code 3]"
    assert outcome.is_error
    assert outcome.problem == "tool_failed"
    assert call("bash", command="true").output == "[exit code 0, no output]"
    assert "not found" in call("bash", command="no-such-command-here").output


def test_a_command_that_takes_too_long_is_ended_and_its_output_kept(call):
    outcome = call("bash", command="echo begun; sleep 60", timeout_s=0.3)
    assert outcome.output == "begun\n[ended after 0.3 s, it took too long]"
    assert outcome.problem == "tool_failed"


def test_a_signal_is_named(call):
    assert call("bash", command="kill -9 $$").output == "[ended by signal 9, no output]"


def test_nothing_is_left_running(call):
    outcome = call("bash", command="sleep 60 & echo $!")
    now = family.process(int(outcome.output.split()[0]))
    assert now is None or now.dead


def test_colours_do_not_reach_the_model(call):
    assert call("bash", command="printf '\\033[1;31mred\\033[0m'").output == "red\n[exit code 0]"


def test_much_output_is_cut_in_the_middle(call):
    outcome = call("bash", command="echo first; yes filler | head -c 5000000; echo last")
    assert outcome.output.startswith("first\n")
    assert outcome.output.endswith("last\n[exit code 0]")
    assert len(outcome.output) < MOST_SHOWN + 300
    assert "5000011 bytes in all" in outcome.output


def test_it_sees_the_environment_it_is_given_and_no_other(call, monkeypatch):
    monkeypatch.setitem(os.environ, "ANTHROPIC_API_KEY", "c4n4ry")
    seen = call("bash", command="env").output
    assert "c4n4ry" not in seen
    assert "LOOPDECK_RUN=tools-test" in seen


def test_every_call_starts_at_the_root_of_the_worktree(call, worktree):
    call("bash", command="cd src")
    assert call("bash", command="pwd").output.splitlines()[0] == str(worktree)
