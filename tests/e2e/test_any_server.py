"""The least that a server has to know for a maker `anthropic` to work with it: one address, `POST /v1/messages`, and a reply.

The server here is written with the standard library alone, knows nothing of caches, counting or keep-alive, and refuses all else.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import tomli_w

from tests.e2e.seat import seated
from tests.kit.repos import git, status

KEY = "whatever-was-at-hand"
USAGE = {"input_tokens": 900, "output_tokens": 70}


class Server(ThreadingHTTPServer):
    """Keeps what it was asked, by the way the loop wants to be answered, and everything that it should not have been asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.served: dict[str, int] = {}
        self.odd: list[str] = []
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """HTTP 1.0: every answer ends with its connection."""

    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._odd()

    do_PUT = do_HEAD = do_OPTIONS = do_DELETE = do_GET

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = self.headers["x-api-key"] or self.headers["authorization"].removeprefix("Bearer ")
        if self.path != "/v1/messages" or key != KEY or body.get("stream") is not True:
            self._odd()
            return
        prompt = json.dumps(body["messages"])
        way = re.search(r"a server that answers by (\w+)", json.dumps(body["system"]))
        if way is None:
            self._odd()
            return
        with self.server.lock:
            number = self.server.served[way[1]] = self.server.served.get(way[1], 0) + 1
        if way[1] == "errors" and number in _ERRORS:
            status, kind, text = _ERRORS[number]
            self._send(status, kind, text)
            return
        block = _block(prompt)
        whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": [block], "usage": USAGE}
        whole["stop_reason"] = "tool_use" if block["type"] == "tool_use" else "end_turn"
        if way[1] == "json":
            self._send(200, "application/json", json.dumps(whole))
        else:
            self._send(200, "text/event-stream", "".join(_events(whole, named=way[1] == "names")))

    def _odd(self) -> None:
        self.server.odd.append(f"{self.command} {self.path}")
        self._send(404, "text/plain", "no such thing here")

    def _send(self, status: int, kind: str, text: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(text.encode())


_ERRORS = {1: (529, "text/html", "<html>too busy"), 2: (500, "text/plain", ""), 4: (429, "application/json", "{}")}


def _block(prompt: str) -> dict[str, Any]:
    if "tool_result" in prompt:
        return {"type": "text", "text": "Done."}
    content = "right" if "Iteration 2" in prompt else "wrong"
    return {"type": "tool_use", "id": "toolu_1", "name": "write_file", "input": {"path": "answer.txt", "content": content}}


def _events(whole: dict[str, Any], *, named: bool) -> Iterator[str]:
    block = whole["content"][0]
    piece = {"type": "text_delta", "text": block.get("text")}
    if block["type"] == "tool_use":
        piece = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    start = {**block, "input": {}} if block["type"] == "tool_use" else {**block, "text": ""}
    for event in (
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": piece},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"]}, "usage": {"output_tokens": USAGE["output_tokens"]}},
        {"type": "message_stop"},
    ):
        yield (f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n"


@contextmanager
def listening() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def loop(way: str, url: str = "") -> dict[str, str]:
    maker = {"agent": "anthropic", "model": "claude-sonnet-4-5"} | ({"base_url": url} if url else {})
    spec = {
        "goal": f"Write `right` into answer.txt, with a server that answers by {way}.",
        "maker": maker,
        "check": [{"name": "right", "run": 'test -z "$ANTHROPIC_API_KEY" && grep -qx right answer.txt'}],
        "exit": {"max_iterations": 3, "max_cost_usd": 1.0},
    }
    return {f".loopdeck/loops/{way}/loop.toml": tomli_w.dumps(spec)}


def test_a_server_that_knows_one_path_and_no_more_is_enough(tmp_path):
    with listening() as server:
        url = f"http://127.0.0.1:{server.server_port}"
        # Two by the environment, two by their loop files; a slash at the end is what people type.
        files = {"answer.txt": "empty\n", **loop("events"), **loop("names"), **loop("json", url), **loop("errors", f"{url}/")}
        with seated(tmp_path, files, {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url, "NO_PROXY": "*"}) as seat:
            before = status(seat.repo)
            said = seat.run("start", "--all", "--wait", "--json")
            assert server.odd == []
            ended = {one["loop"]: one for one in said.json["loops"]}
            assert {(one["reason"], one["iteration"]) for one in ended.values()} == {("done", 2)}, said
            assert said.code == 0
            assert server.odd == []
            assert server.served == {"events": 4, "names": 4, "json": 4, "errors": 7}
            for one in ended.values():
                # What was refused cost nothing, and what was served is counted as it was told.
                assert (one["usage"]["input"], one["usage"]["output"]) == (4 * 900, 4 * 70)
                assert git(seat.repo, "show", f"{one['branch']}:answer.txt") == "right"
            assert status(seat.repo) == before
