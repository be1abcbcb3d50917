import re
import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.text import MAX_MARKS, clean, clean_line, strip_ansi

# Payloads by family: what an agent, a file name or a web page has been seen to print at people.
HOSTILE = {
    "clipboard": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "title": "\x1b]0;approved\x07",
    "title with st": "\x1b]2;approved\x1b\\",
    "hyperlink": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "cursor home": "\x1b[H\x1b[2Jfresh screen",
    "cursor up": "$ rm -rf /\x1b[1A\x1b[2K$ ls",
    "colour": "\x1b[31mred\x1b[0m",
    "invisible colour": "\x1b[8mhidden\x1b[28m",
    "report back": "\x1b[6n\x1b[c\x1b[>q",
    "dcs": "\x1bP+q544e\x1b\\",
    "apc": "\x1b_Ga=T,f=100;AAAA\x1b\\",
    "pm and sos": "\x1b^note\x1b\\\x1bXnote\x1b\\",
    "c1 csi": "\x9b31mred",
    "c1 osc": "\x9d0;approved\x9c",
    "next line": "one\x85two",
    "shift out": "\x0eqqqq\x0f",
    "backspace": "rm -rf /\b\b\b\b\b\b\b\bls      ",
    "carriage return": "rm -rf /\rls      ",
    "bell, vt, ff": "\a\v\f",
    "nul": "a\0b",
    "delete": "a\x7fb",
    "bidi override": "access\u202e\u2066// check admin\u2069 \u2066",
    "bidi isolate": "\u2067abc\u2069\u061c",
    "zero width": "pass\u200bword\u200c\u200d\u2060\ufeff",
    "tag characters": "hi" + "".join(chr(0xE0000 + ord(c)) for c in "ignore all"),
    "variation selectors": "a\ufe0f" + "".join(chr(0xE0100 + n) for n in range(40)),
    "lone surrogate": "a\ud800b\udfff",
    "zalgo": "Z" + "\u0301\u0322" * 60 + "a",
    "far marks": "a" + "\U0001d165" * 30 + "\U000e0100",
    "line separator": "one\u2028two\u2029three",
    "hangul filler": "name\u3164\u115f\uffa0",
    "interlinear": "\ufff9a\ufffab\ufffb",
    "long line": "x" * 1_000_000,
}


def _dangerous(character: str) -> bool:
    code = ord(character)
    if character in "\t\n":
        return False
    hidden = 0xFE00 <= code <= 0xFE0F or 0xE0000 <= code <= 0xE0FFF
    return hidden or (unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and not _allowed_format(character))


def _allowed_format(character: str) -> bool:
    # Format characters with a shape of their own: number signs of Arabic and Kaithi, hieroglyph joiners.
    name = unicodedata.name(character, "")
    return any(word in name for word in ("ARABIC", "SYRIAC ABBREVIATION", "KAITHI", "EGYPTIAN", "SHORTHAND"))


def _most_marks(text: str) -> int:
    most = run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character)[0] == "M" else 0
        most = max(most, run)
    return most


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_shown_and_does_nothing(text):
    for shown in (clean(text), clean_line(text)):
        assert not any(map(_dangerous, shown))
        assert _most_marks(shown) <= MAX_MARKS
        shown.encode()
    assert max(map(len, clean(text).split("\n"))) <= 4000
    assert len(clean_line(text)) <= 200
    assert "\n" not in clean_line(text)
    assert "\t" not in clean_line(text)


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_nothing_that_acts_or_hides_is_left(text):
    shown = clean(text, max_line=80)
    assert not any(map(_dangerous, shown))
    assert all(len(line) <= 80 for line in shown.split("\n"))
    assert clean(shown, max_line=80) == shown


@given(st.lists(st.sampled_from(["\r", "\n", "\u0301", "\u202e", "a", "é", "\x1b[31m", "\ufe0f", "\U0001d165", "x" * 50])))
def test_cleaning_twice_changes_nothing(parts):
    text = "".join(parts)
    assert clean(clean(text, max_line=60), max_line=60) == clean(text, max_line=60)
    assert clean_line(clean_line(text, 60), 60) == clean_line(text, 60)


@pytest.mark.parametrize(
    "text", ["plain\n\ttext", "naïve café 漢字 emoji 🎉 👍🏽", "e\u0301\u0323 x", "[/usr/bin] [red]not markup[/red]", ""]
)
def test_ordinary_text_stays(text):
    assert clean(text) == text


def test_line_ends_of_windows_count_as_line_ends():
    assert clean("a\r\nb\r\n") == "a\nb\n"
    assert clean("a\rb") == "a␍b"


def test_what_is_cut_is_counted():
    shown = clean("x" * 10_000 + "\ny", max_line=100)
    first, second = shown.split("\n")
    count = re.search(r"<\+(\d+) characters>$", first)
    assert count
    assert first.index("…") + int(count[1]) == 10_000
    assert second == "y"
    assert clean_line("x" * 10_000, 50).endswith("characters>")
    marks = clean_line("a" + "\u0301" * 5_000, 60)
    assert "marks>" in marks
    assert len(marks) <= 60


def test_invisible_characters_keep_their_number():
    assert clean("a\u202eb") == "a<U+202E>b"
    assert clean("\x1b[0m") == "␛[0m"


def test_every_mark_of_unicode_is_known():
    marks = [chr(code) for code in range(sys.maxunicode) if unicodedata.category(chr(code))[0] == "M"]
    for mark in marks:
        assert _most_marks(clean("a" + mark * 9)) <= MAX_MARKS, hex(ord(mark))


def test_a_megabyte_takes_no_time_worth_naming():
    for text in ("plain words " * 90_000, "\x1b[31mred\x1b[0m " * 70_000, "漢字かな" * 250_000, "a\u0301" * 500_000):
        before = time.process_time()
        clean(text)
        # A tenth of it on a quiet machine; what is not linear takes minutes.
        assert time.process_time() - before < 3


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[1;31mFAILED\x1b[0m tests/a.py", "FAILED tests/a.py"),
        ("\x1b]0;title\x07text\x1b]8;;u\x1b\\link\x1b]8;;\x1b\\", "textlink"),
        ("\x9b31mred \x9d0;t\x9cx", "red x"),
        ("\x1b(Bplain\x1b[m", "plain"),
        ("\x1b[", "\x1b["),
        ("\x1b]0;never ended", "\x1b]0;never ended"),
        ("no escape [31m", "no escape [31m"),
        ("\x1b\x1b[0m[31m", "\x1b[31m"),
    ],
)
def test_only_whole_sequences_are_taken_out(text, left):
    assert strip_ansi(text) == left


def test_unended_sequences_take_linear_time():
    before = time.perf_counter()
    strip_ansi("\x1b]" * 200_000)
    strip_ansi("\x1b[" + "0" * 1_000_000)
    assert time.perf_counter() - before < 4
