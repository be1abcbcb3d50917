"""The proxy within a sandbox, with real servers on this machine that speak HTTP and HTTPS, and with real programs that ask it."""

import asyncio
import shutil
import ssl
import subprocess
import sys
import time

import pytest

from loopdeck.core import hosts
from loopdeck.errors import StoreError, WorkspaceError
from loopdeck.sandbox.bubble import BubbleDoor
from loopdeck.sandbox.hostproxy import HostProxy
from loopdeck.sandbox.port import Command, Finished, Forward, Reached, Role
from loopdeck.sandbox.toolchains import toolchains
from loopdeck.sandbox.walls import Walls
from tests.kit.walled import ENV, HOME, bubble, bwrap, name, plain, walled
from tests.kit.webserver import server

FETCH = """
import sys, urllib.request, urllib.error
for url in sys.argv[1:]:
    try:
        data = sys.stdin.buffer.read() or None
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
            print(answer.status, answer.read().decode()[:300], flush=True)
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode(), flush=True)
    except OSError as error:
        print("failed", error, flush=True)
"""


def held(tree, *listed, told=None, env=None, role: Role = "tool", **walls) -> tuple[BubbleDoor, dict[str, str]]:
    """A sandbox with a list of hosts."""
    key = "setup_network" if role == "setup" else "network"
    shown = Walls(tree, home=HOME, tools=toolchains(ENV, HOME), **{key: tuple(listed)}, **walls)  # type: ignore[arg-type]  # of several
    return BubbleDoor(bwrap(), shown, name(), grace_s=0.2, tell=None if told is None else told.append), {**ENV, **(env or {})}


def ask(door: BubbleDoor, env: dict[str, str], tree, *words: str, stdin: bytes = b"", role: Role = "tool") -> Finished:
    """Run a command to its end and close the door."""

    async def run() -> Finished:
        try:
            return await door.run(Command(words, tree, env, 30, stdin=stdin, writable=(tree,), role=role))
        finally:
            door.close()

    return asyncio.run(run())


def fetch(tree, listed, *urls, told=None, stdin=b"", env=None) -> Finished:
    door, env = held(tree, *listed, told=told, env=env)
    return ask(door, env, tree, sys.executable, "-I", "-S", "-c", FETCH, *urls, stdin=stdin)


@walled
def test_a_listed_host_is_reached_and_no_other_and_both_are_told(tmp_path):
    told: list[Reached] = []
    with server() as port, server() as other:
        env = {"NO_PROXY": "", "no_proxy": ""}
        urls = (f"http://127.0.0.1:{port}/a?b=c#d", f"http://127.0.0.1:{other}/", "http://api.foo.com/", "https://api.foo.com/x")
        done = asks(tmp_path, [f"127.0.0.1:{port}"], urls, told, env)
    lines = done.text.splitlines()
    assert lines[0] == f"200 GET /a?b=c host=127.0.0.1:{port} via=None got=0"
    assert lines[1].startswith("403 loopdeck: network: 127.0.0.1:")
    assert "which lists it for port" in lines[1]
    assert lines[2] == "" or "403" in lines[2]
    assert "network: api.foo.com is not in [sandbox] network" in done.text
    assert done.refusals == (
        f"network: 127.0.0.1:{other} is not in [sandbox] network, which lists it for port {port}",
        "network: api.foo.com is not in [sandbox] network",
    )
    assert [(one.host, one.port, one.verdict) for one in told] == [
        ("127.0.0.1", port, "allowed"), ("127.0.0.1", other, "refused"),
        ("api.foo.com", 80, "refused"), ("api.foo.com", 443, "refused"),
    ]  # fmt: skip
    assert told[0].sent > 50
    assert told[0].received > 100
    assert all(one.role == "tool" for one in told)


def asks(tree, listed, urls, told, env) -> Finished:
    """Without the exception that the proxy's variables make for this machine: here the servers are on it."""
    door, seen = held(tree, *listed, told=told)
    words = " ".join(f"'{url}'" for url in urls)
    line = f"unset no_proxy NO_PROXY; exec '{sys.executable}' -I -S -c \"$0\" {words}"
    return ask(door, {**seen, **env}, tree, "/bin/sh", "-c", line, FETCH)


@walled
def test_a_body_goes_through_whole(tmp_path):
    told: list[Reached] = []
    with server() as port:
        door, env = held(tmp_path, f"127.0.0.1:{port}", told=told)
        line = f"unset no_proxy NO_PROXY; exec '{sys.executable}' -I -S -c \"$0\" http://127.0.0.1:{port}/"
        done = ask(door, env, tmp_path, "/bin/sh", "-c", line, FETCH, stdin=b"x" * 3_000_000)
    assert done.text.strip().endswith("got=3000000")
    assert told[0].sent > 3_000_000


