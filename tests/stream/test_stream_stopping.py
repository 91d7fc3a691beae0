"""A worker that is told to stop ends in time, exits 0, leaves its group, and leaves nothing half-done."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from tests.conftest import NewBroker
from tests.stream.fragile import Fragile
from tests.stream.killing import SMALL_BATCH, events
from tests.stream.oracle import assert_exactly_once
from tests.stream.slow import LONG_S, slow_member
from tests.stream.streamkit import Input, Stream, Worker, placed, until
from worker.devkit.generator import histories
from worker.stream.leaving import leave

GRACE_S = 10.0
"""What container runtimes give a process between SIGTERM and SIGKILL."""
PATIENT = {"session_timeout_s": LONG_S, "transaction_timeout_s": LONG_S, "batch_max_records": SMALL_BATCH}
SHORT_SESSION = {"session_timeout_s": 3, "revoke_deadline_s": 1}
"""Of workers that cannot leave their group: another one has to wait for that."""
TINY_BATCH = 5
"""Records a batch where there must still be work a while later."""
MEMBERS = 500
BACKLOG = 1_000
BURST = 20
BURST_EVERY_S = 0.1
READ_COMMITTED, READ_UNCOMMITTED = "read_committed", "read_uncommitted"


@asynccontextmanager
async def load(stream: Stream, seed: int) -> AsyncIterator[Sequence[Input]]:
    """A backlog, and events that keep coming until exit. Gives what is sent, in its order, as it is begun."""
    coming = histories(sys.maxsize, seed, MEMBERS, strays=True)
    sent: list[Input] = []
    is_over = asyncio.Event()

    async def send(count: int) -> None:
        burst = [
            Input(event["data"]["member_id"].encode(), orjson.dumps(event)) for event in islice(coming, count)
        ]
        sent.extend(burst)
        await stream.publish(burst)

    async def go_on() -> None:
        while not is_over.is_set():
            await send(BURST)
            await asyncio.sleep(BURST_EVERY_S)  # the pace of the load; nothing waits for it

    await send(BACKLOG)
    sending = asyncio.ensure_future(go_on())
    try:
        yield sent
    finally:
        is_over.set()
        await sending


async def stop(worker: Worker, *signals: signal.Signals) -> None:
    """Tell a worker to stop. It ends, and with exit code 0, before a container's runtime would kill it."""
    for each in signals or (signal.SIGTERM,):
        os.kill(worker.pid, each)
    await until(lambda: worker.exit_code is not None, f"the end; it said:\n{worker.text}", within=GRACE_S)
    assert worker.exit_code == 0, worker.text
    assert {line["reason"] for line in worker.said("worker stops")} <= {"SIGTERM", "SIGINT"}


async def group(stream: Stream) -> tuple[str, list[str]]:
    """State of the stream's group, and the client ids of its members."""
    async with stream.administration() as client:
        (answer,) = await client.describe_consumer_groups([stream.settings.app_id])
    ((_, _, state, _, _, members, *_),) = answer.groups
    return state, [client for _, client, *_ in members]


async def ends(stream: Stream, isolation: str) -> dict[TopicPartition, int]:
    """Where the logs of what a worker writes end: behind all records, or behind the last stable one."""
    settings = stream.settings
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, isolation_level=isolation
    ) as consumer:
        found: dict[TopicPartition, int] = await consumer.end_offsets(
            [
                TopicPartition(topic, number)
                for topic in (settings.results_topic, settings.dead_letter_topic, settings.changelog_topic)
                for number in range(settings.partitions)
            ]
        )
    return found


async def assert_published_what_is_committed(stream: Stream, records: Sequence[Input]) -> None:
    """All that is there is what the records before the committed offsets come to; no transaction is open."""

    async def are_stable() -> bool:
        return await ends(stream, READ_COMMITTED) == await ends(stream, READ_UNCOMMITTED)

    # A commit is answered a moment before its markers are written.
    await until(are_stable, "the end of all transactions")
    async with stream.administration() as client:
        offsets = await client.list_consumer_group_offsets(stream.settings.app_id)
    inputs = placed(records, stream.settings.partitions)
    committed = [record for place, at in offsets.items() for record in inputs[place.partition][: at.offset]]
    await assert_exactly_once(stream, committed)


