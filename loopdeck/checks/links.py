"""The links check: relative links and anchors of Markdown and HTML files lead somewhere, told without a network.

The invariants: the same checkout always gets the same verdict, since nothing outside it is asked; a link to the web is looked at for
its syntax only, and the evidence says so; a glob that matches nothing is a finding, since no check passes because nothing ran.
"""

import posixpath
import re
from functools import lru_cache
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from loopdeck.checks.clock import Deadline, OutOfTime, in_thread
from loopdeck.checks.documents import HTML, MARKDOWN, Document, Link, read_html, read_markdown
from loopdeck.checks.grading import Stopwatch, capped, found, graded, sha256, share, timed, with_snippet
from loopdeck.checks.port import CheckContext
from loopdeck.checks.reading import Checkout
from loopdeck.core.findings import Evidence, Finding, Verdict
from loopdeck.core.globs import matches
from loopdeck.core.plural import some
from loopdeck.core.spec import CheckSpec

MOST_BYTES = 1_000_000
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):")
_LINES = re.compile(r"L(\d{1,9})(?:C\d+)?(?:-L?(\d{1,9})(?:C\d+)?)?")
_HOST = re.compile(r"[^\s<>\"\\^`{|}]+")


class LinksCheck:
    """Reads the files of the globs in the clean checkout."""

    async def run(self, spec: CheckSpec, context: CheckContext) -> tuple[Verdict, bytes]:
        """As `Check.run`; `timeout` is held between files."""
        watch = Stopwatch()
        survey = _Survey(spec, Checkout(context.checkout))
        try:
            await in_thread(survey.go, spec.timeout_s)
        except OutOfTime:
            survey.findings.insert(0, found(spec, f"timed out after {spec.timeout_s:g} s", criterion="time"))
        summary = survey.summary()
        output = "\n".join([*survey.report, summary, ""]).encode("utf-8", "replace")
        evidence = Evidence(command=f"links {' '.join(spec.links)}", output_hash=sha256(output), tail=summary, at=context.now)
        score = share(survey.total - survey.broken, survey.total) if survey.findings else 1.0
        return timed(graded(spec, "links", capped(spec, survey.findings), evidence, score=score), watch.seconds), output


