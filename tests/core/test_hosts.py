"""Lists of hosts: what an entry means, and that nothing else is let in by it."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core import hosts
from loopdeck.core.hosts import Listed


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("api.example.com", Listed("api.example.com")),
        ("API.Example.com.", Listed("api.example.com")),
        ("*.example.com", Listed("example.com", below=True)),
        ("*.example.com:8443", Listed("example.com", below=True, port=8443)),
        ("localhost:8000", Listed("localhost", port=8000)),
        ("10.0.0.5:80", Listed("10.0.0.5", port=80)),
        ("[::1]:80", Listed("::1", port=80)),
        ("[0:0:0:0:0:0:0:1]", Listed("::1")),
    ],
)
def test_an_entry_means_what_it_says(written, means):
    assert hosts.parse(written) == means


@pytest.mark.parametrize(
    "written",
    ["", "*", "*.", "*.com", "*.10.0.0.1", "a..b", "a b", "a/b", "https://a.b", "u@a.b", "a:0", "a:65536", "a:http", "::1", "[a.b]",
     "[::1", "[::1]x", "a\0b", "a.b:", "-a.b", "é.com", "a" * 64 + ".com", "*.*.com"],
)  # fmt: skip
def test_what_is_no_host_is_no_entry(written):
    assert hosts.parse(written) is None


ALLOWED = [one for text in ("api.example.com", "*.wide.org", "db.lan:5432", "10.0.0.5:8080") if (one := hosts.parse(text))]


@pytest.mark.parametrize(
    ("authority", "open_"),
    [
        ("api.example.com:443", True), ("api.example.com:80", True), ("API.EXAMPLE.COM.:443", True), ("api.example.com:22", False),
        ("example.com:443", False), ("xapi.example.com:443", False), ("api.example.com.evil.org:443", False), ("a.wide.org:443", True),
        ("a.b.wide.org:443", True), ("wide.org:443", False), ("evilwide.org:443", False), ("db.lan:5432", True), ("db.lan:443", False),
        ("10.0.0.5:8080", True), ("10.0.0.5:80", False), ("167772165:8080", False), ("0x0a.0.0.5:8080", False), ("[::1]:443", False),
        ("[::ffff:10.0.0.5]:8080", False),
    ],
)  # fmt: skip
def test_only_what_is_listed_is_open(authority, open_):
    found = hosts.split(authority)
    assert found is not None
    why = hosts.complaint(ALLOWED, *found)
    assert (why == "") == open_, why
    assert why == "" or (why.startswith("network: ") and "is not in [sandbox] network" in why)


def test_a_refusal_says_what_the_list_would_have_let_through():
    assert hosts.complaint(ALLOWED, "api.foo.com", 443) == "network: api.foo.com is not in [sandbox] network"
    assert "which lists it for port 5432" in hosts.complaint(ALLOWED, "db.lan", 443)
    assert hosts.complaint([], "a.b", 8080, "setup_network") == "network: a.b:8080 is not in [sandbox] setup_network"


@pytest.mark.parametrize(
    "near",
    ["127.0.0.1", "127.8.8.8", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1",
     "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "255.255.255.255", "::", "64:ff9b::10.0.0.1"],
)  # fmt: skip
def test_addresses_that_are_not_public_are_kept_from_names(near):
    found = ipaddress.ip_address(near)
    assert "list the address too" in hosts.near(ALLOWED, "api.example.com", found)
    assert hosts.near([*ALLOWED, Listed(str(found))], "api.example.com", found) == ""


def test_public_addresses_are_not_and_localhost_names_this_machine():
    assert hosts.near([], "a.b", ipaddress.ip_address("93.184.216.34")) == ""
    assert hosts.near([], "a.b", ipaddress.ip_address("2606:2800:220:1::1")) == ""
    assert hosts.near([], "localhost", ipaddress.ip_address("127.0.0.1")) == ""


@given(st.text(max_size=40), st.integers(0, 70000))
def test_no_text_gets_through_that_is_not_listed(text, port):
    found = hosts.split(f"{text}:{port}")
    if found is None:
        return
    host, number = found
    assert 0 < number < 65536
    if not hosts.complaint(ALLOWED, host, number):
        assert host in ("api.example.com", "db.lan", "10.0.0.5") or host.endswith(".wide.org")


@given(st.text(max_size=60))
def test_whatever_is_an_entry_is_read_as_itself(text):
    one = hosts.parse(text)
    if one is not None:
        name = f"[{one.name}]" if ":" in one.name else one.name
        assert hosts.parse(f"{'*.' if one.below else ''}{name}{f':{one.port}' if one.port else ''}") == one
