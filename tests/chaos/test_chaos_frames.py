"""Frames are found whatever pieces a stream comes in."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.frames import Direction, Frames, Head

CORRELATION_IDS = st.integers(-(2**31), 2**31 - 1)
HEADS = {
    "request": st.builds(Head, CORRELATION_IDS, st.integers(0, 100)),
    "response": CORRELATION_IDS.map(Head),
}
Frame = tuple[Head, bytes]


def framed(head: Head, rest: bytes) -> bytes:
    """A frame as it is on the wire."""
    key = b"" if head.api_key is None else struct.pack(">hh", head.api_key, 9)
    body = key + struct.pack(">i", head.correlation_id) + rest
    return struct.pack(">i", len(body)) + body


def found(of: Direction, chunks: Iterable[bytes]) -> list[Frame]:
    """The frames of a stream that is cut in pieces, put together again."""
    cutter, whole = Frames(of), True
    frames: list[Frame] = []
    for chunk in chunks:
        for part in cutter.cut(chunk):
            assert (part.head is not None) == whole, "a head begins each frame, and nothing else"
            head, data = (part.head, b"") if part.head is not None else frames.pop()
            frames.append((head, data + part.data))
            whole = part.ends
    assert whole
    return frames


def pieces(stream: bytes, borders: Iterable[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(border % (len(stream) + 1) for border in borders)})
    return [stream[begin:end] for begin, end in pairwise(places)]


@pytest.mark.parametrize("of", ["request", "response"])
@given(data=st.data())
def test_frames_cut_anywhere_are_the_frames_that_were_sent(of: Direction, data: st.DataObject) -> None:
    sent = data.draw(st.lists(st.tuples(HEADS[of], st.binary(max_size=40)), max_size=8))
    wire = [(head, framed(head, rest)) for head, rest in sent]
    stream = b"".join(frame for _, frame in wire)
    borders = data.draw(st.lists(st.integers(0, 500)))

    assert found(of, pieces(stream, borders)) == wire


@pytest.mark.parametrize(
    ("of", "head"), [("request", Head(7, 26)), ("request", Head(-1, 0)), ("response", Head(2**31 - 1))]
)
@pytest.mark.parametrize("rest", [b"", b"x", bytes(1000)])
@pytest.mark.parametrize("size", [1, 3, 4, 5, 11, 12, 13, 1 << 16])
def test_frames_in_pieces_of_one_size_are_found(of: Direction, head: Head, rest: bytes, size: int) -> None:
    frame = framed(head, rest)
    stream = frame * 3

    assert found(of, pieces(stream, range(0, len(stream), size))) == [(head, frame)] * 3


def test_what_came_of_a_frame_is_passed_on_before_the_rest_of_it_comes() -> None:
    frames = Frames("request")
    frame = framed(Head(7, 0), bytes(100))

    assert [part.data for part in frames.cut(frame[:50])] == [frame[:50]]
    assert [part.data for part in frames.cut(frame[50:])] == [frame[50:]]


@pytest.mark.parametrize(("of", "shortest"), [("request", 8), ("response", 4)], ids=["request", "response"])
def test_a_length_that_no_frame_can_have_is_refused(of: Direction, shortest: int) -> None:
    assert Frames(of).cut(struct.pack(">i", shortest) + bytes(shortest))
    for length in (shortest - 1, 0, -1, (1 << 30) + 1):
        with pytest.raises(ValueError, match="not Kafka's protocol"):
            Frames(of).cut(struct.pack(">i", length) + bytes(shortest))