class _Survey:
    """One walk over all files, with what it has found so far."""

    def __init__(self, spec: CheckSpec, checkout: Checkout) -> None:
        self._spec = spec
        self._checkout = checkout
        self._anchors = lru_cache(maxsize=2000)(self._read_anchors)
        self.findings: list[Finding] = []
        self.report: list[str] = []
        self.total = self.broken = self.web = self.files = 0

    def go(self, deadline: Deadline) -> None:
        named = self._checkout.matching(self._spec.links)
        readable = [path for path in named if PurePosixPath(path).suffix.lower() in MARKDOWN | HTML]
        for pattern in self._spec.links:
            if not any(matches(path, pattern) for path in readable):
                self.findings.append(found(self._spec, f"no file matches {pattern}, so no link was checked", criterion=pattern))
        for path in readable:
            deadline.step()
            self._file(path, deadline)

    def summary(self) -> str:
        web = f"; {self.web} of them lead to the web and were looked at for syntax only, without a network" if self.web else ""
        return f"{some(self.total, 'link')} in {some(self.files, 'file')} checked, {self.broken} broken{web}"

    def _file(self, path: str, deadline: Deadline) -> None:
        size = self._checkout.size(path)
        text = self._checkout.text(path, MOST_BYTES) if size <= MOST_BYTES else None
        self.files += 1
        if text is None:
            why = f"is too large to be checked ({size} bytes)" if size > MOST_BYTES else "can't be read inside the repository"
            self.findings.append(found(self._spec, f"the file {why}", path=path))
            return
        document = _read(path, text)
        for link in document.links:
            deadline.step()
            self._link(path, link)
        for link in document.undefined:
            self._count(path, link, f"[{link.target}] is defined nowhere in the file")

    def _link(self, path: str, link: Link) -> None:
        self._count(path, link, self._problem(path, link.target))

    def _count(self, path: str, link: Link, problem: str) -> None:
        self.total += 1
        self.report.append(f"{path}:{link.line} {problem or 'ok'} {link.target}"[:1000])
        if problem:
            self.broken += 1
            shown = link.target if len(link.target) <= 200 else f"{link.target[:199]}…"
            one = found(self._spec, f"broken link `{shown}`: {problem}", criterion=shown, path=path, line=link.line)
            self.findings.append(with_snippet(one, self._checkout.snippet(path, link.line) if self.broken <= 20 else ""))

    def _problem(self, source: str, target: str) -> str:
        target = target.strip()
        if not target:
            return "it leads nowhere"
        scheme = _SCHEME.match(target)
        if scheme is not None or target.startswith("//"):
            return self._elsewhere(scheme[1].lower() if scheme else "http", target)
        path, _, fragment = target.partition("#")
        path = unquote(path.partition("?")[0])
        if not path:
            return self._no_anchor(source, fragment) if "#" in target else ""
        if "\x00" in path:
            return "it holds a character that no file name can have"
        base = "" if path.startswith("/") else posixpath.dirname(source)
        wanted = posixpath.normpath(posixpath.join(base, path.lstrip("/") or "."))
        if wanted == ".." or wanted.startswith("../"):
            return "it leads out of the repository"
        match self._checkout.kind(wanted):
            case "file":
                return self._no_anchor(wanted, fragment)
            case "folder":
                return ""
            case "outside":
                return f"{wanted} is a symbolic link that leads out of the repository"
            case "other":
                return f"{wanted} is neither a file nor a folder"
        return f"there is no {wanted}{self._instead(wanted)}"

    def _elsewhere(self, scheme: str, target: str) -> str:
        if scheme == "file":
            return "it leads to a file of one machine only"
        if scheme not in {"http", "https"}:
            return ""
        self.web += 1
        try:
            parts = urlsplit(target)
            port = parts.port
        except ValueError:
            return "it is not a valid address"
        if not parts.hostname or not _HOST.fullmatch(parts.netloc) or port == 0 or re.search(r"[\s<>]", target):
            return "it is not a valid address"
        return ""

    def _no_anchor(self, path: str, fragment: str) -> str:
        name = unquote(fragment)
        if name in {"", "top"} or name.startswith(":~:"):
            return ""
        anchors = self._anchors(path)
        if anchors is not None and (name in anchors or name.removeprefix("user-content-") in anchors):
            return ""
        if lines := _LINES.fullmatch(name):
            return self._no_lines(path, max(int(one) for one in lines.groups() if one))
        if anchors is None:
            return ""
        near = _nearest(name, anchors)
        return f"{path} has no anchor #{name}" + (f", only #{near}" if near else "")

    def _no_lines(self, path: str, line: int) -> str:
        """What is wrong with a link to a line, as citations and code hosts write it."""
        text = self._checkout.text(path, MOST_BYTES) if self._checkout.size(path) <= MOST_BYTES else None
        count = line if text is None else len(text.splitlines())
        return "" if 1 <= line <= count else f"{path} has no line {line}, only {count}"

    def _read_anchors(self, path: str) -> frozenset[str] | None:
        """The anchors of a document, None for files whose anchors can't be told."""
        if PurePosixPath(path).suffix.lower() not in MARKDOWN | HTML or self._checkout.size(path) > MOST_BYTES:
            return None
        text = self._checkout.text(path, MOST_BYTES)
        return None if text is None else _read(path, text).anchors

    def _instead(self, wanted: str) -> str:
        for suffix in (".md", ".html", "/README.md"):
            if self._checkout.kind(wanted + suffix) == "file":
                return f", but {wanted}{suffix}"
        only = self._checkout.named(posixpath.basename(wanted))
        return f", but {only}" if only else ""


def _read(path: str, text: str) -> Document:
    return read_html(text) if PurePosixPath(path).suffix.lower() in HTML else read_markdown(text)


def _nearest(name: str, anchors: frozenset[str]) -> str:
    import difflib

    few = [anchor for anchor in sorted(anchors) if abs(len(anchor) - len(name)) <= 8][:200]
    return next(iter(difflib.get_close_matches(name[:100], few, 1, 0.75)), "")
