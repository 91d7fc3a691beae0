"""Bytes and headers that are no event each become one dead letter with its reason, and never an exception."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.adjudication.claim import ClaimVoided, Event
from worker.adjudication.decode import MAX_DEPTH, MAX_VALUE_BYTES, Headers, Rejected, decode

HEADERS: list[tuple[str, bytes]] = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"evt-1"),
    ("ce_source", b"/platform/claims"),
    ("ce_type", b"mms.claim.voided.v1"),
    ("content-type", b"application/json"),
]
VOIDED = b'{"claim_id":"CLM-1","member_id":"MBR-1"}'


def voided_with(extra: bytes) -> bytes:
    """Data of a voided claim with one more field, given as JSON text without its leading comma."""
    return b'{"claim_id":"CLM-1","member_id":"MBR-1",' + extra + b"}"


def envelope(data: bytes) -> bytes:
    head = b'{"specversion":"1.0","id":"evt-1","source":"/platform/claims","type":"mms.claim.voided.v1"'
    return head + b',"data":' + data + b"}"


def nested(depth: int) -> bytes:
    """Data whose arrays and objects, its own included, are that deep."""
    return voided_with(b'"x":' + b"[" * (depth - 1) + b"]" * (depth - 1))


def sized(size: int) -> bytes:
    padding = size - len(voided_with(b'"x":""'))
    return voided_with(b'"x":"' + b"x" * padding + b'"')


def dead_letter(value: bytes | None, headers: Headers = HEADERS) -> Rejected:
    rejected = decode(value, headers)
    assert isinstance(rejected, Rejected), rejected
    return rejected


@pytest.mark.parametrize("text", ["é", "\\u00e9"], ids=["fast way", "exact way"])
def test_the_plain_event_is_accepted(text: str) -> None:
    value = voided_with(f'"x":"{text}"'.encode())
    assert isinstance(decode(value, HEADERS), Event)
    assert isinstance(decode(envelope(value)), Event)


NOT_JSON: dict[str, bytes] = {
    "empty": b"",
    "space": b" ",
    "no JSON": b"claim",
    "byte order mark": b"\xef\xbb\xbf" + VOIDED,
    "UTF-16": VOIDED.decode().encode("utf-16-le"),
    "cut off": VOIDED[:-1],
    "trailing garbage": VOIDED + b"x",
    "two values": VOIDED + VOIDED,
    "trailing comma": voided_with(b'"x":1,'),
    "single quotes": VOIDED.replace(b'"', b"'"),
    "comment": VOIDED + b"// void",
    "leading zero": voided_with(b'"x":01'),
    "plus sign": voided_with(b'"x":+1'),
    "hexadecimal": voided_with(b'"x":0x1f'),
    "raw newline in a string": voided_with(b'"x":"a\nb"'),
    "raw NUL": VOIDED + b"\x00",
    "lone high surrogate": voided_with(rb'"x":"\ud800"'),
    "lone low surrogate": voided_with(rb'"x":"\udc00"'),
    "surrogates in the wrong order": voided_with(rb'"x":"\udc00\ud800"'),
    "surrogate in a key": voided_with(rb'"\ud800":1'),
    "number that no double holds": voided_with(b'"x":1e999'),
    "negative number that no double holds": voided_with(b'"x":-1e999'),
    "integer of 400 digits": voided_with(b'"x":' + b"1" * 400),
    "integer of 5,000 digits": voided_with(b'"x":' + b"1" * 5000),
    "integer of 5,000 digits beside an escape": voided_with(rb'"y":"\n","x":' + b"1" * 5000),
    "nested one level too deep": nested(MAX_DEPTH + 1),
    "nested 1,024 deep": nested(1024),
    "nested 100,000 deep": nested(100_000),
    "nested 100,000 deep in objects": voided_with(b'"x":' + b'{"x":' * 100_000 + b"1" + b"}" * 100_000),
    "nested too deep beside an escape": nested(MAX_DEPTH + 1).replace(b"x", rb"\n"),
    "nested too deep and cut off": nested(5000)[:-5000],
    "nested too deep around NaN": nested(900).replace(b"[]", b"[NaN]"),
}

NOT_UNAMBIGUOUS: dict[str, bytes] = {
    "NaN": voided_with(b'"x":NaN'),
    "Infinity": voided_with(b'"x":Infinity'),
    "-Infinity": voided_with(b'"x":-Infinity'),
    "NaN inside": voided_with(b'"x":[{"y":[NaN]}]'),
    "key twice": voided_with(b'"claim_id":"CLM-2"'),
    "key twice with the same value": voided_with(b'"claim_id":"CLM-1"'),
    "key twice, once with an escape": voided_with(rb'"cl\u0061im_id":"CLM-2"'),
    "key twice, with a space before the colon": voided_with(b'"claim_id" :"CLM-2"'),
    "key twice, with a newline before the colon": voided_with(b'"claim_id"\r\n\t:"CLM-2"'),
    "unknown key twice": voided_with(b'"x":1,"x":2'),
    "unknown key twice, both with spaces": voided_with(b'"x" : 1, "x" : 2'),
    "empty key twice": voided_with(b'"":1,"":2'),
    "key twice inside": voided_with(b'"x":{"y":1,"y":1}'),
    "key twice in a list": voided_with(b'"x":[[{"y":1},{"y":1,"y":2}]]'),
    "key twice among colons": voided_with(b'"x":":","x":":"'),
    "key twice beside an escaped quote": voided_with(rb'"x":"\":","y":1,"y":2'),
    "key twice around a dropped key": voided_with(b'"x":{"y":1},"x":{"z":1}'),
    "overlong UTF-8": voided_with(b'"x":"\xc0\x80"'),
    "UTF-8 cut off": voided_with(b'"x":"\xe2\x82"'),
    "encoded surrogate": voided_with(b'"x":"\xed\xa0\x80"'),
    "Latin-1": voided_with(b'"x":"caf\xe9"'),
    "not UTF-8 in a key": voided_with(b'"\xff":1'),
}


@pytest.mark.parametrize("wrap", [bytes, envelope], ids=["binary", "structured"])
@pytest.mark.parametrize("name", NOT_JSON)
def test_bytes_that_are_not_json_are_undecodable(name: str, wrap: Callable[[bytes], bytes]) -> None:
    value = NOT_JSON[name]
    headers = HEADERS if wrap is bytes else []
    if name == "byte order mark" and wrap is envelope:
        value = b'"\xef\xbb\xbf' + value  # inside the value the mark is a character out of place
    rejected = dead_letter(wrap(value), headers)
    assert (rejected.reason, rejected.path) == ("undecodable", "$")


@pytest.mark.parametrize("wrap", [bytes, envelope], ids=["binary", "structured"])
@pytest.mark.parametrize("name", NOT_UNAMBIGUOUS)
def test_json_that_parsers_may_read_differently_breaks_the_contract(
    name: str, wrap: Callable[[bytes], bytes]
) -> None:
    rejected = dead_letter(wrap(NOT_UNAMBIGUOUS[name]), HEADERS if wrap is bytes else [])
    assert (rejected.reason, rejected.path) == ("contract", "$")


@pytest.mark.parametrize(
    "extra",
    [
        b'"x":":","y":":"',
        b'"x":{"y":1},"z":{"y":1}',
        b'"x":[{"y":1},{"y":1}]',
        rb'"x":"\":\":"',
        b'"x" : 1',
        b'":":1,"::":2',
        '"é":1,"e\u0301":2'.encode(),
        b'"x":1,"X":2',
        b'"x":"\x7f"',
        b'"x":123456789012345678901234567890',
        b'"x":1e308',
        rb'"x":"\ud83d\ude00"',
    ],
)
def test_json_that_only_looks_ambiguous_is_accepted(extra: bytes) -> None:
    assert isinstance(decode(voided_with(extra), HEADERS), Event)
    assert isinstance(decode(envelope(voided_with(extra))), Event)


@pytest.mark.parametrize("replace", [(b"", b""), (b"x", rb"\n")], ids=["fast way", "exact way"])
def test_the_depth_limit_does_not_depend_on_the_way_or_on_the_stack(replace: tuple[bytes, bytes]) -> None:
    deepest, deeper = (nested(depth).replace(*replace, 1) for depth in (MAX_DEPTH, MAX_DEPTH + 1))

    def below(frames: int, value: bytes) -> Event | Rejected:
        return below(frames - 1, value) if frames else decode(value, HEADERS)

    assert isinstance(decode(deepest, HEADERS), Event)
    assert isinstance(decode(deeper, HEADERS), Rejected)
    for frames in (0, sys.getrecursionlimit() // 3):
        assert below(frames, deepest) == decode(deepest, HEADERS)
        assert below(frames, deeper) == decode(deeper, HEADERS)


def test_a_value_has_at_most_1_mib() -> None:
    assert isinstance(decode(sized(MAX_VALUE_BYTES), HEADERS), Event)
    rejected = dead_letter(sized(MAX_VALUE_BYTES + 1))
    assert (rejected.reason, rejected.path) == ("too_large", "$")
    assert dead_letter(b"\xff" * (MAX_VALUE_BYTES + 1)).reason == "too_large"


def test_a_null_value_is_undecodable() -> None:
    assert dead_letter(None) == Rejected("undecodable", "$", "the value is null")
    assert dead_letter(None, ()) == Rejected("undecodable", "$", "the value is null")


@pytest.mark.parametrize("value", [b"null", b"[]", b'"claim"', b"1", b"true", b"[" + VOIDED + b"]"])
def test_json_that_is_no_object_breaks_the_contract(value: bytes) -> None:
    assert dead_letter(value).reason == "contract"
    assert dead_letter(value, ()).reason == "contract"


@pytest.mark.parametrize(
    ("value", "at"),
    [(b"{x}", 1), (b'{"claim_id":"\xc3\xa9",]', 17), ('{"x":"氏"}y'.encode(), 11), (b'{"x":1e999}', 5)],
)
def test_a_syntax_error_names_the_byte(value: bytes, at: int) -> None:
    assert dead_letter(value).message.endswith(f"at byte {at}")


def without(name: str) -> list[tuple[str, bytes | None]]:
    return [header for header in HEADERS if header[0] != name]


@pytest.mark.parametrize("name", ["ce_specversion", "ce_id", "ce_source", "ce_type"])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ([], "the header is missing"),
        ([b""], None),
        ([None], None),
        ([b"\xff"], "the header is not UTF-8"),
        ([b"1.0", b"1.0"], "the header is there twice"),
    ],
    ids=["missing", "empty", "null", "not UTF-8", "twice"],
)
def test_a_header_at_fault_is_the_path(name: str, fault: list[bytes | None], message: str | None) -> None:
    rejected = dead_letter(VOIDED, [*without(name), *((name, value) for value in fault)])
    assert (rejected.reason, rejected.path) == ("contract", name)
    assert message is None or rejected.message == message


def test_a_time_that_is_no_timestamp_is_rejected_and_an_absent_one_is_not() -> None:
    assert isinstance(decode(VOIDED, [*HEADERS, ("ce_time", b"2026-05-04T14:05:00Z")]), Event)
    assert dead_letter(VOIDED, [*HEADERS, ("ce_time", b"yesterday")]).path == "ce_time"


def test_an_unknown_type_is_its_own_reason_in_both_modes() -> None:
    rejected = dead_letter(VOIDED, [*without("ce_type"), ("ce_type", b"mms.claim.paid.v1")])
    assert (rejected.reason, rejected.path) == ("unknown_type", "ce_type")
    rejected = dead_letter(envelope(VOIDED).replace(b"voided", b"paid"), ())
    assert (rejected.reason, rejected.path) == ("unknown_type", "$.type")


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/cloudevents+json",
        b"application/cloudevents+json; charset=UTF-8",
        b"Application/CloudEvents+JSON",
    ],
)
def test_the_content_type_decides_for_structured_mode_wherever_it_stands(content_type: bytes) -> None:
    strange: list[tuple[str, bytes | None]] = [("ce_id", b"\xff"), ("ce_type", b"other")]
    mode = ("content-type", content_type)
    assert isinstance(decode(envelope(VOIDED), [mode, *strange]), Event)
    assert isinstance(decode(envelope(VOIDED), [*strange, mode]), Event)


def test_headers_that_the_contract_does_not_know_are_ignored() -> None:
    extra: list[tuple[str, bytes | None]] = [
        ("traceparent", b"\xff"), ("ce_subject", None), ("ce_subject", b"twice"), ("content-type", None),
    ]  # fmt: skip
    decoded = decode(VOIDED, [*extra, *HEADERS])
    assert decoded == decode(VOIDED, HEADERS)
    assert isinstance(decoded, Event)
    assert decoded.data == ClaimVoided("CLM-1", "MBR-1")
    assert decode(envelope(VOIDED), [("traceparent", b"\xff")]) == decoded


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60),
    st.lists(st.tuples(st.sampled_from([n for n, _ in HEADERS]), st.none() | st.binary())),
)
def test_no_bytes_and_no_headers_raise(value: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    assert isinstance(decode(value, headers), Rejected)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_to_a_good_event_raises(data: st.DataObject) -> None:
    value = bytearray(envelope(VOIDED))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(value) - 1))
        kept = data.draw(st.integers(0, 3))
        piece: Any = data.draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b"\\", b"{", b"[", b"NaN", b":", b","])
        )
        value[place : place + kept] = piece
        value = value or bytearray(b"{")
    assert isinstance(decode(bytes(value)), Event | Rejected)
