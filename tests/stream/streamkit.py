"""What the stream tests share: topics and a group of their own, workers as processes, claims in and out."""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from worker.devkit.generator import events
from worker.devkit.local import command
from worker.devkit.process import Child
from worker.settings import Settings
from worker.stream.deciding import partition_of
from worker.stream.restore import restore
from worker.stream.topics import admin, create_missing, specs

PATIENCE_S = 120.0
"""What has not come about by then does not any more, on whatever machine and whoever else uses it."""
LOOK_S = 0.05
LAST_LINES = 25
"""Of a worker's log, where a test says why it waited in vain."""
PARTITIONS = 4

UNAVAILABLE = (KafkaError, KafkaException, OSError, TimeoutError)
"""What is raised while brokers cannot answer: reason to ask again."""


class Stuck(AssertionError):  # noqa: N818  reads as what it says
    """Something did not come about; the message says what."""


class Clock:
    """A clock that a test winds."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class Input(NamedTuple):
    """A record to send. ``partition`` None is where Java's default partitioner puts the key."""

    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def claims(count: int, seed: int = 1) -> list[Input]:
    """Generated claims as structured-mode records."""
    return [Input(event["data"]["member_id"].encode(), orjson.dumps(event)) for event in events(count, seed)]


def neighbours(count: int, seed: int) -> list[Input]:
    """Generated claims that lie on one partition."""
    found = claims(20 * count, seed)
    return [record for record in found if partition(record) == partition(found[0])][:count]


def placed(records: Iterable[Input], partitions: int = PARTITIONS) -> dict[int, list[Input]]:
    """Records by the partition that they go to, in order."""
    found: dict[int, list[Input]] = defaultdict(list)
    for record in records:
        found[partition(record, partitions)].append(record)
    return found


def partition(record: Input, partitions: int = PARTITIONS) -> int:
    if record.partition is not None:
        return record.partition
    return partition_of(record.key, partitions)


async def until(asked: Callable[[], Any], what: str, within: float = PATIENCE_S) -> Any:
    """What ``asked`` (a function or coroutine function) answers, as soon as it answers something true.

    Raises Stuck after ``within`` seconds; its cause is why brokers gave no answer last, if they gave none.
    """
    deadline = time.monotonic() + within
    while True:
        unanswered: Exception | None = None
        try:
            answer = asked()
            if asyncio.iscoroutine(answer):
                answer = await answer
        except UNAVAILABLE as error:
            answer, unanswered = None, error
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Stuck(f"waited {within:g} s in vain for {what}") from unanswered
        await asyncio.sleep(LOOK_S)


class Worker:
    """``mms-worker run`` as a process of its own."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self._log = log
        self._child = Child(arguments, log)
        self.pid = self._child.pid
        self.kill = self._child.kill
        self.stop = self._child.stop

    @property
    def exit_code(self) -> int | None:
        return self._child.exit_code

    @property
    def text(self) -> str:
        return self._log.read_text()

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        lines = [orjson.loads(line) for line in self.text.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        await until(lambda: self.exit_code is not None, f"the worker to end; it said:\n{self.text}")
        assert self.exit_code is not None
        return self.exit_code

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of one of its pages; status 0 while nothing is served."""
        serving = self.said("serving")
        if not serving:
            return 0, ""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(serving[-1]["url"].replace("/metrics", path)) as page,
            ):
                return page.status, await page.text()
        except aiohttp.ClientError:
            return 0, ""

    async def ready(self) -> None:
        async def is_ready() -> bool:
            assert self.exit_code is None, self.text
            return (await self.get("/readyz"))[0] == 200

        await until(is_ready, f"readiness; the worker said:\n{self.text}")

    async def metric(self, sample: str) -> float:
        """The value of a sample, named with its labels as in the exposition; NaN while there is none."""
        _, body = await self.get("/metrics")
        values = [line.rpartition(" ")[2] for line in body.splitlines() if line.startswith(f"{sample} ")]
        return float(values[0]) if values else math.nan


