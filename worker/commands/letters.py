"""What is told of dead letters, as JSON has it."""

from __future__ import annotations

import re
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from worker.commands.console import NOTICE
from worker.stream.bounded import reader
from worker.stream.deadletters import cannot_open, opened, taken_apart
from worker.stream.errors import Refused
from worker.stream.records import read_raw_names
from worker.stream.redrive.ledger import Ledger, read_ledger
from worker.stream.redrive.letter import fault_of
from worker.stream.redrive.places import find_places
from worker.stream.redrive.selection import Selection, selected
from worker.stream.redrive.sending import REDRIVE
from worker.stream.sealing.closed import CannotOpen
from worker.stream.sealing.opening import opener_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    from worker.adjudication.decode import Headers
    from worker.settings import Settings
    from worker.stream.redrive.letter import Letter
    from worker.stream.redrive.places import Places


async def listed(settings: Settings, selection: Selection) -> list[dict[str, Any]]:
    """A row for each dead letter that is meant, by partition and offset."""
    read_raw_names()
    places = await find_places(settings, selection)
    rows = []
    async with reader(settings) as consumer:
        for partition in places.partitions:
            ledger = await _ledger(consumer, partition, settings, places)
            async for _, letter in selected(consumer, partition, selection, settings):
                rows.append(_row(letter, ledger, settings))
    return rows


async def shown(settings: Settings, partition: int, offset: int, *, with_phi: bool) -> dict[str, Any] | None:
    """All there is to say of one dead letter; None if there is no record at that offset.

    Raises Refused where its value is to be shown and cannot be opened.
    """
    read_raw_names()
    one = Selection(partitions=frozenset({partition}), offsets=frozenset({offset}))
    places = await find_places(settings, one)
    async with reader(settings) as consumer:
        ledger = await _ledger(consumer, partition, settings, places)
        async for record, letter in selected(consumer, partition, one, settings):
            is_opened = with_phi and letter.sealed_with is not None
            shown_record = _opened(record, settings) if is_opened else record
            return _page(shown_record, letter, ledger, settings, with_phi=with_phi)
    return None


def _opened(record: ConsumerRecord, settings: Settings) -> ConsumerRecord:
    try:
        return opened(record, opener_of(settings))
    except CannotOpen as closed:
        raise Refused(cannot_open(record, closed)) from None


async def _ledger(consumer: AIOKafkaConsumer, partition: int, settings: Settings, places: Places) -> Ledger:
    there = places.has_ledger(partition)
    return await read_ledger(consumer, partition, settings) if there else Ledger()


def _row(letter: Letter, ledger: Ledger, settings: Settings) -> dict[str, Any]:
    why = letter.why
    return {
        "partition": letter.partition,
        "offset": letter.offset,
        "time": _time(letter.timestamp),
        "reason": why and why.reason,
        "path": why and why.path,
        "source_topic": why and why.topic,
        "source_partition": why and why.partition,
        "source_offset": why and why.offset,
        "redriven": _time(ledger.redriven_at(letter)),
        "sealed_with": letter.sealed_with,
        "fault": fault_of(letter, settings),
    }


def _page(
    record: ConsumerRecord, letter: Letter, ledger: Ledger, settings: Settings, *, with_phi: bool
) -> dict[str, Any]:
    apart = taken_apart(record.headers) if letter.why else None
    headers = record.headers if apart is None else apart[0]
    told = {
        **({"notice": NOTICE} if with_phi else {}),
        "topic": settings.dead_letter_topic,
        **_row(letter, ledger, settings),
        "exception": letter.why and letter.why.exception,
        "message": letter.why and letter.why.message,
        "redriven_from": [value.decode() for value in _origins(headers, settings)],
        "key_bytes": None if record.key is None else len(record.key),
        "value_bytes": None if record.value is None else len(record.value),
        "headers": [_header(name, value, with_phi=with_phi) for name, value in headers],
    }
    if with_phi:
        told |= {"key": _content(record.key), "value": _content(record.value)}
    return told


def _header(name: str, value: bytes | None, *, with_phi: bool) -> dict[str, Any]:
    """One of the record's own headers. A name that is not UTF-8 is shown with escapes."""
    told: dict[str, Any] = {
        "name": name.encode().decode(errors="backslashreplace"),
        "bytes": None if value is None else len(value),
    }
    return told | {"value": _content(value)} if with_phi else told


def _origins(headers: Headers, settings: Settings) -> Iterator[bytes]:
    """Which dead letters the record was before. A producer's header of that name may say anything: PHI."""
    ours = re.compile(re.escape(settings.dead_letter_topic.encode()) + rb"/[0-9]+/[0-9]+")
    for name, value in headers:
        if name == REDRIVE and value is not None and ours.fullmatch(value):
            yield value


def _content(content: bytes | None) -> dict[str, str] | None:
    if content is None:
        return None
    with suppress(UnicodeDecodeError):
        return {"text": content.decode()}
    return {"base64": b64encode(content).decode()}


def _time(ms: int | None) -> str | None:
    """ISO 8601 in UTC; a timestamp that no calendar has is told as it is."""
    if ms is None:
        return None
    try:
        moment = datetime.fromtimestamp(ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