async def test_a_worker_stopped_under_load_publishes_nothing_uncommitted_and_leaves_its_group(
    stream: Stream,
) -> None:
    chance = random.Random(21)  # noqa: S311  nothing is guarded by it
    async with load(stream, 21) as sent:
        for _ in range(3):
            worker = stream.worker(**PATIENT)
            await stream.drained(await stream.committed() + chance.randrange(1, 500))
            await stop(worker)
            assert await group(stream) == ("Empty", [])
            await assert_published_what_is_committed(stream, sent)
    stream.worker()
    await stream.drained(len(sent))
    await assert_exactly_once(stream, sent)


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT, signal.SIGTERM)],
    ids=["SIGINT", "SIGTERM-twice", "SIGINT-twice-and-SIGTERM"],
)
async def test_a_worker_that_is_told_otherwise_or_again_ends_as_well(
    stream: Stream, signals: Sequence[signal.Signals]
) -> None:
    async with load(stream, 22) as sent:
        worker = stream.worker(**PATIENT)
        await stream.drained(500)
        await stop(worker, *signals)
        assert await group(stream) == ("Empty", [])
    await assert_published_what_is_committed(stream, sent)


async def test_a_worker_stopped_while_it_loads_ends_and_never_joins(stream: Stream) -> None:
    """It has loaded everything when it ends: a thread cannot be interrupted."""
    worker = halfway(stream, "loading")
    await until(lambda: "halfway" in worker.text, "it to load")
    await stop(worker)
    assert await group(stream) == ("Dead", [])


async def test_a_worker_stopped_while_it_restores_ends_and_leaves_its_group(stream: Stream) -> None:
    records = events(400, 23, MEMBERS)
    await stream.publish(records[:200])
    earlier = stream.worker(**PATIENT)
    await stream.drained(200)
    await stop(earlier)
    await stream.publish(records[200:])
    async with AIOKafkaProducer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        transactional_id=f"{stream.settings.app_id}-other",
    ) as other:
        await other.begin_transaction()
        # A restore waits for the end of every open transaction.
        await other.send_and_wait(stream.settings.changelog_topic, b"", key=b"nobody", partition=0)
        worker = stream.worker(**PATIENT)
        await until(
            lambda: len(worker.said("lane open")) == stream.settings.partitions - 1, "all lanes but one"
        )
        await stop(worker)
        assert await group(stream) == ("Empty", [])
        await other.abort_transaction()
    await assert_published_what_is_committed(stream, records)
    stream.worker(**PATIENT)
    await stream.drained(len(records))
    await assert_exactly_once(stream, records)


async def raises() -> None:
    raise KafkaError


async def hangs() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("fault", [raises, hangs])
async def test_a_consumer_that_does_not_come_to_its_end_leaves_its_group_and_no_task(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, fault: Callable[[], Awaitable[None]]
) -> None:
    tasks = asyncio.all_tasks()
    consumer = AIOKafkaConsumer(
        stream.settings.input_topic,
        bootstrap_servers=stream.settings.bootstrap_servers,
        group_id=stream.settings.app_id,
        enable_auto_commit=False,
        session_timeout_ms=LONG_S * 1000,
    )
    await consumer.start()
    await until(consumer.assignment, "the assignment")
    monkeypatch.setattr(consumer._coordinator, "_stop_heartbeat_task", fault)
    await leave(consumer, stream.settings.app_id)
    assert await group(stream) == ("Empty", [])
    await until(lambda: asyncio.all_tasks() == tasks, "its tasks to end")