class Stream:
    """Topics and group of one test on a broker, and the workers on them; all workers die with it."""

    def __init__(
        self, bootstrap: str, prefix: str, directory: Path, ending: ExitStack, **settings: Any
    ) -> None:
        self.settings = Settings(
            **{
                "bootstrap_servers": bootstrap,
                "app_id": prefix,
                "input_topic": f"{prefix}.in",
                "results_topic": f"{prefix}.out",
                "dead_letter_topic": f"{prefix}.dlq",
                "changelog_topic": f"{prefix}.history",
                "partitions": PARTITIONS,
                "replication": 1,
                # Some tests give records a time of long ago, which a broker may take away at any moment.
                "input_retention_days": 36_500,
                "results_retention_days": 36_500,
                "dead_letter_retention_days": 36_500,
                "web_port": 0,
                "log_format": "json",
                "dead_letter_limit": 1.0,
                "breaker_hold_s": 0.0,
                **settings,
            }
        )
        self._directory = directory
        self._ending = ending
        self._workers: list[Worker] = []

    async def create_topics(self) -> None:
        async with admin(self.settings) as client:
            await create_missing(client, specs(self.settings))

    def command(self, *arguments: str, **overrides: Any) -> list[str]:
        """``mms-worker`` with this stream's settings."""
        given = {name: getattr(self.settings, name) for name in self.settings.model_fields_set}
        return command(Settings.model_construct(**{**given, **overrides}), *arguments)

    def worker(self, *arguments: str, **overrides: Any) -> Worker:
        """A worker that starts; it is killed in the end if it still runs."""
        return self.process(self.command("run", *arguments, **overrides))

    def process(self, arguments: Sequence[str]) -> Worker:
        worker = Worker(arguments, self._directory / f"worker-{len(self._workers) + 1}.log")
        self._workers.append(worker)
        self._ending.callback(worker.kill)
        return worker

    async def publish(
        self, records: Iterable[Input], *, timestamp: int | None = None, compression: str | None = "lz4"
    ) -> None:
        """Send records in their order, each to its partition."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.settings.bootstrap_servers,
            enable_idempotence=True,
            linger_ms=5,
            max_batch_size=1 << 19,
            max_request_size=64 << 20,
            compression_type=compression,
        ) as producer:
            deliveries = [await self._send(producer, record, timestamp) for record in records]
            await asyncio.gather(*deliveries)

    async def _send(
        self, producer: AIOKafkaProducer, record: Input, timestamp: int | None
    ) -> asyncio.Future[Any]:
        topic, place = self.settings.input_topic, partition(record, self.settings.partitions)
        if record.key is None and record.value is None:  # which aiokafka allows in a batch only
            batch = producer.create_batch()
            batch.append(key=None, value=None, timestamp=timestamp, headers=list(record.headers))
            return await producer.send_batch(batch, topic, partition=place)
        return await producer.send(
            topic,
            record.value,
            key=record.key,
            partition=place,
            headers=list(record.headers),
            timestamp_ms=timestamp,
        )

    async def fence(self, partition: int) -> None:
        """Use a lane's transactional id elsewhere, as a second owner of its partition would."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.settings.bootstrap_servers,
            transactional_id=f"{self.settings.app_id}-{self.settings.input_topic}-{partition}",
        ):
            pass

    async def committed(self, client: AIOKafkaAdminClient | None = None) -> int:
        """Sum of the group's committed offsets over all partitions."""
        if client is None:
            async with self.administration() as own:
                return await self.committed(own)
        offsets = await client.list_consumer_group_offsets(self.settings.app_id)
        return sum(max(0, offset.offset) for offset in offsets.values())

    async def drained(self, records: int) -> None:
        """Wait until the group has committed so many input records."""

        async with self.administration() as client:

            async def is_drained() -> bool:
                return await self.committed(client) >= records

            try:
                await until(is_drained, f"{records} records to be committed")
            except Stuck as error:
                raise Stuck(f"{error}\n{self._told()}") from error

    def _told(self) -> str:
        """What has become of each worker, and what it said last."""
        return "\n".join(
            f"worker {number} (exit code {worker.exit_code}):\n"
            + "\n".join(worker.text.splitlines()[-LAST_LINES:])
            for number, worker in enumerate(self._workers, 1)
        )

    @asynccontextmanager
    async def administration(self) -> AsyncIterator[AIOKafkaAdminClient]:
        async with admin(self.settings) as client:
            yield client

    async def restored(self) -> dict[int, dict[bytes, bytes]]:
        """The histories that a worker would begin with, by partition and key."""
        partitions = range(self.settings.partitions)
        return {number: (await restore(number, self.settings)).histories for number in partitions}

    async def results(self) -> dict[int, list[ConsumerRecord]]:
        return await self.read(self.settings.results_topic)

    async def dead_letters(self) -> dict[int, list[ConsumerRecord]]:
        return await self.read(self.settings.dead_letter_topic)

    async def read(self, topic: str) -> dict[int, list[ConsumerRecord]]:
        """Everything committed in a topic up to now, by partition, in order.

        The end is that of all records, open transactions included: a committed offset can be seen before the
        results of the same transaction can.
        """
        partitions = [TopicPartition(topic, number) for number in range(self.settings.partitions)]
        async with AIOKafkaConsumer(bootstrap_servers=self.settings.bootstrap_servers) as consumer:
            ends = await consumer.end_offsets(partitions)
        found: dict[int, list[ConsumerRecord]] = defaultdict(list)
        async with AIOKafkaConsumer(
            bootstrap_servers=self.settings.bootstrap_servers,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=20,
            max_partition_fetch_bytes=8 << 20,
        ) as consumer:
            consumer.assign(partitions)

            async def at_end() -> bool:
                for place, records in (await consumer.getmany(timeout_ms=50)).items():
                    found[place.partition] += records
                return all([await consumer.position(place) >= ends[place] for place in partitions])

            await until(at_end, f"the end of {topic}")
        return found
