"""The scripted agent plays its script: place, conditions, failures, usage and cuts."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from loopdeck.agents.scripted import NO_TURN, ScriptedAgent
from loopdeck.core.conversation import Message, ModelFailed, ModelReply, ModelRequest, Part, Text, ToolResult, ToolUse
from loopdeck.core.script import Script, read_script
from loopdeck.core.usage import Usage


def agent(text: str) -> ScriptedAgent:
    script = read_script(text, "play.toml")
    assert isinstance(script, Script), script
    return ScriptedAgent(script)


def asking(prompt: str = "Go.", *, session: str = "", iteration: int = 1, max_output: int = 8192) -> ModelRequest:
    return ModelRequest(
        "claude-sonnet-4-5",
        (Part("role", "You are the maker."),),
        (Message("user", (Text(prompt),)),),
        session=session,
        iteration=iteration,
        max_output=max_output,
    )


def answer(player: ScriptedAgent, request: ModelRequest) -> ModelReply:
    return asyncio.run(player.call(request, lambda _: None))


def play(player: ScriptedAgent, prompts: list[str]) -> list[list[str]]:
    """The texts played in each iteration, one prompt an iteration, each iteration up to its last turn."""
    session, played = "", []
    for iteration, prompt in enumerate(prompts, 1):
        texts: list[str] = []
        while True:
            reply = answer(player, asking(prompt, session=session, iteration=iteration))
            session = reply.session
            texts.append(reply.text)
            if not reply.calls:
                break
        played.append(texts)
    return played


def test_turns_are_played_in_order_and_one_without_calls_ends_the_iteration():
    player = agent(
        '[[turn]]\ntext = "a"\ncalls = [{tool = "bash", input = {command = "ls"}}, {tool = "glob", input = {pattern = "*"}}]\n'
        '[[turn]]\ntext = "b"\n[[turn]]\ntext = "c"\n'
    )
    first = answer(player, asking())
    assert first.stop == "tools"
    assert first.calls == (ToolUse("s0-1", "bash", '{"command": "ls"}'), ToolUse("s0-2", "glob", '{"pattern": "*"}'))
    second = answer(player, asking(session=first.session))
    assert (second.stop, second.text, second.calls) == ("end", "b", ())
    assert answer(player, asking(session=second.session, iteration=2)).text == "c"


def test_the_same_request_gives_the_same_answer():
    player = agent('[[turn]]\ntext = "a"\ncalls = [{tool = "bash"}]\n[[turn]]\ntext = "b"\n')
    later = asking(session=answer(player, asking()).session)
    assert answer(player, later) == answer(player, later)
    assert answer(player, later).text == "b"


def test_a_condition_is_looked_for_in_everything_the_maker_was_told():
    player = agent('[[turn]]\ntext = "not now"\nwhen = "expected 5, got 4"\n[[turn]]\ntext = "now"\nwhen = "no way"\n')
    assert answer(player, asking("Evidence: expected 5, got 4.")).text == "not now"
    told = structs.replace(
        asking(), messages=(*asking().messages, Message("user", (ToolResult("s0-1", "denied: no way", is_error=True),)))
    )
    assert answer(player, told).text == "now"


def test_what_the_maker_said_itself_and_the_system_text_are_not_the_prompt():
    player = agent('[[turn]]\ntext = "wrong"\nwhen = "maker"\n[[turn]]\ntext = "right"\n')
    request = structs.replace(asking(), messages=(*asking().messages, Message("assistant", (Text("I am the maker."),))))
    assert answer(player, request).text == "right"


def test_a_turn_whose_condition_does_not_hold_is_skipped_for_good():
    player = agent('[[turn]]\ntext = "x"\nwhen = "X"\n[[turn]]\ntext = "y"\nwhen = "Y"\n[[turn]]\ntext = "z"\n')
    assert play(player, ["Y", "X"]) == [["y"], ["z"]]


def test_the_first_turn_of_an_iteration_is_jumped_to():
    player = agent(
        '[[turn]]\ntext = "a"\n[[turn]]\ntext = "left over"\n'
        '[[turn]]\niteration = 3\ntext = "c"\ncalls = [{tool = "bash"}]\n[[turn]]\ntext = "d"\n'
    )
    assert play(player, ["", "", ""]) == [["a"], ["left over"], ["c", "d"]]
    eager = agent('[[turn]]\ntext = "a"\n[[turn]]\ntext = "left over"\n[[turn]]\niteration = 2\ntext = "c"\n')
    assert play(eager, ["", ""]) == [["a"], ["c"]]


def test_an_iteration_may_have_several_first_turns_of_which_the_prompt_chooses():
    player = agent(
        '[[turn]]\ntext = "a"\n'
        '[[turn]]\niteration = 2\nwhen = "X"\ntext = "x"\n'
        '[[turn]]\niteration = 2\nwhen = "Y"\ntext = "y"\ncalls = [{tool = "bash"}]\n'
        '[[turn]]\ntext = "after y"\n'
        '[[turn]]\niteration = 2\ntext = "more"\n'
    )
    assert play(player, ["", "Y"]) == [["a"], ["y", "after y"]]


def test_a_turn_of_a_later_iteration_is_not_played_early():
    player = agent('[[turn]]\ntext = "a"\ncalls = [{tool = "bash"}]\n[[turn]]\niteration = 2\ntext = "b"\n')
    assert play(player, ["", "", ""]) == [["a", NO_TURN], ["b"], [NO_TURN]]


def test_an_iteration_without_a_turn_costs_nothing():
    player = agent("[[turn]]\niteration = 2\nusage = {input = 9}\n")
    reply = answer(player, asking())
    assert (reply.text, reply.stop, reply.usage) == (NO_TURN, "end", Usage())


def test_a_turn_that_says_nothing_is_still_an_answer():
    assert answer(agent('[[turn]]\ntext = ""\n'), asking()).blocks == (Text(""),)


def test_a_session_that_is_not_ours_means_the_beginning():
    assert answer(agent('[[turn]]\ntext = "a"\n'), asking(session="thread_123")).text == "a"


@pytest.mark.parametrize("kind", ["rate_limit", "overloaded", "malformed", "timeout"])
def test_a_scripted_failure_is_raised_once_and_not_played_again(kind):
    player = agent(f'[[turn]]\nerror = "{kind}"\n[[turn]]\ntext = "recovered"\n')
    with pytest.raises(ModelFailed) as failed:
        answer(player, asking())
    assert failed.value.kind == kind
    assert (failed.value.retry_after is not None) == (kind in ("rate_limit", "overloaded"))
    assert not failed.value.maybe_charged
    assert answer(player, asking(session=failed.value.session)).text == "recovered"


def test_a_failure_with_usage_may_have_been_charged():
    with pytest.raises(ModelFailed) as failed:
        answer(agent('[[turn]]\ntext = "cut"\nerror = "timeout"\nusage = {input = 5, output = 1}\n'), asking())
    assert failed.value.maybe_charged
    assert failed.value.message == "cut"


def test_usage_is_reported_as_it_stands_and_priced():
    player = agent(
        'model = "claude-haiku-4-5"\n[[turn]]\ntext = "a"\nusage = {input = 12, output = 3, cache_read = 700, cache_write = 40}\n'
    )
    reply = answer(player, asking())
    assert (reply.usage, reply.certainty, reply.model) == (Usage(12, 3, 700, 40), "priced", "claude-haiku-4-5")
    assert player.priced_as == "claude-haiku-4-5"
    assert answer(agent("[[turn]]\n"), asking()).model == "claude-sonnet-4-5"


def test_output_beyond_the_cap_is_cut_and_its_calls_with_it():
    player = agent('[[turn]]\ntext = "0123456789"\nusage = {input = 1, output = 100}\ncalls = [{tool = "bash"}]\n')
    reply = answer(player, asking(max_output=40))
    assert (reply.stop, reply.text, reply.calls, reply.usage) == ("max_output", "0123", (), Usage(1, 40))
    assert answer(player, asking(max_output=100)).stop == "tools"


@given(
    prompt=st.text(max_size=200),
    usage=st.builds(Usage, *(st.integers(0, 10**6),) * 4),
    max_output=st.integers(1, 10**5),
)
def test_no_answer_takes_more_than_was_bound(prompt, usage, max_output):
    said = ", ".join(f"{kind} = {getattr(usage, kind)}" for kind in ("input", "output", "cache_read", "cache_write"))
    player = agent(f"[[turn]]\nusage = {{{said}}}\n")
    request = asking(prompt, max_output=max_output)
    taken = answer(player, request).usage
    counted = asyncio.run(player.count_input(request))
    assert counted == taken.tokens - taken.output <= player.input_bound(request)
    assert player.input_bound(request) >= len(prompt.encode("utf-8", "surrogatepass"))
    assert taken.output <= max_output


def test_text_arrives_in_pieces_over_the_time_the_script_says():
    pieces: list[str] = []
    began = time.monotonic()
    player = agent('[[turn]]\ntext = "Reading the\\nfailing test.  "\ndelay_s = 0.08\n')
    reply = asyncio.run(player.call(asking(), pieces.append))
    assert time.monotonic() - began >= 0.07
    assert len(pieces) == 4
    assert "".join(pieces) == reply.text


@pytest.mark.parametrize("error", ["", 'error = "timeout"'])
def test_a_slow_turn_can_be_cancelled(error):
    async def cancelled() -> None:
        async with asyncio.timeout(0.05):
            await agent(f'[[turn]]\ntext = "long"\ndelay_s = 60\n{error}\n').call(asking(), lambda _: None)

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    assert time.monotonic() - began < 5


def test_a_rubric_may_be_answered_by_a_script():
    player = agent('[[turn]]\ntext = \'{"result": "satisfied"}\'\n[[turn]]\niteration = 2\ntext = \'{"result": "failed"}\'\n')
    schema = structs.replace(asking(), answer_schema='{"type": "object"}')
    assert answer(player, schema).text == '{"result": "satisfied"}'
    assert answer(player, structs.replace(schema, iteration=2)).text == '{"result": "failed"}'
