"""A digest over records that anybody can compute, and that can be stopped."""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.replay.reading.archived import Line
from worker.replay.reading.chain import Chain, ChainState
from worker.stream.records import ESCAPED, RawName


def record(**changed: Any) -> Line:
    given = {"offset": 5, "timestamp": 7, "key": b"k", "value": b"v", "headers": [("a", b"1")], **changed}
    return Line("topic", 0, **given)


def digest(*records: Line) -> str:
    chain = Chain()
    chain.take(records)
    return chain.digest


def packed(value: Any) -> bytes:
    """MessagePack by hand, as far as the chain needs it."""
    match value:
        case None:
            return b"\xc0"
        case int() if 0 <= value < 128:
            return bytes([value])
        case int() if value < 0:
            return bytes([256 + value])
        case int():
            return b"\xcf" + struct.pack(">Q", value)
        case bytes():
            return b"\xc4" + bytes([len(value)]) + value
        case str():
            return bytes([0xA0 | len(value)]) + value.encode()
        case _:
            return bytes([0x90 | len(value)]) + b"".join(map(packed, value))


def test_the_digest_is_what_the_documentation_says() -> None:
    records = [
        record(),
        record(offset=2**40, timestamp=-1, key=None, value=b"", headers=()),
        record(headers=[("a", None), ("b", b"")]),
    ]
    expected = bytes(32)
    for each in records:
        headers = [list(header) for header in each.headers]
        content = [expected, each.offset, each.timestamp, each.key, each.value, headers]
        expected = sha256(packed(content)).digest()
    assert digest(*records) == expected.hex()


def test_it_begins_with_zeros() -> None:
    assert Chain().state == ChainState("00" * 32, 0)


@pytest.mark.parametrize(
    "changed",
    [
        {"offset": 6},
        {"timestamp": 8},
        {"key": None},
        {"key": b""},
        {"value": None},
        {"value": b""},
        {"value": b"w"},
        {"key": b"kv", "value": b""},
        {"headers": ()},
        {"headers": [("a", None)]},
        {"headers": [("a", b"")]},
        {"headers": [("a", b"1"), ("a", b"1")]},
        {"headers": [("a1", b"")]},
    ],
)
def test_whatever_changes_in_a_record_changes_the_digest(changed: dict[str, Any]) -> None:
    assert digest(record(**changed)) != digest(record())


def test_null_is_told_from_empty_and_order_counts() -> None:
    assert digest(record(value=None)) != digest(record(value=b""))
    assert digest(record(key=None)) != digest(record(key=b""))
    assert digest(record(), record(offset=6)) != digest(record(offset=6), record())


def test_a_header_whose_name_is_not_utf_8_counts_by_its_bytes() -> None:
    raw = RawName(b"a\xff".decode("utf-8", ESCAPED))
    other = RawName(b"a\xfe".decode("utf-8", ESCAPED))
    mixed = [("a", b"1"), (raw, b"1")]
    assert digest(record(headers=mixed)) != digest(record(headers=[("a", b"1"), (other, b"1")]))
    content = [bytes(32), 5, 7, b"k", b"v", [["a", b"1"], [b"a\xff", b"1"]]]
    assert digest(record(headers=mixed)) == sha256(packed(content)).hexdigest()


@given(st.lists(st.integers(0, 3), max_size=8))
def test_it_can_be_stopped_anywhere_and_taken_up_again(parts: list[int]) -> None:
    records = [record(offset=offset) for offset in range(sum(parts))]
    state, place = None, 0
    for part in parts:
        chain = Chain(state)
        chain.take(records[place : place + part])
        place += part
        state = msgspec.json.decode(msgspec.json.encode(chain.state), type=ChainState)
    whole = Chain()
    whole.take(records)
    assert (state or ChainState("00" * 32, 0)) == whole.state == ChainState(whole.digest, len(records))


@pytest.mark.parametrize("wrong", ["", "00", "xy" * 32])
def test_a_state_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        Chain(ChainState(wrong, 0))
