"""Which hosts a list lets commands reach: `api.example.com`, `*.example.com`, `10.0.0.5:8080`. Pure; nothing is looked up here.

A name stands for itself, `*.` before it for every name below it and not for itself. Without a port it means the web's two, 80 and 443.
Invariant: what is not certainly in the list is refused, and a name is compared only once it looks like one.
"""

import ipaddress
import re
from collections.abc import Sequence

from msgspec import Struct

WEB = (80, 443)
"""The ports of a host that is listed without one."""
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_MOST = 253
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Listed(Struct, frozen=True):
    """One entry of a list: `name` in lower case, `below` if it means the names below it, `port` 0 for the web's own."""

    name: str
    below: bool = False
    port: int = 0

    def names(self, host: str) -> bool:
        """True if it means that host, at whatever port."""
        return host.endswith(f".{self.name}") if self.below else host == self.name

    def opens(self, port: int) -> bool:
        """True if it means that port."""
        return port == self.port if self.port else port in WEB


def parse(written: str) -> Listed | None:
    """An entry as it is written in a loop file; None if it is none."""
    below = written.startswith("*.")
    found = split(written.removeprefix("*."))
    if found is None:
        return None
    host, port = found
    if below and ("." not in host or address(host) is not None):
        return None
    return Listed(host, below, port)


def split(authority: str, default: int = 0) -> tuple[str, int] | None:
    """Host and port of `host:port`, `[v6]:port` or a host alone, the host normal; None if it is neither."""
    host, bracketed, rest = authority, False, ""
    if authority.startswith("["):
        host, closing, rest = authority[1:].partition("]")
        bracketed = True
        if not closing:
            return None
    elif authority.count(":") == 1:
        host, colon, port = authority.partition(":")
        rest = colon + port
    known = normal(host)
    if known is None or bracketed != (":" in known) or (rest and not rest.startswith(":")):
        return None
    if not rest:
        return known, default
    number = rest[1:]
    if not (number.isascii() and number.isdigit() and len(number) <= 5 and 0 < int(number) < 65536):
        return None
    return known, int(number)


def normal(host: str) -> str | None:
    """The host as it is compared: in lower case, without the root's dot, an address in its usual form. None if it is no host."""
    host = host.lower().removesuffix(".")
    if (found := address(host)) is not None:
        return str(found)
    return host if len(host) <= _MOST and _NAME.fullmatch(host) else None


def address(host: str) -> Address | None:
    """The host as an address, if it is written as one."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_local(one: Listed) -> bool:
    """True if it names this machine itself."""
    found = address(one.name)
    return not one.below and (one.name == "localhost" or (found is not None and found.is_loopback))


def complaint(listed: Sequence[Listed], host: str, port: int, key: str = "network") -> str:
    """Why that host (normal) can't be reached at that port, as a sentence; empty if it can. `key` is the list's in `[sandbox]`."""
    known = [one for one in listed if one.names(host)]
    if any(one.opens(port) for one in known):
        return ""
    shown = f"{host}:{port}" if known or port not in WEB else host
    ports = sorted({number for one in known for number in ((one.port,) if one.port else WEB)})
    listed_at = f", which lists it for port {' and '.join(map(str, ports))}" if known else ""
    return f"network: {shown} is not in [sandbox] {key}{listed_at}"


def near(listed: Sequence[Listed], host: str, found: Address) -> str:
    """Why that address, which `host` leads to, is none to connect to, as a sentence; empty if it is public or itself listed."""
    if _far(found) or any(address(one.name) == found for one in listed):
        return ""
    if found.is_loopback and host == "localhost":
        return ""
    where = "this machine" if found.is_loopback or found.is_unspecified else "a network of one's own"
    return f"network: {host} leads to {found}, in {where}; if that is meant, list the address too"


def _inner(found: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The older address that it stands for, wherever it is translated."""
    if found in _TRANSLATED:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour


def _far(found: Address) -> bool:
    inner = _inner(found) if isinstance(found, ipaddress.IPv6Address) else None
    if inner is not None and not inner.is_global:
        return False
    return found.is_global and not found.is_multicast
