"""Text that means harm to a terminal or its reader, one family each, and the question whether some output is free of all of them."""

import re
import unicodedata

FAMILIES = {
    "colour": "\x1b[31;5mred",
    "clear the screen": "\x1b[2J\x1b[H",
    "cursor up and overwrite": "\x1b[3A\x1b[2Kapproved",
    "alternate screen": "\x1b[?1049h",
    "mouse reports": "\x1b[?1003h\x1b[?1006h",
    "title": "\x1b]0;pwned\x07",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "hyperlink": "\x1b]8;;https://evil.example/\x1b\\click\x1b]8;;\x1b\\",
    "title without an end": "\x1b]2;never ended",
    "device status": "\x1b[6n\x1b[c",
    "device control string": "\x1bP+q544e\x1b\\",
    "application command": "\x1b_Gf=100;AAAA\x1b\\",
    "privacy message": "\x1b^hidden\x1b\\",
    "reset": "\x1bc",
    "character set": "\x1b(0lqqk",
    "C1 sequence": "\x9b31mred\x9d0;title\x9c\x90x\x9c",
    "carriage return": "harmful\rharmless",
    "backspace": "rm -rf\x08\x08\x08\x08\x08\x08ls    ",
    "bell and other controls": "\x07\x0b\x0c\x0e\x0f\x1a\x7f",
    "bidi override": "\u202egnp.exe\u202c",
    "bidi isolate": "\u2066\u2067x\u2069\u200f",
    "zero width": "ev\u200bil\u200d\u2060\ufeff",
    "tag characters": "ok\U000e0072\U000e006d",
    "variation selectors": "a\ufe0f\U000e0101",
    "line separators": "one\u2028two\u2029three\x85four",
    "soft hyphen and fillers": "p\u00adass\u115f\u3164\uffa0",
    "marks in heaps": "Z" + "\u0335\u0489\u0301" * 40,
    "annotations": "\ufff9a\ufffab\ufffb",
}

ALL = " ".join(FAMILIES.values())

_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def harm_in(text: str) -> str:
    """The first harmful character of `text`, with what is around it; empty if there is none. Tabs and line ends are fine."""
    if found := _HARMFUL.search(text):
        return ascii(text[max(0, found.start() - 30) : found.start() + 30])
    marks = 0
    for place, character in enumerate(text):
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if marks > 8:
            return ascii(text[place - 20 : place])
    return ""


def mess_in(document: str) -> str:
    """As `harm_in`, of JSON, which must be plain ASCII."""
    return harm_in(document) or ("" if document.isascii() else "not ASCII")
