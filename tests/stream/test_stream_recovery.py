"""Disaster recovery: a worker goes on from copies of the topics, which are of no one moment.

A mirror copies each topic by itself. Of what was one transaction, results may be there and histories not yet.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from tests.stream.killing import events
from tests.stream.oracle import assert_same, fold
from tests.stream.streamkit import Stream, placed
from worker.adjudication import Limits
from worker.devkit.kafka import KafkaBroker
from worker.stream.outgoing import Outgoing
from worker.stream.transactions.producer import TransactionalProducer

LOOK_BACK = Limits(look_back_days=36_500)
"""An event of a claim that the look-back has dropped counts as new: here it drops none."""


async def copied(source: Stream, target: Stream, topic: str, share: float) -> list[list[ConsumerRecord]]:
    """Copy the first part of each partition of a topic, as a mirror has done when the site goes."""
    found = await source.read(getattr(source.settings, topic))
    parts = []
    for number in range(source.settings.partitions):
        part = found[number][: round(share * len(found[number]))]
        place = TopicPartition(target.settings.input_topic, number)
        producer = TransactionalProducer(place, target.settings, f"mirror-{topic}-{place}")
        await producer.start()
        records = [Outgoing(one.key, one.value, one.timestamp, one.headers) for one in part]
        await producer.commit({getattr(target.settings, topic): records}, None)
        await producer.close()
        parts.append(part)
    return parts


async def begin_at(stream: Stream, offset: int) -> None:
    """Have the group stand at an offset of every partition."""
    async with AIOKafkaConsumer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        group_id=stream.settings.app_id,
        enable_auto_commit=False,
    ) as consumer:
        places = [TopicPartition(stream.settings.input_topic, number) for number in range(4)]
        consumer.assign(places)
        await consumer.commit(dict.fromkeys(places, offset))


async def test_behind_offsets_that_are_set_back_far_enough_nothing_is_lost_and_repeated_are_the_same_bytes(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    records = events(800, seed=61, members=60)
    with ExitStack() as ending:
        site = Stream(kafka.bootstrap, f"{prefix}-a", tmp_path / "a", ending)
        spare = Stream(kafka.bootstrap, f"{prefix}-b", tmp_path / "b", ending)
        for stream in (site, spare):
            (tmp_path / stream.settings.app_id[-1]).mkdir()
            await stream.create_topics()
        small = {"batch_max_records": 10, "history_look_back_days": LOOK_BACK.look_back_days}
        first = site.worker(**small)
        await site.publish(records)
        await site.drained(len(records))
        first.kill()

        await copied(site, spare, "input_topic", 1.0)
        await copied(site, spare, "changelog_topic", 0.5)
        mirrored = await copied(site, spare, "results_topic", 0.7)
        await begin_at(spare, 10)  # of all batches before it the histories are whole, on every partition
        spare.worker(**small)
        await spare.drained(len(records))

        histories, results = await spare.restored(), await spare.results()
        for number, inputs in placed(records).items():
            expected = fold(inputs, LOOK_BACK)
            assert histories[number] == expected.histories
            values = [result.value for result in results[number]]
            assert values[: len(mirrored[number])] == [one.value for one in mirrored[number]]
            # Those of which the histories did not know come twice, with the same bytes.
            assert_same(
                sorted(set(values)), sorted({value for _, value in expected.results}), f"results of {number}"
            )
