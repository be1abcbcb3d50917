"""Servers of HTTP and HTTPS on this machine, that say what they were asked."""

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator


class Talk(http.server.BaseHTTPRequestHandler):
    """Says what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        body = f"{self.command} {self.path} host={self.headers['host']} via={self.headers.get('proxy-connection')} got={size}"
        self.rfile.read(size)
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET

    def log_message(self, *words: object) -> None:
        """Nothing: what it says would be on the test's own output."""


@contextlib.contextmanager
def server(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server of HTTP, or with a context of HTTPS; its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Talk) as listening:
        if context is not None:
            listening.socket = context.wrap_socket(listening.socket, server_side=True)
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield listening.server_address[1]
        finally:
            listening.shutdown()
            thread.join()
