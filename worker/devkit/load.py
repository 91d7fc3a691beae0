"""Made-up claims without end, sent at a steady rate: what dashboards live on where there are no real ones."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import chain, count, cycle, islice
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from worker.devkit.dates import Recent, utc_today
from worker.devkit.generator import bad_records, events, histories
from worker.devkit.traffic import STRUCTURED, Outgoing

BAD_EVERY = 100
"""One record of so many breaks the contract by itself: far below the share at which the breaker opens."""
BAD_TOGETHER = 7
"""Bad records that are made at a time: one of each way."""
TICK_S = 0.05
"""How often what is due is sent. At 50 records a second that is two or three records."""
MOST_BEHIND_S = 1.0
"""What was due longer ago is not caught up: a broker that was away is not flooded afterwards."""
DELIVERY_S = 5.0
"""How long a load that is told to stop waits for what is on its way."""
STOP_S = 2.0
"""How long it waits then for a producer to stop: with the wait before less than what runtimes grant."""


class Undelivered(Exception):  # noqa: N818  reads as what it says
    """The load was stopped while brokers did not take what it had sent."""


def records(
    seed: int, members: int | None = None, today: Callable[[], date] = utc_today
) -> Iterator[Outgoing]:
    """The endless load of a seed: claims, histories of members with many claims, and some bad records.

    Claims and histories take turns. Among the histories are events that are at odds with what came before
    (``unknown_claim``, ``id_conflict``, ``contract``). ``members`` bounds whose histories they are.
    Their dates are close to ``today`` as it is when they are taken (``dates.Recent``): a claim that waits for
    records has not waited for years, which would be an alert. One seed and one day, one load.
    """
    streams = events(sys.maxsize, seed), histories(sys.maxsize, seed, members, strays=True)
    good = chain.from_iterable(zip(*streams, strict=True))
    recent = Recent(today)
    bad = chain.from_iterable(bad_records(BAD_TOGETHER, seed + more) for more in count())
    for place in cycle(range(BAD_EVERY)):
        if place == BAD_EVERY - 1:
            spoiled = next(bad)
            yield Outgoing(spoiled.key, None, spoiled.value)
        else:
            event = recent.moved(next(good))
            yield Outgoing(event["data"]["member_id"].encode(), event)


async def send_load(
    connection: dict[str, Any], topic: str, load: Iterator[Outgoing], rate: float, stop: asyncio.Event
) -> int:
    """Send ``rate`` records a second until ``stop`` is set or the load ends; return how many arrived.

    ``connection`` has aiokafka's arguments. Each event has the time of its sending, each record a trace.
    Raises KafkaError when the brokers take a record no more, and Undelivered when they still have not taken
    some ``DELIVERY_S`` after ``stop``.
    """
    # aiokafka's partitioner is Java's: murmur2 of the key, as the contract asks of every producer.
    producer = AIOKafkaProducer(**connection, enable_idempotence=True, linger_ms=5, compression_type="lz4")
    sending = asyncio.create_task(_send(producer, topic, load, rate, stop))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({sending, stopping}, return_when=asyncio.FIRST_COMPLETED)
        done, _ = await asyncio.wait({sending}, timeout=DELIVERY_S)
        if not done:
            raise Undelivered(f"the brokers did not take all that was sent within {DELIVERY_S:.0f} s")
        return sending.result()
    finally:
        stopping.cancel()
        sending.cancel()
        await asyncio.gather(stopping, sending, return_exceptions=True)


async def _send(
    producer: AIOKafkaProducer, topic: str, load: Iterator[Outgoing], rate: float, stop: asyncio.Event
) -> int:
    sent = 0
    try:
        await producer.start()
        due = _Due(rate)
        is_over = False
        while not (is_over or stop.is_set()):
            asked = due.take()
            deliveries = [
                await producer.send(topic, _stamped(record), key=record.key, headers=_headers())
                for record in islice(load, asked)
            ]
            await asyncio.gather(*deliveries)
            sent += len(deliveries)
            is_over = len(deliveries) < asked
            await asyncio.sleep(TICK_S)
    finally:
        await _stop(producer)
    return sent


class _Due:
    """How many records are to be sent by now."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._now = asyncio.get_running_loop().time
        self._since = self._now()

    def take(self) -> int:
        """Those that have become due since they were asked for last."""
        now = self._now()
        self._since = max(self._since, now - MOST_BEHIND_S)
        whole = int((now - self._since) * self._rate)
        self._since += whole / self._rate
        return whole


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stop it. With a batch that nobody takes ``stop`` would flush for ever."""
    try:
        async with asyncio.timeout(STOP_S):
            await producer.stop()
    except TimeoutError:
        await producer.client.close()


def _stamped(record: Outgoing) -> bytes:
    if record.event is None:
        return record.value
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return orjson.dumps(record.event | {"time": now})


def _headers() -> list[tuple[str, bytes]]:
    """Those of an event in structured mode, with a W3C Trace Context of a new trace, sampled."""
    trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return [*STRUCTURED, ("traceparent", trace.encode())]