async def test_workers_stopped_in_a_rebalance_leave_their_group_though_another_member_holds_it_up(
    stream: Stream,
) -> None:
    """One has been a member and is joining again, the other has never been one."""
    records = events(2_000, 24, MEMBERS)
    await stream.publish(records)
    member = stream.worker(**PATIENT)
    await member.ready()
    async with slow_member(stream) as slow:
        await until(lambda: len(member.said("partitions assigned")) == 2, "a share for either")
        newcomer = stream.worker(**PATIENT)
        await slow.is_asked.wait()

        async def is_joining_again() -> bool:
            return await member.metric("mms_assigned_partitions") == 0 and len((await group(stream))[1]) == 3

        await until(is_joining_again, "both to wait for the slow one")
        await asyncio.gather(stop(member), stop(newcomer))
        assert await group(stream) == ("PreparingRebalance", ["slow"])
    await assert_published_what_is_committed(stream, records)
    stream.worker(**PATIENT)
    await stream.drained(len(records))
    await assert_exactly_once(stream, records)


@pytest.fixture
async def fragile(
    new_broker: NewBroker, prefix: str, tmp_path: Path
) -> AsyncIterator[tuple[Stream, Fragile]]:
    """A stream on a broker of its own, which may be harmed."""
    broker = await asyncio.to_thread(Fragile, new_broker)
    with ExitStack() as ending:
        made = Stream(broker.bootstrap, prefix, tmp_path, ending)
        await made.create_topics()
        yield made, broker


@pytest.mark.parametrize(
    ("harm", "mend"),
    [(Fragile.kill, Fragile.revive), (Fragile.freeze, Fragile.thaw)],
    ids=["killed", "hanging"],
)
async def test_workers_end_in_time_without_their_broker_whatever_they_are_at(
    fragile: tuple[Stream, Fragile],
    harm: Callable[[Fragile], Awaitable[None]],
    mend: Callable[[Fragile], Awaitable[None]],
) -> None:
    """One has just lost it, one has noticed, one has never seen it."""
    stream, broker = fragile
    records = events(3_000, 25, MEMBERS)
    slow = {"batch_max_records": TINY_BATCH}
    surprised = stream.worker(**slow, **SHORT_SESSION)
    aware = stream.worker(**slow, **SHORT_SESSION, batch_deadline_s=1, producer_start_deadline_s=2)
    await surprised.ready()
    await aware.ready()
    await stream.publish(records)
    await stream.drained(500)
    await harm(broker)
    try:
        await stop(surprised)
        late = stream.worker()
        await until(lambda: aware.said("lane begins again"), "a lane to give its producer up")
        await until(lambda: late.said("worker starts"), "the late one to start")
        await asyncio.gather(stop(aware), stop(late))
        assert not aware.said("nobody awaited an exception")
    finally:
        await mend(broker)
    stream.worker()
    await stream.drained(len(records))
    await assert_exactly_once(stream, records)


async def test_workers_replaced_one_after_the_other_under_load_lose_and_repeat_nothing(
    stream: Stream,
) -> None:
    workers = [stream.worker(**PATIENT) for _ in range(3)]
    for worker in workers:
        await worker.ready()
    async with load(stream, 26) as sent:
        await stream.drained(500)
        for place, worker in enumerate(workers):
            await stop(worker)
            workers[place] = stream.worker(**PATIENT)
            await workers[place].ready()
    await stream.drained(len(sent))
    await assert_exactly_once(stream, sent)
    assert [worker.exit_code for worker in workers] == [None] * 3


@pytest.mark.parametrize("stage", ["before-anything", "in-a-finalizer"])
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_that_is_told_to_stop_before_anything_has_begun_exits_0(
    stream: Stream, stage: str, told: signal.Signals
) -> None:
    worker = halfway(stream, stage)
    await until(lambda: "halfway" in worker.text, "everything to be loaded")
    await stop(worker, told)


async def test_a_worker_that_was_started_to_ignore_sigint_still_does_and_ends_by_sigterm(
    stream: Stream,
) -> None:
    worker = halfway(stream, "ignoring-SIGINT")
    await until(lambda: "halfway" in worker.text, "everything to be loaded")
    assert repr(signal.SIG_IGN) in worker.text
    await stop(worker, signal.SIGINT, signal.SIGTERM)


def halfway(stream: Stream, stage: str) -> Worker:
    """A worker that goes no further than to a stage of its start."""
    *command, _, _, _ = stream.command("run", **PATIENT)  # instead of -m worker run
    return stream.process([*command, str(Path(__file__).with_name("launch_halfway.py")), stage])
