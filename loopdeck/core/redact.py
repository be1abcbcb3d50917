"""The one door that everything passes on its way into a file: no credential goes through it.

Two nets. The values of secrets that the process holds are found exactly, also as base64, URL-encoded and JSON-escaped; credentials
it has never seen are found by their looks (`core.tokens`). What is found becomes `[redacted:<kind>]`. A JSON line stays valid JSON:
nothing is taken that begins in the middle of an escape. An ordinary line costs one search and one look into a set, however many
secrets there are.
"""

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable, Mapping

from loopdeck.core import tokens
from loopdeck.core.tokens import Span

SHORTEST = 8
"""Bytes; shorter values would be found in ordinary words."""
_WORD = 8
_MIDDLE = 2 * _WORD - 1
_LONG = 5 * _WORD - 1
_LONGEST_TOKEN = 8192
_LONGEST_BLOCK = 20_000
_TELLING = 12
"""Bytes from which on a credential that was met is known again without its surroundings."""
_MOST_MET = 1000
_LINES = re.compile(rb"[\r\n]+|\\+[nr]")
_anchor = tokens.ANCHOR.search


def _base64_cores(value: bytes) -> set[bytes]:
    """What every base64 text that holds `value` must hold, for each of the three ways it can be aligned in it."""
    cores: set[bytes] = set()
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + value)
        core = whole[(0, 2, 3)[shift] : (len(value) + shift) * 8 // 6]
        cores |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return cores


def _forms(secret: str) -> set[bytes]:
    raw = secret.encode("utf-8", "surrogatepass")
    quoted = urllib.parse.quote(raw, safe="")
    plain = {raw, quoted.encode(), quoted.lower().encode() if "%" in quoted else raw, urllib.parse.quote_plus(raw).encode()}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    # Arguments of a tool call are JSON within JSON.
    twice = {json.dumps(once, ensure_ascii=False)[1:-1] for once in escaped}
    return plain | {form.encode("utf-8", "surrogatepass") for form in escaped | twice} | _base64_cores(raw)


def _in_escape(data: bytes, at: int) -> int:
    """How many bytes from `at` on belong to an escape of JSON that began before it."""
    begun = max(0, at - 5)
    slash = data.rfind(b"\\", begun, at)
    if slash < 0:
        return 0
    first = slash
    while first > 0 and data[first - 1] == 0x5C:
        first -= 1
    if (slash - first) % 2:
        return 0
    return max(0, slash + (6 if data[slash + 1 : slash + 2] == b"u" else 2) - at)


def _clear_of_escapes(span: Span, data: bytes) -> Span | None:
    """`span` without what belongs to an escape that began before it; None if it would then eat structure, or nothing is left."""
    inside = _in_escape(data, span.start)
    structural = inside and any(byte in data[span.start : span.end] for byte in b'\\"')
    return None if structural or span.start + inside >= span.end else span._replace(start=span.start + inside)


def _exactly(match: re.Match[bytes]) -> Span:
    return Span(match.start(), match.end(), "secret", match.start())


class _Words:
    """Tells that none of some byte strings stands in some data, from looking at few of its words.

    A string of `8 * stride + 7` bytes or more covers an aligned word at every `stride`-th place, wherever it stands.
    """

    __slots__ = ("_stride", "_words")

    def __init__(self, forms: set[bytes]) -> None:
        self._stride = (min(map(len, forms), default=0) - _WORD + 1) // _WORD
        self._words = frozenset(
            word
            for form in forms
            for shift in range(_WORD * self._stride)
            for word in memoryview(form[shift : shift + _WORD]).cast("Q")
        )

    def absent(self, data: bytes) -> bool:
        """True if none of the strings is in `data`."""
        return not self._words or self._words.isdisjoint(memoryview(data)[: len(data) & ~(_WORD - 1)].cast("Q")[:: self._stride])


class _Exact:
    """Finds any of a fixed set of byte strings; the fewer short ones are among them, the faster."""

    __slots__ = ("_compiled", "_forms", "_long", "_middle", "_short")

    def __init__(self, forms: set[bytes]) -> None:
        self._short = tuple(form for form in forms if len(form) < _MIDDLE)
        self._middle = _Words({form for form in forms if _MIDDLE <= len(form) < _LONG})
        self._long = _Words({form for form in forms if len(form) >= _LONG})
        self._forms = forms
        self._compiled: re.Pattern[bytes] | None = None

    @property
    def _pattern(self) -> re.Pattern[bytes]:
        """Finds any of them, the longest first; made when it is first needed, for it takes a while."""
        if self._compiled is None:
            longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
            self._compiled = re.compile(b"|".join(map(re.escape, longest_first)) or b"(?!)")
        return self._compiled

    def absent(self, data: bytes) -> bool:
        """True if none of the strings is in `data`; False may err."""
        if self._short and any(form in data for form in self._short):
            return False
        return self._long.absent(data) and self._middle.absent(data)

    def spans(self, data: bytes) -> list[Span]:
        """Where the strings stand, in order."""
        return [] if self.absent(data) else [_exactly(match) for match in self._pattern.finditer(data)]

    def spans_in_json(self, line: bytes) -> list[Span]:
        """Where the strings stand in a JSON line, in order, without breaking an escape."""
        found: list[Span] = []
        at = 0
        if not self.spans(line):
            return found
        pattern = self._pattern
        while match := pattern.search(line, at):
            span = _clear_of_escapes(_exactly(match), line)
            # One byte on, the same bytes may be another form of it.
            at = match.end() if span else match.start() + 1
            if span:
                found.append(span)
        return found


class Redactor:
    """Takes credentials out of what is about to be written. `secrets` are the values held; those under 8 characters are left alone.

    A credential that was known by its looks is remembered: cut off from what it was known by, it is found all the same.
    """

    __slots__ = ("_anywhere", "_held", "_in_json", "_met", "_spaced")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._held: frozenset[str] = frozenset(secret for secret in secrets if len(secret) >= SHORTEST)
        self._met: frozenset[bytes] = frozenset()
        self._build()

    def learn(self, *secrets: str) -> None:
        """Take out these values too from now on; what is known already costs nothing."""
        held = self._held.union(secret for secret in secrets if len(secret) >= SHORTEST)
        if held != self._held:
            self._held = held
            self._build()

    def _meet(self, data: bytes, spans: Iterable[Span]) -> None:
        """Remember what was known by its looks."""
        pieces = (piece for span in spans for piece in _LINES.split(data[span.start : span.end]))
        telling = (piece for piece in pieces if len(piece) >= _TELLING and not _ORDINARY.fullmatch(piece.decode("latin-1")))
        met = self._met.union(telling)
        if met != self._met and len(met) <= _MOST_MET:
            self._met = met
            self._build()

    def _build(self) -> None:
        forms: set[bytes] = set(self._met)
        unsafe: set[bytes] = set()
        for secret in self._held:
            own = _forms(secret)
            if '"' in secret or "\\" in secret:
                # In JSON these bytes would be structure, and it is their escaped form that stands for the secret.
                unsafe.add(secret.encode("utf-8", "surrogatepass"))
            forms |= {form for form in own if len(form) >= SHORTEST - 1}
        self._in_json = _Exact(forms - unsafe)
        self._anywhere = _Exact(forms) if unsafe else self._in_json
        self._spaced = tuple(form for form in forms if any(byte in form for byte in b" \t\r\n\v\f"))

    def __call__(self, line: bytes) -> bytes:
        """An encoded JSON line without its secrets, still valid JSON; the same object if there were none."""
        if self._in_json.absent(line) and not _anchor(line):
            return line
        exact = self._in_json.spans_in_json(line)
        looks = [span for found in tokens.found(line) if (span := _clear_of_escapes(found, line))]
        if looks:
            self._meet(line, looks)
        return _replaced(line, _merged([*exact, *looks]))

    def raw(self, data: bytes) -> bytes:
        """Any bytes (a tool's output, a blob) without their secrets; the same object if there were none."""
        looks = list(tokens.found(data))
        spans = _merged([*self._anywhere.spans(data), *looks])
        if looks:
            self._meet(data, looks)
        return _replaced(data, spans)

    def text(self, text: str) -> str:
        """Any text without its secrets; the same object if there were none."""
        data = text.encode("utf-8", "surrogatepass")
        safe = self.raw(data)
        return text if safe is data else safe.decode("utf-8", "surrogatepass")

    def stream(self) -> "Stream":
        """A redactor for bytes that arrive in chunks."""
        return Stream(self)

    def spans(self, data: bytes) -> list[Span]:
        """Where secrets stand in `data`, in order and apart."""
        return _merged([*self._anywhere.spans(data), *tokens.found(data)])

    def begun(self, data: bytes) -> int:
        """How many bytes at the end of `data` may be the beginning of a held secret with white space in it."""
        longest = 0
        for form in self._spaced:
            for size in range(min(len(form) - 1, len(data)), longest, -1):
                if data.endswith(form[:size]):
                    longest = size
                    break
        return longest


def _merged(spans: list[Span]) -> list[Span]:
    """`spans` in order; where they overlap they become one, named by the first."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            before = merged[-1]
            # What it looks like says more than that it is known.
            kind = span.kind if before.kind == "secret" and span.start == before.start else before.kind
            merged[-1] = Span(before.start, max(span.end, before.end), kind, min(span.since, before.since))
        else:
            merged.append(span)
    return merged


def _replaced(data: bytes, spans: list[Span]) -> bytes:
    parts: list[bytes] = []
    done = 0
    for span in spans:
        parts += data[done : span.start], b"[redacted:%s]" % span.kind.encode()
        done = span.end
    return b"".join((*parts, data[done:])) if parts else data


class Stream:
    """Redacts bytes that arrive in chunks of any size; what might be the beginning of a secret is held back until more comes.

    That is the last three words of an unfinished line, an open private key, and no more than 20,000 bytes.
    """

    __slots__ = ("_held", "_redactor")

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may be written now."""
        data = self._held + chunk
        spans = self._redactor.spans(data)
        settled = self._settled(data)
        for span in reversed(spans):
            # A match that touches the border may still grow, so it waits, and with it what it is known by.
            if span.since < settled <= span.end:
                settled = span.since
        out = _replaced(data[:settled], [span for span in spans if span.end < settled])
        self._held = data[settled:]
        return out

    def end(self) -> bytes:
        """The rest."""
        rest, self._held = self._held, b""
        return self._redactor.raw(rest)

    def _settled(self, data: bytes) -> int:
        near = max(0, len(data) - _LONGEST_TOKEN)
        words = data[near:].rsplit(None, 3)
        settled = near + (len(words[0]) if len(words) == 4 else 0)
        settled = max(settled, data.rfind(b"\n") + 1)
        opened = data.rfind(b"-----BEGIN", max(0, len(data) - _LONGEST_BLOCK))
        if opened >= 0:
            closed = data.find(b"-----END", opened)
            if closed < 0 or data.find(b"-----", closed + len(b"-----END")) < 0:
                settled = min(settled, opened)
        return min(settled, len(data) - self._redactor.begun(data))


_SECRET_NAME = re.compile(
    r"KEY|TOKEN(?!S|IZ)|SECRET|PASSW|PASSPHRASE|PWD$|CREDENTIAL|PRIVATE|(?:^|_)(?:PAT|AUTH|DSN|COOKIE|PASS|WEBHOOK)(?:_|$)"
)
_URL_PASSWORD = re.compile(r"://[^\s/:@]*:([^\s/@]+)@")
_PATH = re.compile(r"(?:/|~|\./|[A-Za-z]:\\)[\w .:/\\@+~-]*")
_ORDINARY = re.compile(r"[A-Za-z]{1,15}|[\d.:_-]{1,15}|[a-z]+(?:[-_ ][a-z]+)*")


def secrets_of(environ: Mapping[str, str]) -> set[str]:
    """The values of `environ` that must never be written: of variables with a secret's name, of passwords in URLs, of tokens by look.

    A value that is a path, a number or plain words is no secret, whatever its name.
    """
    secrets: set[str] = set()
    for name, value in environ.items():
        secrets.update(urllib.parse.unquote(match[1]) for match in _URL_PASSWORD.finditer(value))
        secrets.update(match[1] for match in _URL_PASSWORD.finditer(value))
        data = value.encode("utf-8", "surrogatepass")
        secrets.update(data[span.start : span.end].decode("utf-8", "replace") for span in tokens.found(data))
        named = _SECRET_NAME.search(name.upper()) is not None
        if named and not _PATH.fullmatch(value) and not _ORDINARY.fullmatch(value):
            secrets.add(value)
    return {secret for secret in secrets if len(secret) >= SHORTEST}
