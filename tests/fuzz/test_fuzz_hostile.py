"""Shapes that are made to break a parser, each at its size: an answer, in bounded memory and stack."""

from __future__ import annotations

import re
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.fuzz.rejections import assert_says_no_value
from tests.fuzz.targets.headers import consumed
from worker.adjudication.claim import Event
from worker.adjudication.decode import MAX_DEPTH, MAX_VALUE_BYTES, Headers, Rejected, decode
from worker.codes.errors import CodeSetError
from worker.codes.importing import ImportRefusedError, import_release
from worker.policies.catalog import check
from worker.stream.deadletters import ADDED, dead_letter, taken_apart
from worker.stream.deciding import event_of
from worker.stream.redrive.letter import letter_of
from worker.stream.traceparent import TRACEPARENT, origin

Answer = TypeVar("Answer")

HEAD = '{"specversion":"1.0","id":"evt-1","source":"/platform/claims","type":"mms.claim.voided.v1","data":'
HEADERS: list[tuple[str, bytes | None]] = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"evt-1"),
    ("ce_source", b"/platform/claims"),
    ("ce_type", b"mms.claim.voided.v1"),
]
BYTES_A_BYTE = 140
"""Memory that decoding asks for, for a byte of its input at the most.

An empty list is three bytes as JSON and 64 in Python. The worst are lists of small numbers, for which orjson
reserves 64 bytes each when it writes them; of that it touches the few that it needs.
"""
SPARE_BYTES = 1 << 20
STACK_BYTES = 1 << 19
"""Half a MiB: a sixteenth of what a thread has, so that recursion in C would be seen."""


def voided(extra: str) -> bytes:
    """A whole event with one more field in its data."""
    return f'{HEAD}{{"claim_id":"CLM-1","member_id":"MBR-1",{extra}}}}}'.encode()


def filled(unit: str, before: str = '"x":[', after: str = "]") -> bytes:
    """The same, with as many units, separated by commas, as the largest value has room for."""
    room = MAX_VALUE_BYTES - len(voided(before + after))
    count = room // (len(unit.encode()) + 1)
    return voided(before + ",".join([unit] * count) + after)


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    """Arrays or objects below the two of the event itself, ``depth`` with these."""
    inner = "1" if opening != "[" else ""
    return voided('"x":' + opening * (depth - 2) + inner + closing * (depth - 2))


def largest(value: bytes, behind: bytes) -> bytes:
    """The value with letters put in, as many as it has room for."""
    return value.replace(behind, behind + b"x" * (MAX_VALUE_BYTES - len(value)), 1)


