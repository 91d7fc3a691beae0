"""Inputs to start from: the contract's examples, the publishers' sample files, the package's own policies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from aiokafka import ConsumerRecord

from tests.contract.corpus import EXAMPLES, example_files, history_files
from tests.contract.modes import binary
from tests.fuzz.framing import framed
from tests.fuzz.targets.event import reference
from tests.fuzz.targets.history import values as member_events
from tests.fuzz.targets.importers import KINDS
from worker.adjudication import adjudicate, decode
from worker.adjudication.claim import Event
from worker.adjudication.decode import Rejected
from worker.policies.catalog import PACKAGE_POLICIES, PAYERS
from worker.stream.deadletters import dead_letter

PUBLISHED = Path(__file__).parents[1] / "codes" / "files"
_KIND_BY_NAME = {"AOC": "ncci-aoc", "MCR": "ncci-mue", "ccip": "ncci-ptp", "icd1": "icd10cm"}
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _documents() -> Iterator[bytes]:
    """Some events of every type, small enough to be changed often."""
    for path in example_files():
        document = json.dumps(json.loads(path.read_bytes()), separators=(",", ":")).encode()
        if len(document) < 2048:
            yield document


def values() -> Iterator[bytes]:
    """Structured-mode events; and those which are rejected, as they are."""
    yield from list(_documents())[::4]
    for path in sorted((EXAMPLES / "rejected").glob("*.json")):
        if ".rejected." not in path.name:
            yield path.read_bytes()


def records() -> Iterator[bytes]:
    """Binary-mode events with their headers, and one in structured mode."""
    for document in list(_documents())[::12]:
        event = json.loads(document)
        if isinstance(event, dict) and isinstance(event.get("data"), dict):
            value, headers = binary(event)
            yield framed(value, [*headers, ("traceparent", TRACE)])
    yield framed(document, [("content-type", b"application/cloudevents+json; charset=utf-8")])
    yield framed(b"{}", [("ce_id", None), ("ce_id", b"\xff"), ("content-type", None)])


def sequences() -> Iterator[bytes]:
    """Members' events, one a line."""
    for path in history_files():
        yield path.read_bytes().rstrip(b"\n")


def states() -> Iterator[bytes]:
    """Histories as the worker stores them, behind each of their events, with the next one to come."""
    held: dict[str, bytes] = {}
    for number, value in enumerate(member_events()):
        event = decode(value)
        assert isinstance(event, Event)
        yield bytes((number,)) + held.get(event.data.member_id, b"\x01\x91\x90")
        answer = adjudicate(event, held.get(event.data.member_id), reference())
        if not isinstance(answer, Rejected) and answer.history is not None:
            held[event.data.member_id] = answer.history


def releases() -> Iterator[bytes]:
    """The publishers' sample files, and nothing of each kind."""
    for path in sorted(PUBLISHED.iterdir()):
        kind = _KIND_BY_NAME[path.name[:4].rstrip("_")]
        yield f"{kind} {path.name}\n".encode() + path.read_bytes()
    for kind in KINDS:
        yield f"{kind} release.txt\n".encode()


def policy_files() -> Iterator[bytes]:
    """The package's own policies, without their remarks."""
    for path in sorted(PACKAGE_POLICIES.glob("*.toml")):
        if path.name != PAYERS:
            lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
            yield f"# {path.stem}\n".encode() + "\n".join(lines).encode()


def payer_files() -> Iterator[bytes]:
    """The package's own payers, and one that is told by a quoted key."""
    yield (PACKAGE_POLICIES / PAYERS).read_bytes()
    yield b'default = "mms-medical-policy"\n[necessity]\n"A.B" = "mms-medical-policy"\n'


def letters() -> Iterator[bytes]:
    """Dead letters as the worker writes them, of records with and without headers, and of a dead letter."""
    headers: list[tuple[str, bytes | None]] = [("ce_id", b"evt-1"), ("traceparent", None)]
    for own in ([], headers):
        record = ConsumerRecord("mms.claim-events.v1", 3, 17, 1, 0, b"k", b"v", None, 0, 0, tuple(own))
        aside = dead_letter(record, Rejected("contract", "$.data", "the header is missing"))
        yield framed(b"v", aside.headers)
        again = ConsumerRecord(
            "mms.claim-events.v1", 3, 18, 1, 0, b"k", b"v", None, 0, 0, tuple(aside.headers)
        )
        yield framed(b"v", dead_letter(again, Rejected("undecodable", "$", "not JSON at byte 0")).headers)


def traces() -> Iterator[bytes]:
    """A header of today's version, one of a later version, and several of the name."""
    yield TRACE
    yield b"cc" + TRACE[2:] + b"-what-comes-later"
    yield framed(b"", [("traceparent", TRACE), ("traceparent", None)])
    yield TRACE.replace(b"4bf92f3577b34da6a3ce929d0e0e4736", b"0" * 32)


def files_of_lines() -> Iterator[bytes]:
    """Lines of every length about the longest, with and without an end."""
    yield b""
    yield b"\n\n\r\n"
    yield b"".join(b"x" * length + b"\n" for length in (0, 1, 14, 15, 16, 17, 31, 32, 33))
    yield b"x" * 16 + b"\n" + b"y" * 16
