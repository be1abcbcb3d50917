"""Conversations with MCP servers: honest ones over stdio and HTTP, and every way in which one can misbehave."""

import asyncio
import sys
import time
from contextlib import asynccontextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from loopdeck.connectors import told
from loopdeck.connectors.http import HttpChannel
from loopdeck.connectors.offers import listing
from loopdeck.connectors.session import ConnectorFailed, Refused, Session
from tests.connectors.conftest import hostile, stdio

HONEST = ["add", "look_up", "note", "fail"]


def talk(opened, work):
    """Run `work` on a session that is opened, greeted and closed."""

    async def whole():
        async with opened as session:
            await session.greet()
            return await work(session)

    return asyncio.run(whole())


@asynccontextmanager
async def http(url, **bounds):
    """A session over HTTP, not greeted yet."""
    channel = HttpChannel(url)
    try:
        yield Session(channel, **bounds)
    finally:
        await channel.close()


async def everything(session):
    """All that an honest server is asked."""
    tools = listing(await session.listed())
    added = told.outcome(await session.call("add", {"a": 2, "b": 3}))
    wrong = told.outcome(await session.call("add", {"a": "no number"}))
    failed = told.outcome(await session.call("fail", {}))
    looked = told.outcome(await session.call("look_up", {"word": "loop"}))
    return session.greeting, [one.tool for one in tools.offers], tools.left_out, added, wrong, failed, looked


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.req("S2-057", "S2-105")
def test_an_honest_server_is_listed_and_called(transport, tmp_path, request):
    if transport == "http":
        opened = http(request.getfixturevalue("address"))
    else:
        opened = stdio((sys.executable, "-m", "tests.kit.mcp_server"), tmp_path)
    greeting, names, left_out, added, wrong, failed, looked = talk(opened, everything)
    assert (greeting, names, left_out) == ("kit", HONEST, ())
    assert (added.output, added.is_error) == ("5", False)
    assert wrong.is_error
    assert (failed.is_error, failed.problem) == (True, "tool_failed")
    assert looked.output == "handbook.md:12: loop means what it says"


def test_an_unknown_tool_is_the_servers_refusal_and_the_session_goes_on(address):
    async def work(session):
        with suppress(Refused):
            assert told.outcome(await session.call("nonesuch", {})).is_error
        return told.outcome(await session.call("add", {"a": 1, "b": 1})).output

    assert talk(http(address), work) == "2"


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("no start", "ended with exit code 1: out of order"),
        ("silent", "did not answer initialize within 1 s"),
        ("stranger", "version '1999-01-01' of MCP"),
        ("endless", "more than 20 pages"),
        ("crowd", "more than 256 tools"),
    ],
)
def test_a_server_that_can_not_be_used_is_given_up_with_a_sentence(how, why, tmp_path):
    async def work(session):
        return await session.listed()

    with pytest.raises(ConnectorFailed, match=why):
        talk(hostile(how, tmp_path, connect_s=1.0 if how == "silent" else 20.0), work)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("dies", "ended with exit code 1: fatal: x"),
        ("hangs", "did not answer tools/call within 1 s"),
        ("floods", "other messages instead of an answer"),
        ("one long line", "more than the 4194304 that are taken"),
        ("garbage", "no message of the protocol"),
    ],
)
def test_a_call_that_goes_wrong_is_given_up_with_a_sentence(how, why, tmp_path):
    async def work(session):
        return await session.call("echo", {"text": "x"})

    with pytest.raises(ConnectorFailed, match=why):
        talk(hostile(how, tmp_path, call_s=1.0 if how == "hangs" else 20.0), work)


def test_while_a_run_stands_still_no_time_counts(tmp_path):
    begun = time.monotonic()

    async def work(session):
        return await session.call("echo", {"text": "x"})

    with pytest.raises(ConnectorFailed, match=r"within 0\.3 s"):
        talk(hostile("hangs", tmp_path, call_s=0.3, still=lambda: time.monotonic() < begun + 1.5), work)
    assert time.monotonic() >= begun + 1.5


def test_what_a_server_asks_of_us_is_refused_and_what_it_prints_beside_is_passed_over(tmp_path):
    async def work(session):
        return told.outcome(await session.call("echo", {"text": "x"})).output

    assert "sampling/createMessage is not offered" in talk(hostile("asks", tmp_path), work)
    assert talk(hostile("chatty", tmp_path), work) == "x"


def test_word_of_a_changed_list_is_heard(tmp_path):
    async def work(session):
        before = session.changed
        await session.call("echo", {"text": "x"})
        return before, session.changed

    assert talk(hostile("turns", tmp_path), work) == (False, True)


def test_what_is_no_text_is_named_and_what_is_long_is_cut(tmp_path):
    async def work(session):
        return told.outcome(await session.call("echo", {"text": "x"})).output

    blocks = talk(hostile("blocks", tmp_path), work)
    assert blocks == "[image, image/png: left out]\n[see file:///x]\ndocs/a.md:\nA.\n[something that is no content: left out]"
    long = talk(hostile("long", tmp_path), work)
    assert len(long) < 31_000
    assert "100000 characters in all" in long


def test_of_a_liar_only_what_every_model_takes_is_offered(tmp_path):
    async def work(session):
        return listing(await session.listed(), ("echo", "deep", "missing"))

    async def all_of_it(session):
        return listing(await session.listed())

    found = talk(hostile("liar", tmp_path), all_of_it)
    assert [one.tool for one in found.offers] == ["echo"]
    said = "\n".join(found.left_out)
    for word in ("'listy'", "'stringy'", "at its top", "nested", "another document", "no JSON Schema", "32000", "'spaced'", "'a name'",
                 "listed twice", "'long'", "'7'"):  # fmt: skip
        assert word in said, (word, said)
    assert len(found.left_out) == 12
    wanted = talk(hostile("liar", tmp_path), work)
    assert [one.tool for one in wanted.offers] == ["echo"]
    assert "'missing' is not among its tools" in wanted.left_out


class _Answers(BaseHTTPRequestHandler):
    """Answers each request in a wrong way that its path names."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        kind, status = self.path.strip("/"), 200
        if kind.isdecimal():
            status = int(kind)
        self.send_response(status)
        self.send_header("location", "/elsewhere")
        self.send_header("content-type", "text/event-stream" if kind in {"flood", "cut"} else "application/json")
        self.end_headers()
        body = {"flood": b"data: " + b"x" * (5 << 20), "cut": b"data: {}\n\n", "long": b"x" * (5 << 20), "garbage": b"<html>"}
        with suppress(OSError):
            self.wfile.write(body.get(kind, b""))

    def log_message(self, *args):
        """Nothing."""


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("401", "asks for a login"),
        ("307", "sends on to /elsewhere"),
        ("500", "answers 500"),
        ("404", "answers 404"),
        ("flood", "more than 4194304 bytes"),
        ("long", "more than 4194304 bytes"),
        ("cut", "ended its answer"),
        ("garbage", "no message of the protocol"),
        ("empty", "ended its answer"),
    ],
)
def test_a_web_server_that_is_no_mcp_server_is_given_up_with_a_sentence(path, why):
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with pytest.raises(ConnectorFailed, match=why):
            talk(http(f"http://127.0.0.1:{server.server_port}/{path}"), lambda session: session.listed())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_nobody_at_the_address_is_said():
    with pytest.raises(ConnectorFailed, match="can't be reached"):
        talk(http("http://127.0.0.1:9/mcp"), lambda session: session.listed())
