"""Transactions that are open: how old they are by the brokers' clocks, and which of them hang."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from confluent_kafka.admin import ResourceType
from rich.console import Console

from tests.conftest import NewBroker
from tests.stream.aclkit import AUTHORIZER, allow_only
from tests.stream.streamkit import Input, Stream, until
from worker.commands.status_page import page
from worker.stream.outgoing import Outgoing
from worker.stream.status.reading import Reader
from worker.stream.status.standing import Standing
from worker.stream.transactions.producer import TransactionalProducer

DAY_S = 24 * 60 * 60.0


def standing_in(stream: Stream, seconds: float) -> Awaitable[Standing]:
    """How the stream stands for somebody whose clock is so much later."""
    then = timedelta(seconds=seconds)
    return Reader(stream.settings, 60.0, now=lambda: datetime.now(UTC) + then).read()


def open_for(standing: Standing) -> list[tuple[str, bool]]:
    """Age and whether it hangs, of each open transaction; the age in steps of a day."""
    return [
        ("unknown" if one.seconds is None else f"{one.seconds // DAY_S:.0f} d", one.hangs)
        for one in standing.open_transactions
    ]


@asynccontextmanager
async def open_transaction(stream: Stream, topic: str, records: int = 1) -> AsyncIterator[AIOKafkaProducer]:
    """One on partition 0 for ten minutes at most, of records that say that they are of 1970."""
    async with AIOKafkaProducer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        transactional_id=f"{stream.settings.app_id}-opens",
        transaction_timeout_ms=600_000,
    ) as producer:
        await producer.begin_transaction()
        for _ in range(records):
            await (await producer.send(topic, b"v", partition=0, timestamp_ms=1))
        yield producer


def forbid_to_ask(stream: Stream) -> None:
    """Nobody may describe that transaction any more, nor end it; it ends with its broker."""
    id_ = f"{stream.settings.app_id}-opens"
    allow_only(stream.settings.bootstrap_servers, ResourceType.TRANSACTIONAL_ID, id_, [])


async def until_open_for(stream: Stream, wanted: tuple[str, bool]) -> None:
    """Wait until a transaction is open as told to somebody whose clock is a day later."""

    async def is_told() -> bool:
        return open_for(await standing_in(stream, DAY_S)) == [wanted]

    await until(is_told, f"{wanted} to be told")


@pytest.mark.parametrize("topic", ["input_topic", "results_topic"])
async def test_a_transaction_hangs_when_brokers_should_have_aborted_it(stream: Stream, topic: str) -> None:
    """Not before, and none of its records tells when it began."""
    async with open_transaction(stream, getattr(stream.settings, topic)):
        assert open_for(await standing_in(stream, 0)) == [("0 d", False)]
        assert open_for(await standing_in(stream, 500)) == [("0 d", False)]
        assert open_for(await standing_in(stream, 611)) == [("0 d", True)]
        assert open_for(await standing_in(stream, DAY_S)) == [("1 d", True)]


async def test_a_transaction_that_nobody_will_end_hangs_at_once_and_its_abort_is_told(
    new_broker: NewBroker, prefix: str, tmp_path: Path
) -> None:
    """The producer writes without having told the coordinator, as a delayed request or a defect does."""
    trusting = {"transaction.partition.verification.enable": "false"}
    with new_broker(**trusting) as broker, ExitStack() as ending:
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending)
        await stream.create_topics()
        place = TopicPartition(stream.settings.input_topic, 0)
        await stream.publish([Input(b"k", b"v", 0)])
        async with AIOKafkaProducer(
            bootstrap_servers=broker.bootstrap, transactional_id=f"{prefix}-hangs"
        ) as producer:
            await producer.begin_transaction()
            producer._txn_manager.txn_partitions.add(place)
            await (await producer.send(place.topic, b"v", partition=0))
            standing = await standing_in(stream, 0)
            assert open_for(standing) == [("unknown", True)]
            assert standing.open_transactions[0].producer_id == producer._txn_manager.producer_id
        finding = standing.findings[-1]
        assert finding.code == "hanging_transaction"
        assert finding.text.startswith(f"a transaction hangs on partition 0 of {place.topic}: ")
        shown = drawn(standing)
        assert "HANGS\n" in shown
        assert f"abort \\\n  --topic {place.topic} \\\n  --partition 0 --start-offset 1\n" in shown


def drawn(standing: Standing) -> str:
    """The page, none of whose lines ends in spaces."""
    output = StringIO()
    Console(file=output, width=80).print(page(standing, all_partitions=False), crop=False)
    assert [line for line in output.getvalue().splitlines() if line != line.rstrip()] == []
    return output.getvalue()


async def test_who_may_not_ask_the_coordinator_goes_by_what_brokers_have_dated(
    new_broker: NewBroker, prefix: str, tmp_path: Path
) -> None:
    """The marker of another transaction behind it: the transaction was open by then."""
    with new_broker(**AUTHORIZER) as broker, ExitStack() as ending:
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending)
        place = TopicPartition(stream.settings.input_topic, 0)
        await stream.create_topics()
        other = TransactionalProducer(place, stream.settings)
        await other.start()
        async with open_transaction(stream, place.topic, records=20):
            forbid_to_ask(stream)
            await until_open_for(stream, ("unknown", False))
            await other.commit({place.topic: [Outgoing(b"k", b"v", 1, [])]}, 1)
            await until_open_for(stream, ("1 d", True))
            assert open_for(await standing_in(stream, 0)) == [("0 d", False)]
        await other.close()


async def test_where_the_log_dates_records_their_time_tells_it_too(
    new_broker: NewBroker, prefix: str, tmp_path: Path
) -> None:
    with (
        new_broker(**AUTHORIZER, **{"log.message.timestamp.type": "LogAppendTime"}) as broker,
        ExitStack() as ending,
    ):
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending)
        await stream.create_topics()
        async with open_transaction(stream, stream.settings.input_topic):
            forbid_to_ask(stream)
            await until_open_for(stream, ("1 d", True))
            assert open_for(await standing_in(stream, 30)) == [("0 d", False)]
            assert open_for(await standing_in(stream, 600)) == [("0 d", True)]