@walled
@pytest.mark.skipif(not shutil.which("openssl") or not shutil.which("curl"), reason="needs openssl and curl")
def test_what_is_encrypted_goes_through_untouched(tmp_path):
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*made, *names], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    told: list[Reached] = []
    with server(context) as port:
        door, env = held(tmp_path, f"localhost:{port}", told=told)
        line = f"unset no_proxy NO_PROXY; curl -sS --cacert cert.pem https://localhost:{port}/in/secret"
        done = ask(door, env, tmp_path, "/bin/sh", "-c", line)
        assert done.text == f"GET /in/secret host=localhost:{port} via=None got=0"
        door, env = held(tmp_path, "example.com", told=told)
        done = ask(door, env, tmp_path, "/bin/sh", "-c", line)
    assert done.exit_code != 0
    assert "403" in done.text
    assert [(one.host, one.port, one.verdict) for one in told] == [("localhost", port, "allowed"), ("localhost", port, "refused")]
    assert told[0].received > 1000


@walled
def test_nothing_goes_around_it(tmp_path):
    with server() as port:
        around = f"import socket; s = socket.create_connection(('127.0.0.1', {port}), 3)"
        door, env = held(tmp_path, "example.com", "127.0.0.1:9")
        done = ask(door, env, tmp_path, sys.executable, "-I", "-S", "-c", around)
        assert "ConnectionRefusedError" in done.text
        look = "import socket; print(socket.getaddrinfo('example.com', 80))"
        door, env = held(tmp_path, "example.com")
        assert "gaierror" in ask(door, env, tmp_path, sys.executable, "-I", "-S", "-c", look).text


@walled
def test_a_port_of_this_machine_that_is_listed_is_there_for_every_program(tmp_path):
    told: list[Reached] = []
    with server() as port:
        door, env = held(tmp_path, f"localhost:{port}", "127.0.0.1:9", told=told)
        fetch = (sys.executable, "-I", "-S", "-c", FETCH, f"http://127.0.0.1:{port}/here")
        assert ask(door, env, tmp_path, *fetch).text == f"200 GET /here host=127.0.0.1:{port} via=None got=0\n"
        door, env = held(tmp_path, "127.0.0.1:9", told=told)
        done = ask(door, env, tmp_path, "/bin/bash", "-c", "exec 5<>/dev/tcp/127.0.0.1/9; cat <&5; exit 3")
    assert [(one.host, one.port, one.verdict) for one in told] == [("localhost", port, "allowed"), ("127.0.0.1", 9, "failed")]
    assert told[0].received > 50
    assert done.exit_code == 3
    assert "127.0.0.1:9 can't be reached" in done.refusals[0]


@walled
def test_the_list_of_setup_is_its_own(tmp_path):
    told: list[Reached] = []
    door, env = held(tmp_path, "example.com", told=told, role="setup")
    seen = ask(door, env, tmp_path, "/bin/sh", "-c", "echo ${HTTPS_PROXY:-none}")
    assert seen.text == "none\n"
    door, env = held(tmp_path, "example.com", told=told, role="setup")
    words = (sys.executable, "-I", "-S", "-c", FETCH, "http://api.foo.com/")
    done = ask(door, env, tmp_path, *words, role="setup")
    assert done.refusals == ("network: api.foo.com is not in [sandbox] setup_network",)
    assert [one.role for one in told] == ["setup"]


@walled
def test_a_command_that_ends_leaves_no_connection_and_no_port(tmp_path):
    told: list[Reached] = []
    line = "exec 5<>/dev/tcp/127.0.0.1/61080; printf 'GET http://api.foo.com/' >&5; sleep 600"
    door, env = held(tmp_path, "example.com", told=told)

    async def run() -> float:
        task = asyncio.ensure_future(door.run(Command(("/bin/bash", "-c", line), tmp_path, env, 1.0, writable=(tmp_path,))))
        done = await task
        began = time.monotonic()
        assert done.ended_by == "timeout"
        assert [one for one in asyncio.all_tasks() if one is not asyncio.current_task()] == []
        door.close()
        return time.monotonic() - began

    assert asyncio.run(run()) < 1
    assert told == []


@walled
def test_a_record_that_can_not_be_kept_ends_the_command_with_that(tmp_path):
    def full(one: Reached) -> None:
        raise StoreError("the disk is full")

    door = BubbleDoor(bwrap(), Walls(tmp_path, home=HOME, tools=toolchains(ENV, HOME), network=("a.b",)), name(), tell=full)
    with pytest.raises(StoreError, match="full"):
        ask(door, dict(ENV), tmp_path, sys.executable, "-I", "-S", "-c", FETCH, "http://api.foo.com/")


@walled
@pytest.mark.parametrize("make", [bubble, plain], ids=["bubble", "plain"])
def test_a_port_of_this_machine_is_there_if_it_was_promised(tmp_path, make):
    with server() as port:
        door = make(tmp_path)
        forward = Forward("gateway", port, ("127.0.0.1", port))
        line = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/v1').read().decode())"
        command = Command((sys.executable, "-I", "-S", "-c", line), tmp_path, ENV, 20, writable=(tmp_path,), forwards=(forward,))

        async def run() -> list[Finished]:
            try:
                # Two at once: each has the port for itself.
                return list(await asyncio.gather(door.run(command), door.run(command)))
            finally:
                door.close()

        for done in asyncio.run(run()):
            assert done.text == f"GET /v1 host=127.0.0.1:{port} via=None got=0\n"
        other = Command(("true",), tmp_path, ENV, 20, writable=(tmp_path,), forwards=(Forward("gateway", 61000, ("127.0.0.1", port)),))
        if make is plain:
            with pytest.raises(WorkspaceError, match="gateway"):
                asyncio.run(door.run(other))


