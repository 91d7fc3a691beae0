"""Events whose every field is a marker, and where the markers are found again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from tests.contract.modes import binary
from tests.contract.mutants import places, replaced
from tests.stream.letterkit import SENT_MS
from tests.stream.streamkit import Input
from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED
from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.stream.outgoing import Outgoing
from worker.stream.records import RawName

CLAIM = "Kc5Vy"
"""Begins every claim id: the one thing of a claim that a log may say."""
NAME = "Hn3Tz"
"""Begins the names of headers that the contract does not know: ``dlq show`` says those, nothing else may."""
TEXT = "Zq7Wx"
"""Is in every other field that takes any text, and in every name that the contract does not know."""
NUMBER = 86_420_975

FORMED = {
    "a diagnosis": "Q7Q.WXQ9",
    "a procedure": "ZQ7WX",
    "a modifier": "QZ",
    "a charge": "97531246.80",
    "a diameter": "7531.8642",
    "a line's number": "864209",
    "units": "7531",
    "a day of service": "2026-02-17",
    "a date of receipt": "2026-02-19",
    "a time": "2026-02-20T03:04:05.678912Z",
    "a site": "eyelid",
    "a side": "midline",
    "a histology": "spiky-cell-groups",
    "a structure": "major-vessel",
}
"""What fields that take no text are filled with."""

_FOUND = re.compile(
    rf"{TEXT}|{NUMBER}|(?<![\w.-])(?:{'|'.join(map(re.escape, FORMED.values()))})(?![\w-])", re.IGNORECASE
)
_ESCAPES = re.compile(r"(?:\x1b|\\x1b|\\u001b)\[[0-9;]*m|\\[nrt]")


def quoted(text: str, *, allowed: str = "") -> set[str]:
    """The markers in a text, but for the kind that is allowed there: ``CLAIM`` or ``NAME``."""
    text = _ESCAPES.sub(" ", text)
    found = set(_FOUND.findall(text))
    return found | {kind for kind in (CLAIM, NAME) if kind != allowed and kind.lower() in text.lower()}


def story(member: int) -> list[dict[str, Any]]:
    """An event of each kind about a member's claim, and a replacement; all of them are decided."""
    name = f"{TEXT}-member-{member}"
    first, second = f"{CLAIM}-{member}-a", f"{CLAIM}-{member}-b"
    about = {"claim_id": first, "member_id": name}
    return [
        _event(SUBMITTED, member, 1, _claim(first, name)),
        _event(
            DOCUMENTED, member, 2, {**about, "received_date": "2026-02-19", "documentation": _documentation()}
        ),
        _event(EXPIRED, member, 3, {**about, "expired_date": "2026-02-19"}),
        _event(
            SUBMITTED, member, 4, _claim(second, name) | {"frequency_code": "7", "original_claim_id": first}
        ),
        _event(VOIDED, member, 5, {**about, "claim_id": second}),
    ]


def stories(members: Iterable[int]) -> list[Input]:
    """The stories of several members, by turns in structured and in binary mode."""
    return [
        sent(event, in_binary=(member + place) % 2 == 0)
        for member in members
        for place, event in enumerate(story(member))
    ]


def sent(event: dict[str, Any], *, in_binary: bool = False) -> Input:
    """An event as a record, with headers that the contract does not know."""
    own = [
        (f"{NAME}-header", f"{TEXT}-value".encode()),
        ("traceparent", f"00-{TEXT}-{TEXT}-01".encode()),
        ("mms.dlq.path", f"{TEXT}.path".encode()),
    ]
    key = event["data"]["member_id"].encode()
    if in_binary:
        value, headers = binary(event)
        return Input(key, value, headers=[*headers, *own])
    return Input(key, orjson.dumps(event), headers=own)


def spoiled(member: int) -> Iterator[Input]:
    """Records that become dead letters, with a marker where the fault is; each of them is a member's."""
    events = story(member)
    for event in events:
        for path in places(event):
            for value in (f"{TEXT}\n{CLAIM}\x1b[31m", NUMBER, [TEXT], {TEXT: CLAIM}):
                if path != ("data", "member_id"):
                    yield from _both(event, replaced(event, path, value))
    yield from _undecodable(events[0])
    yield from _out_of_place(events)


def with_raw_name(member: int) -> Outgoing:
    """A record with a header whose name is not UTF-8, which no ordinary producer sends."""
    good = sent(story(member)[0])
    name = RawName(f"\udcff{NAME}")
    return Outgoing(good.key, good.value, SENT_MS, [(name, TEXT.encode()), *good.headers])


