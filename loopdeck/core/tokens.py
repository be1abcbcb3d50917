"""What credentials look like: the kinds that a redactor knows without having been told a value.

Every kind has a literal anchor, so that one search finds the few places worth a closer look; anchors begin with bytes that are rare
in ordinary lines (no hex digit, no vowel), wherever in the kind's beginning such a byte stands. A pattern's first group, if it has
one, is the secret, else the whole match is. No secret holds a quote or a backslash, so that what replaces it leaves JSON valid
(`private_key` takes whole escapes only). Plain words are spared: a git hash, a UUID, a CSS class.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

_B = rb"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u00[0-9a-fA-F]{2}))"
"""A word starts here, also right behind an escape of JSON."""
_ASSIGNED = rb"[\\\"' \t:=]{1,8}"
_VALUE = rb"(?=[^\s\"'\\]{0,256}[0-9=])[A-Za-z0-9._~+/=-]"


class _Kind(NamedTuple):
    """A kind of credential: its name, its anchors, how many bytes before the anchor its pattern starts, and the pattern."""

    name: str
    anchors: tuple[bytes, ...]
    before: int
    pattern: bytes


_KINDS = (
    _Kind("anthropic", (b"k-",), 1, _B + rb"sk-ant-[A-Za-z0-9_-]{16,}"),
    _Kind("openai", (b"k-",), 1, _B + rb"sk-(?:(?=[A-Za-z_-]{0,80}[0-9])[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{32,})"),
    _Kind("stripe", (b"k_",), 1, _B + rb"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    _Kind("groq", (b"k_",), 2, _B + rb"gsk_[A-Za-z0-9]{40,}"),
    _Kind("github", (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"), 0, _B + rb"gh[pousr]_[A-Za-z0-9]{30,}"),
    _Kind("github_fine_grained", (b"_pat_",), 6, _B + rb"github_pat_[A-Za-z0-9_]{22,}"),
    _Kind("docker", (b"_pat_",), 4, _B + rb"dckr_pat_[A-Za-z0-9_-]{20,}"),
    _Kind("gitlab", (b"gl",), 0, _B + rb"gl(?:pat|[dr]t|cbt|ptt|ft|imt|agent|soat|oas)-[A-Za-z0-9_.-]{20,}"),
    _Kind("npm", (b"pm_",), 1, _B + rb"npm_[A-Za-z0-9]{30,}"),
    _Kind("pypi", (b"ypi-",), 1, _B + rb"pypi-[A-Za-z0-9_-]{50,}"),
    _Kind("hugging_face", (b"hf_",), 0, _B + rb"hf_[A-Za-z0-9]{30,}"),
    _Kind("slack", (b"xox",), 0, _B + rb"xox[a-z]-[A-Za-z0-9-]{10,}"),
    _Kind("slack_app", (b"xapp-",), 0, _B + rb"xapp-[0-9]-[A-Za-z0-9-]{20,}"),
    _Kind("slack_webhook", (b"k.com/",), 0, rb"(?<=hooks\.slac)k\.com/[a-z]{8,9}/([A-Za-z0-9/_-]{20,})"),
    _Kind("discord_webhook", (b"/webhooks/",), 0, rb"/webhooks/[0-9]{10,}/([A-Za-z0-9_-]{40,})"),
    _Kind("signing_secret", (b"hsec_",), 1, _B + rb"whsec_[A-Za-z0-9+/=]{20,}"),
    _Kind("aws_key_id", (b"KIA", b"SIA"), 1, _B + rb"A[KS]IA[A-Z2-7]{16}(?![A-Za-z0-9])"),
    _Kind(
        "aws_secret",
        (b"_access_key", b"_ACCESS_KEY", b"AccessKey"),
        6,
        rb"(?i:secret_?access_?key)" + _ASSIGNED + rb"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])",
    ),
    _Kind("google_api", (b"AIza",), 0, _B + rb"AIza[A-Za-z0-9_-]{35}"),
    _Kind("google_oauth", (b"ya29.", b"GOCSPX-"), 0, _B + rb"(?:ya29\.|GOCSPX-)[A-Za-z0-9_-]{20,}"),
    _Kind("sendgrid", (b"SG.",), 0, _B + rb"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    _Kind("twilio", (b"SK",), 0, _B + rb"SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    _Kind("telegram", (b"AA",), 1, rb"(?<=[0-9]{8}):(AA[A-Za-z0-9_-]{30,})"),
    _Kind("jwt", (b"yJ",), 1, _B + rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    _Kind("digitalocean", (b"_v1_",), 3, _B + rb"do[opr]_v1_[0-9a-f]{64}"),
    _Kind("databricks", (b"pi",), 2, _B + rb"dapi[0-9a-f]{32}"),
    _Kind("vault", (b"hvs.", b"hvb."), 0, _B + rb"hv[sb]\.[A-Za-z0-9_-]{24,}"),
    _Kind("xai", (b"xai-",), 0, _B + rb"xai-[A-Za-z0-9]{40,}"),
    _Kind("azure_storage", (b"Key=",), 7, rb"AccountKey=([A-Za-z0-9+/]{80,}={0,2})"),
    _Kind("bearer", (b"rer ", b"RER "), 3, rb"(?i:bearer) +(" + _VALUE + rb"{16,})"),
    _Kind(
        "authorization",
        (b"zation", b"ZATION"),
        7,
        rb"(?i:authorization)" + _ASSIGNED + rb"(?:[A-Za-z]{3,10} +)?(" + _VALUE + rb"{12,})",
    ),
    _Kind("api_key_header", (b"pi", b"PI-"), 1, rb"(?i:api-key)" + _ASSIGNED + rb"(" + _VALUE + rb"{16,})"),
    _Kind("password", (b"//",), 1, rb"://[^\s\"'\\/:@<>{}]{0,256}:(?![$<{*])([^\s\"'\\/]{2,256})(?=@)"),
    _Kind("password", (b"word=", b"wd="), 0, rb"(?<=;Pass|;pass|...;P|...;p)w(?:or)?d=([^\s\"'\\;]{2,256})"),
    _Kind(
        "private_key",
        (b"BEGIN",),
        5,
        rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        rb"(?:(?:(?!-----)[^\"]){16,16384}-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        rb"|(?:(?:\\+[nrt]|\s)++[A-Za-z0-9+/=]{16,})+)",
    ),
)

_LOOKED_BACK = 16
"""Bytes, more than any pattern looks back beyond its beginning."""

KINDS: tuple[str, ...] = tuple(dict.fromkeys(kind.name for kind in _KINDS))
"""The names that may stand in `[redacted:<kind>]`, besides `secret` for a value that was known."""

_BY_ANCHOR: dict[bytes, tuple[_Kind, ...]] = {}
for _kind in _KINDS:
    for _anchor in _kind.anchors:
        _BY_ANCHOR[_anchor] = (*_BY_ANCHOR.get(_anchor, ()), _kind)


def _branch(words: list[bytes]) -> bytes:
    """A pattern that finds any of `words`: each step looks at one byte."""
    heads: dict[bytes, list[bytes]] = {}
    for word in words:
        heads.setdefault(word[:1], []).append(word[1:])
    arms = [re.escape(head) + (b"" if b"" in rest else _branch(rest)) for head, rest in sorted(heads.items())]
    return arms[0] if len(arms) == 1 else b"(?:" + b"|".join(arms) + b")"


ANCHOR = re.compile(_branch(list(_BY_ANCHOR)))
"""Finds each place where a credential might be."""

_compiled = cache(re.compile)


def compile_all() -> None:
    """Compile every pattern now, for a process that others are forked from; else each is when its anchor is first met."""
    for kind in _KINDS:
        _compiled(kind.pattern)


class Span(NamedTuple):
    """A credential in some bytes, from `start` to `end`. What it was known by begins at `since`."""

    start: int
    end: int
    kind: str
    since: int


def found(data: bytes) -> Iterator[Span]:
    """Where in `data` credentials stand, in order, without overlap."""
    done = 0
    for anchor in ANCHOR.finditer(data):
        at = anchor.start()
        if at < done:
            continue
        for kind in _BY_ANCHOR[anchor[0]]:
            match = _compiled(kind.pattern).match(data, at - kind.before) if at >= kind.before else None
            if match:
                start, done = match.span(1 if match.re.groups else 0)
                yield Span(start, done, kind.name, max(0, at - kind.before - _LOOKED_BACK))
                break