class Names:
    """Addresses of names, as a resolver of this test's own gives them."""

    def __init__(self, **found: list[str]) -> None:
        self.found = found
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> list[hosts.Address]:
        self.asked.append(host)
        if host.partition(".")[0] not in self.found:
            raise OSError("no such host")
        return [found for text in self.found[host.partition(".")[0]] if (found := hosts.address(text))]


def said(request: bytes, *listed: str, names: Names | None = None) -> tuple[bytes, list[Reached]]:
    """What a proxy answers to these bytes."""
    told: list[Reached] = []

    async def run() -> bytes:
        found = [one for text in listed if (one := hosts.parse(text))]
        proxy = HostProxy(found, "network", "tool", told.append, (names or Names()).resolve)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await proxy.serve(reader, writer)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
            reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
            writer.write(request)
            if writer.can_write_eof():
                writer.write_eof()
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    return asyncio.run(run()), told


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nhost: a.b\r\n\r\n", b"400"),
        (b"GET https://a.b/ HTTP/1.1\r\nhost: a.b\r\n\r\n", b"400"),
        (b"GET http://u:p@a.b/ HTTP/1.1\r\nhost: a.b\r\n\r\n", b"400"),
        (b"CONNECT a.b\x00.evil.com:443 HTTP/1.1\r\nhost: a.b\r\n\r\n", b""),
        (b"CONNECT a.b:443:443 HTTP/1.1\r\nhost: a.b\r\n\r\n", b"400"),
        (b"CONNECT evil.com:443 HTTP/1.1\r\nhost: a.b\r\n\r\n", b"403"),
        (b"GET http://evil.com/ HTTP/1.1\r\nhost: a.b\r\n\r\n", b"403"),
        (b"\x05\x01\x00", b""),
        (b"x" * 70_000, b""),
        (b"", b""),
    ],
)
def test_odd_requests_reach_nobody(request_, status):
    names = Names(evil=["93.184.216.34"], a=["127.0.0.1"])
    answer, told = said(request_, "a.b", names=names)
    assert answer.split(b" ", 2)[1:2] == ([status] if status else [])
    assert names.asked == []
    assert [one.verdict for one in told] == (["refused"] if status == b"403" else [])


def test_a_name_that_leads_home_is_refused_unless_the_address_is_listed():
    names = Names(rebound=["127.0.0.1", "::1"], lan=["10.1.2.3"])
    answer, told = said(b"CONNECT rebound.org:443 HTTP/1.1\r\nhost: x\r\n\r\n", "rebound.org", names=names)
    assert b"403" in answer
    assert b"rebound.org leads to 127.0.0.1, in this machine" in answer
    assert told[0].verdict == "refused"
    answer, _ = said(b"CONNECT lan.org:443 HTTP/1.1\r\nhost: x\r\n\r\n", "lan.org", names=names)
    assert b"a network of one's own" in answer


def test_only_the_address_that_was_looked_at_is_connected_to():
    with server() as port:
        names = Names(mine=["10.9.9.9", "127.0.0.1"])
        request = f"GET http://mine.org:{port}/ HTTP/1.1\r\nhost: other.org\r\nconnection: keep-alive\r\n\r\n".encode()
        answer, told = said(request + request, f"mine.org:{port}", "127.0.0.1", names=names)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert f"host=mine.org:{port}".encode() in answer
    assert names.asked == ["mine.org"]
    assert [one.verdict for one in told] == ["allowed"]


def test_what_can_not_be_reached_says_why():
    answer, told = said(b"CONNECT gone.org:443 HTTP/1.1\r\nhost: x\r\n\r\n", "gone.org")
    assert b"502" in answer
    assert b"can't be looked up" in answer
    assert [(one.verdict, one.why) for one in told] == [("failed", "network: gone.org can't be looked up: no such host")]
    names = Names(shut=["127.0.0.1"])
    answer, told = said(b"CONNECT shut.org:1 HTTP/1.1\r\nhost: x\r\n\r\n", "shut.org:1", "127.0.0.1", names=names)
    assert b"can't be reached" in answer
    assert told[0].verdict == "failed"


def test_a_program_that_tries_again_and_again_does_not_fill_the_record():
    told: list[Reached] = []

    async def run() -> HostProxy:
        proxy = HostProxy([], "network", "tool", told.append, Names().resolve)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await proxy.serve(reader, writer)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
            for number in range(600):
                reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
                writer.write(f"CONNECT h{number}.org:443 HTTP/1.1\r\nhost: x\r\n\r\n".encode())
                assert b"403" in await reader.read()
                writer.close()
                await writer.wait_closed()
        return proxy

    proxy = asyncio.run(run())
    assert len(told) == 301
    assert "the 512th connection of this command" in told[-1].why
    assert len(proxy.refusals) == 8
