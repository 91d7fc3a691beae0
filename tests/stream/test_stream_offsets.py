"""Where a lane begins, by what its partition's topics tell of the past."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.stream.streamkit import Input, Stream, until
from worker.devkit.kafka import KafkaBroker
from worker.stream.errors import Fenced, Refused
from worker.stream.intake import Intake
from worker.stream.offsets import starting_offset
from worker.stream.outgoing import Outgoing
from worker.stream.restore import restore
from worker.stream.transactions.producer import TransactionalProducer

PARTITION = 1
INPUTS = 5
OFFSET_LOST = "has no committed offset, though {} there; it was lost or MMS_APP_ID changed"
HISTORIES_LOST = "has no histories, though {} there: the topic was deleted or made anew"


class Past(NamedTuple):
    """What there is: the group's offset, and which topics have records."""

    committed: int | None = None
    results: bool = False
    histories: bool = False


@pytest.fixture
async def stream(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> AsyncIterator[Stream]:
    """A stream with some input records on one partition."""
    with ExitStack() as ending:
        made = Stream(kafka.bootstrap, prefix, tmp_path, ending)
        await made.create_topics()
        await made.publish([Input(b"key", b"value", PARTITION)] * INPUTS)
        yield made


@asynccontextmanager
async def lane(stream: Stream) -> AsyncIterator[TransactionalProducer]:
    place = TopicPartition(stream.settings.input_topic, PARTITION)
    producer = TransactionalProducer(place, stream.settings)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.close()


async def arrange(stream: Stream, past: Past) -> None:
    """Write that past; without an offset it is another group's."""
    settings, written = stream.settings, [Outgoing(b"member", b"\x01", 1_700_000_000_000, [])]
    outputs = {
        settings.results_topic: written * past.results,
        settings.changelog_topic: written * past.histories,
    }
    if past.committed is None:
        stream = Stream(settings.bootstrap_servers, f"{settings.app_id}-before", Path(), ExitStack(),
            input_topic=settings.input_topic)  # fmt: skip
    async with lane(stream) as producer:
        await producer.commit(outputs, past.committed or 0)


async def start(stream: Stream, *, accept_gap: bool = False, overtaken: bool = False) -> int:
    """Where a lane begins, and would begin again; one that is overtaken has a successor before it asks."""
    settings = stream.settings.model_copy(update={"accept_gap": accept_gap})
    place = TopicPartition(settings.input_topic, PARTITION)
    async with (
        lane(stream) as producer,
        AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers,
            group_id=settings.app_id,
            enable_auto_commit=False,
            isolation_level="read_committed",
        ) as consumer,
    ):
        if overtaken:
            async with lane(stream):
                pass
        consumer.assign([place])
        intake = Intake(consumer, place, settings.results_topic)
        offset = await starting_offset(intake, producer, settings)

        async def is_committed() -> bool:
            return await intake.committed() == offset

        await until(is_committed, "the offset, which is there a moment after the transaction's end")
        return offset


@pytest.mark.parametrize(
    ("past", "offset"),
    [
        (Past(), 0),
        (Past(committed=0), 0),
        (Past(committed=3), 3),
        (Past(committed=3, histories=True), 3),
        (Past(committed=3, results=True, histories=True), 3),
        (Past(committed=INPUTS, results=True, histories=True), INPUTS),
    ],
)
async def test_a_past_without_gaps_is_gone_on_from(stream: Stream, past: Past, offset: int) -> None:
    await arrange(stream, past)
    assert await start(stream) == offset


@pytest.mark.parametrize(
    ("past", "offset", "missing"),
    [
        (Past(results=True, histories=True), 0, [OFFSET_LOST.format("{results} has results")]),
        (Past(histories=True), 0, [OFFSET_LOST.format("{changelog} has histories")]),
        (Past(committed=3, results=True), 3, [HISTORIES_LOST.format("{results} has results")]),
        (
            Past(results=True),
            0,
            [HISTORIES_LOST.format("{results} has results"), OFFSET_LOST.format("{results} has results")],
        ),
        (
            Past(committed=INPUTS + 1, results=True),
            0,
            [
                HISTORIES_LOST.format("{results} has results"),
                "but the log ends at 5: it was cut or made anew",
            ],
        ),
    ],
)
async def test_a_gap_is_refused_with_what_is_missing_until_it_is_accepted(
    stream: Stream, past: Past, offset: int, missing: list[str]
) -> None:
    await arrange(stream, past)
    settings = stream.settings
    with pytest.raises(Refused) as refused:
        await start(stream)
    told = str(refused.value)
    assert told.startswith(f"partition {PARTITION} of ")
    for part in missing:
        assert part.format(results=settings.results_topic, changelog=settings.changelog_topic) in told
    assert told.endswith("; start with --accept-gap to go on")

    assert await start(stream, accept_gap=True) == offset
    assert await start(stream) == offset


@pytest.mark.parametrize("accept_gap", [False, True])
@pytest.mark.parametrize("past", [Past(committed=3, results=True), Past(committed=INPUTS + 1)])
async def test_what_looks_like_a_gap_to_one_that_has_a_successor_is_none(
    stream: Stream, past: Past, accept_gap: bool
) -> None:
    await arrange(stream, past)
    with pytest.raises(Fenced):
        await start(stream, accept_gap=accept_gap, overtaken=True)


async def test_a_gap_that_is_refused_is_left_as_it_is(stream: Stream) -> None:
    await arrange(stream, Past(committed=3, results=True))
    for _ in range(2):
        with pytest.raises(Refused):
            await start(stream)
    assert await stream.committed() == 3


async def test_accepting_that_histories_are_missing_leaves_no_member_behind(stream: Stream) -> None:
    await arrange(stream, Past(committed=3, results=True))
    await start(stream, accept_gap=True)
    assert (await restore(PARTITION, stream.settings)).histories == {}