ACCEPTED: dict[str, bytes] = {
    "nested as deep as may be": nested(MAX_DEPTH),
    "objects nested as deep as may be": nested(MAX_DEPTH, '{"x":', "}"),
    "a string of the largest size": largest(voided('"x":""'), b'"x":"'),
    "350,000 empty lists": filled("[]"),
    "350,000 empty objects": filled("{}"),
    "500,000 numbers": filled("1"),
    "90,000 long numbers": filled("1.000000001"),
    "100,000 escaped strings": filled('"\\u0061"'),
    "80,000 keys": voided(",".join(f'"k{number}":1' for number in range(80_000))),
    "the largest double": voided('"x":1.7976931348623157e308'),
    "a number below all doubles": voided('"x":1e-400'),
    "NUL, escaped": voided('"x":"\\u0000"'),
    "one emoji as two surrogates": voided('"x":"\\ud83d\\ude00"'),
}
REFUSED: dict[str, bytes] = {
    "nested one too deep": nested(MAX_DEPTH + 1),
    "nested 1,000 deep": nested(1_000),
    "nested 100,000 deep": nested(100_000),
    "objects nested 100,000 deep": nested(100_000, '{"x":', "}"),
    "half a million brackets that nothing closes": b"[" * 500_000,
    "100,000 times the same key": voided(",".join(['"x":1'] * 100_000)),
    "80,000 times the same key, escaped": voided(",".join(['"\\u0078":1'] * 80_000)),
    "an integer of 100,000 digits": voided('"x":' + "9" * 100_000),
    "an integer of 100,000 digits as a line": voided('"lines":[{"line":' + "9" * 100_000 + "}]"),
    "a fraction of 100,000 digits and an exponent": voided('"x":0.' + "9" * 100_000 + "e999"),
    "1e400": voided('"x":1e400'),
    "-1e400": voided('"x":-1e400'),
    "a lone surrogate": voided('"x":"\\ud800"'),
    "100,000 lone surrogates": voided('"x":"' + "\\ud800" * 100_000 + '"'),
    "a NUL byte": voided('"x":"\x00"'),
    "NUL bytes alone": b"\x00" * MAX_VALUE_BYTES,
    "invalid UTF-8 of the largest size": b"\xff" * MAX_VALUE_BYTES,
    "a byte order mark": b"\xef\xbb\xbf" + voided('"x":1'),
    "a string that nothing ends": voided('"x":1')[:-2] + b',"y":"' + b"\\\\" * 400_000,
    "one byte more than the largest": b" " * (MAX_VALUE_BYTES + 1),
    "a hundred times the largest": b"[" * (100 * MAX_VALUE_BYTES),
    "a claim id of the largest size": largest(voided('"x":1'), b'"claim_id":"'),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_only_looks_hostile_is_an_event(name: str) -> None:
    assert isinstance(measured(ACCEPTED[name]), Event)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_hostile_is_a_rejection(name: str) -> None:
    rejected = measured(REFUSED[name])
    assert isinstance(rejected, Rejected)
    assert_says_no_value(rejected)


def measured(value: bytes, headers: Headers = ()) -> Event | Rejected:
    """The value decoded on a small stack, with all the memory counted that Python was asked for."""
    tracemalloc.start()
    try:
        decoded = on_a_small_stack(lambda: decode(value, headers))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < BYTES_A_BYTE * min(len(value), MAX_VALUE_BYTES) + SPARE_BYTES, f"{peak:,} bytes"
    return decoded


def on_a_small_stack(work: Callable[[], Answer]) -> Answer:
    """What it answers, called by a thread with little room to recurse in C."""
    answers: list[Answer] = []
    before = threading.stack_size(STACK_BYTES)
    try:
        thread = threading.Thread(target=lambda: answers.append(work()))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    (answer,) = answers
    return answer


FLOODS: dict[str, Headers] = {
    "10,000 unknown ones": [(f"x-{number}", b"y") for number in range(10_000)],
    "10,000 of one unknown name": [("x", b"y")] * 10_000,
    "10,000 without a name": [("", None)] * 10_000,
    "10,000 traces": [(TRACEPARENT, b"00-" + b"1" * 52)] * 10_000,
    "10,000 content types": [("content-type", b"application/json")] * 10_000,
    "one of a MiB": [("x", b"y" * MAX_VALUE_BYTES)],
    "a name of a MiB": [("x" * MAX_VALUE_BYTES, b"y")],
    "10,000 of a dead letter": [(name, b"1") for name in ADDED] * 1_430,
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_headers_changes_nothing(name: str) -> None:
    value, flood = b'{"claim_id":"CLM-1","member_id":"MBR-1"}', [*FLOODS[name]]
    expected = decode(value, HEADERS)
    assert isinstance(expected, Event)
    for headers in ([*flood, *HEADERS], [*HEADERS, *flood]):
        assert event_of(consumed(value, headers)) == expected
        assert origin(headers) is None
        aside = dead_letter(consumed(value, headers), Rejected("contract", "$", "no such event type"))
        assert taken_apart(aside.headers) == (
            headers,
            [value.decode() for _, value in aside.headers[-len(ADDED) :]],
        )
        assert letter_of(consumed(value, aside.headers)).why is not None


def test_10_000_of_a_known_header_are_one_rejection() -> None:
    rejected = decode(b"{}", [("ce_id", b"evt-1")] * 10_000)
    assert rejected == Rejected("contract", "ce_id", "the header is there twice")


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type", "ce_time", "ce_specversion"])
def test_a_known_header_of_a_mib_is_a_rejection(name: str) -> None:
    others = [header for header in HEADERS if header[0] != name]
    rejected = measured(b"{}" + b" " * MAX_VALUE_BYTES, [*others, (name, b"x" * MAX_VALUE_BYTES)])
    assert isinstance(rejected, Rejected)
    assert_says_no_value(rejected)


POLICY = 'id = "ncci"\ntitle = "x"\nsource = "x"\npend = { group = "OA", carc = "133" }\n'
TOML: dict[str, tuple[bytes, str]] = {
    "arrays nested 1,000 deep": (b"x = " + b"[" * 1_000 + b"]" * 1_000, "nested too deep"),
    "arrays nested 100,000 deep": (b"x = " + b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
    "tables nested 100,000 deep": (b"x = " + b"{x = " * 100_000 + b"1" + b"}" * 100_000, "nested too deep"),
    "half a million brackets that nothing closes": (b"x = " + b"[" * 500_000, "nested too deep"),
    "an integer of 100,000 digits": (b"x = " + b"9" * 100_000, "a number in it has too many digits"),
    "1e400": (b"id = 1e400", "Expected `str`|unknown field"),
    "infinity as a threshold": (b"x = inf", "unknown field"),
    "a key 20,000 times": (b"x = 1\n" * 20_000, "not TOML: Cannot overwrite a value"),
    "20,000 tables": (b"".join(b"[x%d]\n" % number for number in range(20_000)), "unknown field"),
    "a string of a MiB": (b'id = "' + b"x" * MAX_VALUE_BYTES + b'"', "of length <= 80|unknown field"),
    "a lone surrogate, escaped": (b'id = "\\ud800"', "not TOML: Escaped character is not a Unicode scalar"),
    "a NUL byte": (b'id = "\x00"', "not TOML: Illegal character"),
    "invalid UTF-8": (b'id = "\xff"', "not UTF-8 at byte 6"),
    "a byte order mark": (b"\xef\xbb\xbf" + POLICY.encode(), "not TOML: Invalid statement"),
    "a date that does not exist": (b"x = 2026-02-30", "not TOML: Invalid date or datetime"),
}


@pytest.mark.parametrize("name", TOML)
@pytest.mark.parametrize("file", ["ncci.toml", "payers.toml"])
def test_a_hostile_policy_file_is_a_fault_of_it(name: str, file: str, tmp_path: Path) -> None:
    content, told = TOML[name]
    (tmp_path / file).write_bytes(content)
    reasons = [fault.reason for fault in check(tmp_path) if fault.file.name == file]
    assert any(re.search(told, reason) for reason in reasons), reasons


MUE = b"HCPCS/CPT Code,Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale\n"
ADD_ON = b"117312       17311       2013091\n"
PAIR = b"Column 1\tColumn 2\n17311\t11102\t \t20190101\t*\t1\tx\n"
RELEASES: dict[str, tuple[str, str, bytes]] = {
    "units of 100,000 digits": (
        "ncci-mue",
        "a.csv",
        MUE + b"17311," + b"9" * 100_000 + b",2 Date of Service Edit,x\n",
    ),
    "a cell of a million bytes": (
        "ncci-mue",
        "a.csv",
        MUE + b'"' + b"x" * 1_000_000 + b'",1,1 Line Edit,x\n',
    ),
    "a cell that nothing ends": ("ncci-mue", "a.csv", MUE + b'"17311,1,1 Line Edit,x\n' * 1001),
    "NUL bytes": ("ncci-mue", "a.csv", b"\x00" * 100_000),
    "a million empty lines": ("ncci-ptp", "a.txt", b"\n" * 1_000_000),
    "a million lines of nothing that is an edit": ("ncci-ptp", "a.txt", b"x\n" * 1_000_000),
    "one line of ten million bytes": ("icd10cm", "a.txt", b"0" * 10_000_000),
    "the same code a million times": ("icd10cm", "a.txt", b"00001 A00     0 x\n" * 1_000_000),
    "the year 0": ("ncci-aoc", "AOC_V0000Q1-MCR.txt", ADD_ON),
    "the fiscal year 1": ("icd10cm", "icd10cm_order_0001.txt", b"00001 A00     0 x\n"),
    "a part number of twenty digits": ("ncci-ptp", f"ccipra-v322r0-f{'9' * 20}.txt", PAIR),
}
"""Kind of import, name of the file, and what is in it."""


@pytest.mark.parametrize("name", RELEASES)
def test_a_hostile_release_is_refused(name: str, tmp_path: Path) -> None:
    kind, file, content = RELEASES[name]
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises((CodeSetError, ImportRefusedError)) as refused:
        import_release(kind, [path], tmp_path / "codes")
    assert len(str(refused.value)) > 0
    assert not (tmp_path / "codes").exists()