def _both(event: dict[str, Any], changed: dict[str, Any]) -> Iterator[Input]:
    key = event["data"]["member_id"].encode()
    yield Input(key, json.dumps(changed).encode())
    if isinstance(changed.get("data"), dict):
        value, headers = binary(changed)
        yield Input(key, value, headers=headers)


def _undecodable(event: dict[str, Any]) -> Iterator[Input]:
    good = sent(event)
    whole = good.value or b""
    changes: Sequence[bytes] = (
        whole[:-7],
        whole.replace(TEXT.encode(), TEXT.encode() + b"\xff"),
        whole.replace(b'"data"', b'"data":{"%s":NaN},"data"' % TEXT.encode()),
        f'"{TEXT}'.encode(),
        TEXT.encode(),
        b"\xff\xfe" + TEXT.encode("utf-16-le"),
        f'{{"{TEXT}":{NUMBER}e999}}'.encode(),
        b"[" * 300 + whole + b"]" * 300,
        whole[:-1] + b',"padding":"' + TEXT.encode() * (MAX_VALUE_BYTES // len(TEXT)) + b'"}',
    )
    yield from (good._replace(value=change) for change in changes)
    value, headers = binary(event)
    for name, _ in headers:
        others = [header for header in headers if header[0] != name]
        yield Input(good.key, value, headers=[*others, (name, TEXT.encode() + b"\xff")])
        yield Input(good.key, value, headers=[*headers, (name, TEXT.encode())])


def _out_of_place(events: Sequence[dict[str, Any]]) -> Iterator[Input]:
    """Another's key, and events that contradict those before them."""
    good = sent(events[0])
    yield good._replace(key=f"{TEXT}-another".encode())
    unknown = _event(VOIDED, 0, 9, {**events[4]["data"], "claim_id": f"{CLAIM}-never-seen"})
    yield Input(good.key, orjson.dumps(unknown))
    other = events[4] | {"data": {**events[4]["data"], TEXT: TEXT, "claim_id": f"{CLAIM}-other"}}
    yield Input(good.key, orjson.dumps(other))
    yield Input(good.key, orjson.dumps(events[0] | {"type": f"mms.{TEXT}.v1"}))


def _event(kind: str, member: int, number: int, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{TEXT}-event-{member}-{number}",
        "source": f"/{TEXT}/source",
        "type": kind,
        "time": FORMED["a time"],
        "subject": f"{TEXT}-subject",
        f"{TEXT.lower()}extension": TEXT,
        "data": data,
    }


def _claim(name: str, member: str) -> dict[str, Any]:
    line = {"units": 1, "modifiers": ["QZ"], "service_date": "2026-02-17", "charge": "97531246.80"}
    return {
        "claim_id": name,
        "member_id": member,
        "payer_id": f"{TEXT} payer",
        "frequency_code": "1",
        "original_claim_id": None,
        "received_date": "2026-02-19",
        "billing_provider": {"npi": f"{TEXT}-npi", "tin": f"{TEXT}-tin"},
        "rendering_provider": {"npi": f"{TEXT}-rendering"},
        "place_of_service": f"{TEXT}-place",
        "clia_number": f"{TEXT}-clia",
        "diagnoses": ["C44.1122", "Q7Q.WXQ9"],
        "lines": [
            {**line, "line": 1, "procedure": "17311", "diagnosis_pointers": [1], "lesion": f"{TEXT}-lesion"},
            {
                **line, "line": 864_209, "procedure": "ZQ7WX", "diagnosis_pointers": [2, 1], "units": 7531,
                "lesion": f"{TEXT}\n\x1b[31m-other",
            },
        ],
        "documentation": _documentation(),
        f"{TEXT}-unknown": {TEXT: [TEXT, NUMBER]},
    }  # fmt: skip


def _documentation() -> dict[str, Any]:
    return {
        "immunosuppressed": None,
        "lesions": [
            {
                "lesion": f"{TEXT}-lesion",
                "site": "eyelid",
                "laterality": "midline",
                "diameter_cm": "7531.8642",
                "borders": "ill-defined",
                "recurrent": True,
                "histology": ["spiky-cell-groups"],
                "direct_involvement": ["major-vessel"],
                "stages": [{"blocks": 3}],
            }
        ],
    }
