"""The certificates that this machine trusts, read once: for all connections of a process, and of those that are forked from it.

To read them takes a fifth of what it takes to connect.
"""

import os
import ssl
from functools import lru_cache


def trusted() -> ssl.SSLContext:
    """What an SDK's own client would make for each of its connections. Loads the HTTP client."""
    return _read(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=1)
def _read(file: str | None, folder: str | None) -> ssl.SSLContext:
    """What the two variables, which the HTTP client reads itself, come to."""
    import httpx2  # loaded with the SDK; not before

    return httpx2.create_ssl_context()
