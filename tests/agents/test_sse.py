from hypothesis import given
from hypothesis import strategies as st

from loopdeck.agents.sse import EventSplitter

LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=20).map(str.encode)
EVENTS = st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=8)


@st.composite
def bodies(draw):
    """A body with its events' data, in any of the ways the standard allows."""
    end = draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    body, datas = b"", []
    for lines in draw(EVENTS):
        space = draw(st.sampled_from([b" ", b""]))
        if not space:
            lines = [line.lstrip(b" ") for line in lines]
        head = draw(st.sampled_from([b"", b"event: message" + end, b": a comment" + end, b"id: 7" + end + b"retry: 3" + end]))
        body += head + b"".join(b"data:" + space + line + end for line in lines) + end
        datas.append(b"\n".join(lines))
    return body, [data for data in datas if data], draw(st.integers(1, 40))


@given(bodies())
def test_the_same_events_come_out_however_the_body_is_cut(given_body):
    body, datas, size = given_body
    splitter = EventSplitter()
    heard = [data for start in range(0, len(body), size) for data in splitter.feed(body[start : start + size])]
    rest = splitter.close()
    assert heard + ([rest] if rest else []) == datas


def test_an_event_without_its_blank_line_comes_out_at_the_end():
    splitter = EventSplitter()
    assert splitter.feed(b"data: one\n\ndata: two") == [b"one"]
    assert splitter.close() == b"two"
    assert splitter.close() == b""


def test_comments_and_bare_names_are_no_events():
    assert EventSplitter().feed(b": keep-alive\n\nevent: ping\n\n\n\ndata: x\n\n") == [b"x"]
