"""Links and anchors of a Markdown or HTML document.

Pure. Anchors are those that GitHub gives headings (lower case, punctuation dropped, spaces to hyphens, `-1` for the second of a
name), explicit `id` and `name` attributes, and `{#id}` behind a heading. The invariant: any text is taken without an error, and the
work grows with its length, not faster.
"""

import html
import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MARKDOWN = frozenset({".md", ".markdown", ".mdown", ".mkd", ".mdx"})
HTML = frozenset({".html", ".htm", ".xhtml"})


class Link(Struct, frozen=True):
    """A link or image: what it points at, as written, and the line to mend."""

    target: str
    line: int


class Document(Struct, frozen=True):
    """`undefined` are references to labels that the document defines nowhere, so that readers see brackets instead of a link."""

    links: tuple[Link, ...] = ()
    anchors: frozenset[str] = frozenset()
    undefined: tuple[Link, ...] = ()


_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(?:.*\n)*?\1[ \t]*(?:\n|\Z)")
_SLUG_DROPS = re.compile(r"[^\w\- ]")
_EXPLICIT_ID = re.compile(r"\s*\{#([\w:.-]{1,200})\}\s*$")
_UNDEFINED = re.compile(r"(?<![\w\]\\])\[([^\[\]]{1,300})\]\[([^\[\]^][^\[\]]{0,300})\]")
_TAG = re.compile(r"""<[a-zA-Z](?:[^<>"']|"[^"<]*"|'[^'<]*')*+>""")
_ATTRIBUTE = re.compile(r"""(?<=[\s"'])(href|src|id|name)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_UNREAD = re.compile(r"(<(script|style|textarea)\b[^<>]*>).*?(?:(?=</\2)|\Z)", re.DOTALL | re.IGNORECASE)


def slug(heading: str) -> str:
    """The anchor of a heading's text."""
    return _SLUG_DROPS.sub("", heading.lower()).replace(" ", "-")


def read_html(text: str) -> Document:
    """Links (`href`, `src`) and anchors (`id`, `name`) of an HTML document; comments, scripts and styles are passed over."""
    text = _COMMENT.sub(_blank, text)
    text = _UNREAD.sub(lambda found: found[1] + "\n" * found[0].count("\n", len(found[1])), text)
    links, anchors = _of_tags(text, 1)
    return Document(tuple(links), frozenset(anchors))


def read_markdown(text: str) -> Document:
    """Links and anchors of a CommonMark document with tables; code is passed over, and a front matter block too."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    front = _FRONT_MATTER.match(text)
    if front is not None:
        text = "\n" * front[0].count("\n") + text[front.end() :]
    env: dict[str, dict[str, dict[str, Sequence[int]]]] = {}
    reader = _Reader(env)
    tokens = _parser().parse(text, env)
    for at, token in enumerate(tokens):
        line = token.map[0] + 1 if token.map else 1
        if token.type == "inline":
            reader.inline(token.children or [], line)
            if tokens[at - 1].type == "heading_open":
                reader.heading(token.children or [])
        elif token.type == "html_block":
            reader.markup(token.content, line)
    return reader.document()


class _Reader:
    """Gathers links and anchors token by token."""

    def __init__(self, env: dict[str, dict[str, dict[str, Sequence[int]]]]) -> None:
        self._env = env
        self._links: list[Link] = []
        self._undefined: list[Link] = []
        self._anchors: set[str] = set()
        self._taken: dict[str, int] = {}

    def document(self) -> Document:
        return Document(tuple(dict.fromkeys(self._links)), frozenset(self._anchors), tuple(dict.fromkeys(self._undefined)))

    def inline(self, children: "Sequence[Token]", line: int) -> None:
        for child in children:
            match child.type:
                case "softbreak" | "hardbreak":
                    line += 1
                case "link_open":
                    self._links.append(Link(str(child.attrGet("href") or ""), self._line(child, line)))
                case "image":
                    self._links.append(Link(str(child.attrGet("src") or ""), self._line(child, line)))
                    self.inline(child.children or [], line)
                case "html_inline":
                    self.markup(child.content, line)
                    line += child.content.count("\n")
                case "text":
                    self._undefined.extend(Link(found[2], line) for found in _UNDEFINED.finditer(child.content))

    def _line(self, token: "Token", line: int) -> int:
        """A link by reference is mended where its label is defined."""
        defined = self._env.get("references", {}).get(token.meta.get("label", ""), {}).get("map")
        return defined[0] + 1 if defined else line

    def heading(self, children: "Sequence[Token]") -> None:
        text = _text_of(children)
        if explicit := _EXPLICIT_ID.search(text[-250:]):
            self._anchors.add(explicit[1])
            text = text[: text.rindex("{#")].rstrip()
        # Where a heading begins or ends in an image, renderers differ on whether a hyphen is left.
        for name in {slug(text), slug(text.strip())}:
            self._claim(name)

    def _claim(self, name: str) -> None:
        count = self._taken.get(name, 0)
        self._taken[name] = count + 1
        self._anchors.add(f"{name}-{count}" if count else name)

    def markup(self, text: str, line: int) -> None:
        links, anchors = _of_tags(_COMMENT.sub(_blank, text), line)
        self._links.extend(links)
        self._anchors.update(anchors)


def _text_of(children: "Sequence[Token]") -> str:
    return "".join(child.content for child in children if child.type in {"text", "code_inline", "text_special"})


def _of_tags(text: str, first_line: int) -> tuple[list[Link], set[str]]:
    links: list[Link] = []
    anchors: set[str] = set()
    ends = [found.start() for found in re.finditer("\n", text)]
    for tag in _TAG.finditer(text):
        for attribute in _ATTRIBUTE.finditer(tag[0]):
            value = html.unescape(next((part for part in attribute.groups()[1:] if part is not None), ""))
            if attribute[1].lower() in {"href", "src"}:
                links.append(Link(value.strip(), first_line + bisect_right(ends, tag.start() + attribute.start())))
            else:
                anchors.add(value)
    return links, anchors


def _blank(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"store_labels": True}).enable(["table", "strikethrough"])
    # Every target is wanted as it was written, a forbidden or odd one most of all.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    return parser
