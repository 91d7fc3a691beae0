"""Any bytes as what is stored of a member, when an event of the member comes: refused, or used.

The first byte says which event comes. The rest is the state. Whoever can write the changelog can make it lie;
what the worker owes is that it goes on, and that a state which cannot be used costs its own member alone.
"""

from __future__ import annotations

import re
from functools import cache

import msgspec
from aiokafka import ConsumerRecord

from tests.contract.corpus import history_files
from tests.fuzz.targets.event import reference
from worker.adjudication import Adjudicated, adjudicate, decode, encode
from worker.adjudication.claim import Event
from worker.adjudication.decode import Rejected
from worker.adjudication.stored import UnknownVersion, read, write
from worker.settings import Settings
from worker.stream.deciding import Decider
from worker.stream.histories import Histories

REFUSED = (UnknownVersion, msgspec.DecodeError)
"""What ``stored.read`` says that it raises on bytes that are no state."""
_PLACE = re.compile(r"[A-Z]\w+ at (?:an unknown place|worker/[\w/]+\.py:\d+ in [\w.<>]+)")
"""What a bug's dead letter says: the type of the exception and where it was raised."""


@cache
def values() -> tuple[bytes, ...]:
    """The events of the contract's example histories."""
    return tuple(line for path in history_files() for line in path.read_bytes().splitlines())


@cache
def _decider() -> Decider:
    return Decider(_judge, encode, Settings(key_partition_check=False), now=lambda: 0.0)


def _judge(event: Event, history: bytes | None) -> Adjudicated | Rejected:
    return adjudicate(event, history, reference())


def check(data: bytes) -> None:
    value, state = values()[data[0] % len(values())] if data else values()[0], data[1:]
    try:
        found = read(state)
    except REFUSED:
        is_read = False
    else:
        is_read = True
        assert write(read(write(found))) == write(found)
    event = decode(value)
    assert isinstance(event, Event)
    member = event.data.member_id.encode()
    histories = Histories({member: state})
    record = ConsumerRecord("in", 0, 7, 1000, 0, member, value, None, 0, 0, ())
    decided = _decider().decide([record], histories)
    if not decided.bugs:
        assert is_read
        for entry in decided.changelog:
            read(entry.value or b"")
        return
    assert histories.of(member) == state
    assert not decided.results
    (letter,) = decided.dead_letters
    told = {name: raw.decode() for name, raw in letter.headers if raw is not None}
    assert told["mms.dlq.reason"] == "internal_error"
    assert _PLACE.fullmatch(told["__streams.errors.message"]), told["__streams.errors.message"]
