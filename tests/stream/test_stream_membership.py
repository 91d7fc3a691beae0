"""One membership after another: what ends one, what is told of it, and what the next one finds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from tests.stream.inprocess import HANG_S, ready, working
from tests.stream.oracle import decided
from tests.stream.streamkit import Clock, Input, Stream, claims, until
from worker.devkit.kafka import KafkaBroker
from worker.settings import Settings
from worker.stream import engine as engine_module
from worker.stream import lane, source
from worker.stream.app import report
from worker.stream.engine import Engine, decisive
from worker.stream.errors import Bug, Fenced, Refused, told
from worker.stream.retry import Backoff

CODE = "C44.311"


async def found(stream: Stream) -> list[bytes]:
    return sorted(record.value for arrived in (await stream.results()).values() for record in arrived)


async def publish_together(stream: Stream, records: Sequence[Input]) -> None:
    """Send records to partition 0 in one transaction, which leaves its marker behind them."""
    async with (
        AIOKafkaProducer(
            bootstrap_servers=stream.settings.bootstrap_servers,
            transactional_id=f"{stream.settings.app_id}-upstream",
        ) as producer,
        producer.transaction(),
    ):
        for record in records:
            await producer.send(stream.settings.input_topic, record.value, key=record.key, partition=0)


async def delete_input(stream: Stream) -> None:
    """Let the log of partition 0 begin where it ends, as retention does in the long run."""
    async with stream.administration() as client:
        await client.delete_records({TopicPartition(stream.settings.input_topic, 0): RecordsToDelete(-1)})


async def test_a_fetch_task_that_dies_ends_the_membership_and_the_next_one_goes_on(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = claims(200, seed=51)
    fetch = Fetcher._proc_fetch_request
    faults = [ValueError("a response that nobody can read")]

    async def fetch_or_fail(*arguments: Any) -> Any:
        if started.is_set() and faults:
            raise faults.pop()
        return await fetch(*arguments)

    started = asyncio.Event()
    monkeypatch.setattr(Fetcher, "_proc_fetch_request", fetch_or_fail)
    async with working(stream.settings) as (engine, _):
        await ready(engine)
        started.set()
        await until(lambda: not faults, "the fetch task to die")
        await stream.publish(records)
        await stream.drained(200)
    assert await found(stream) == sorted(decided(*records))


async def test_an_idle_partition_whose_tail_is_markers_survives_a_restart_after_retention(
    stream: Stream,
) -> None:
    early, late = claims(5, seed=52), claims(40, seed=53)
    unchecked = {"key_partition_check": False}
    worker = stream.worker(**unchecked)
    await publish_together(stream, early)
    await stream.drained(5)
    await asyncio.to_thread(worker.stop, 20)
    assert worker.exit_code == 0
    await delete_input(stream)

    stream.worker(**unchecked)
    await stream.publish(late)
    await stream.drained(46)
    assert await found(stream) == sorted(decided(*early, *late))


async def test_an_idle_lane_commits_its_position_behind_markers(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "SETTLE_S", 0.05)
    settings = stream.settings.model_copy(update={"key_partition_check": False})
    async with working(settings) as (engine, _):
        await ready(engine)
        await publish_together(stream, claims(5, seed=54))
        await stream.drained(6)
        await delete_input(stream)


async def test_a_bug_outside_of_any_claim_crashes_the_worker_at_once_and_is_told_without_its_text(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __init__(self, *_: object, **__: object) -> None: ...

        def decide(self, *_: object) -> None:
            raise KeyError(CODE)

    monkeypatch.setattr(engine_module, "Decider", Broken)
    async with working(stream.settings) as (engine, running):
        await ready(engine)
        await stream.publish(claims(1, seed=55))
        with pytest.raises(Bug, match=r"KeyError at .*test_stream_membership\.py:\d+") as raised:
            async with asyncio.timeout(HANG_S):
                await running
    assert CODE not in str(raised.value)
    assert await stream.committed() == 0


async def test_a_worker_that_still_looks_for_its_topics_stops_though_nobody_answers() -> None:
    called = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings(bootstrap_servers=f"127.0.0.1:{port}", request_timeout_s=300)
    async with working(settings):
        await called.wait()
    server.close()


async def test_a_worker_whose_check_of_an_assignment_hangs_stops_all_the_same(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking = asyncio.Event()

    async def hanging(_: Settings) -> None:
        checking.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(source, "verify_counts", hanging)
    async with working(stream.settings):
        await checking.wait()


async def test_a_commit_renews_the_patience_with_memberships(stream: Stream) -> None:
    """Were the pauses of twelve fencings to add up, the last would be longer than the test waits."""
    settings = stream.settings.model_copy(update={"retry_first_s": 0.1, "retry_longest_s": 1000})
    records = [record._replace(partition=0) for record in claims(12, seed=56)]
    async with working(settings.model_copy(update={"key_partition_check": False})) as (engine, running):
        await ready(engine)
        for done, record in enumerate(records, 1):
            await stream.fence(0)
            await stream.publish([record])
            await stream.drained(done)
        assert not running.done()
    assert await found(stream) == sorted(decided(*records))


async def has_joined_again(engine: Engine, running: asyncio.Task[None]) -> None:
    """Wait for the next membership, or the end of the worker."""
    failed = engine._source
    await until(lambda: running.done() or engine._source is not failed, "the next membership")


@pytest.mark.parametrize("has_lane", [True, False])
async def test_memberships_that_fail_far_apart_do_not_exhaust_the_patience_though_nothing_is_committed(
    kafka: KafkaBroker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_lane: bool
) -> None:
    """Of two workers on one partition one has nothing to do."""
    clock, fetch, failing = Clock(), source.Source._fetch, list[source.Source]()

    async def fetch_or_fail(membership: source.Source) -> None:
        if membership in failing:
            raise KafkaConnectionError("no answer")
        await fetch(membership)

    monkeypatch.setattr(engine_module, "Backoff", partial(Backoff, now=clock))
    monkeypatch.setattr(source.Source, "_fetch", fetch_or_fail)
    with ExitStack() as ending:
        stream = Stream(kafka.bootstrap, prefix, tmp_path, ending, partitions=1)
        await stream.create_topics()
        async with working(stream.settings) as one, working(stream.settings) as other:
            for _ in range(3):
                await ready(one[0])
                await ready(other[0])
                engine, running = next(
                    (engine, running)
                    for engine, running in (one, other)
                    if engine._source is not None and bool(engine._source.lanes) == has_lane
                )
                assert engine._source is not None
                clock.time += stream.settings.patience_s + 1
                failing.append(engine._source)
                await has_joined_again(engine, running)
                assert not running.done()


def raised(error: BaseException) -> BaseException:
    """The error with the traceback that it has when it is caught."""
    with suppress(type(error)):
        raise error
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KafkaConnectionError("no broker"), "KafkaConnectionError: KafkaConnectionError: no broker"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (TimeoutError(), "TimeoutError"),
        (Refused("topic x does not exist"), "Refused: topic x does not exist"),
    ],
)
def test_what_infrastructure_raises_is_told_in_its_words(error: Exception, text: str) -> None:
    assert told(raised(error)) == text


@pytest.mark.parametrize(
    "error", [KeyError(CODE), ValueError(CODE), UnicodeDecodeError("utf-8", CODE.encode(), 0, 1, CODE)]
)
def test_what_code_raises_is_told_by_type_and_place_alone(error: Exception) -> None:
    place = r"tests/stream/test_stream_membership\.py:\d+"
    assert re.fullmatch(f"{type(error).__name__} at {place}", told(raised(error)))


@pytest.mark.parametrize(
    ("errors", "chosen"),
    [
        ([KafkaConnectionError(), KeyError(), Refused()], Refused),
        ([KafkaConnectionError(), Fenced(), KeyError()], KeyError),
        ([KafkaConnectionError(), Fenced()], Fenced),
        ([TimeoutError()], TimeoutError),
    ],
)
def test_of_several_faults_that_one_counts_which_another_try_would_not_mend(
    errors: list[Exception], chosen: type[Exception]
) -> None:
    group = ExceptionGroup("lanes", [ExceptionGroup("one", errors[:1]), *errors[1:]])
    assert isinstance(decisive(group), chosen)


def test_what_nobody_awaited_is_reported_without_its_text() -> None:
    loop = asyncio.new_event_loop()
    with capture_logs() as logs:
        report(loop, {"message": f"Exception in callback f({CODE})", "exception": raised(KeyError(CODE))})
        report(loop, {"message": "Task exception was never retrieved", "exception": KafkaConnectionError()})
    loop.close()
    (line,) = logs
    assert line["error"].startswith("KeyError at ")
    assert CODE not in str(logs)
