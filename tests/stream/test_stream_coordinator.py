"""A coordinator that cannot tell a group's offset is asked again: that is no group without an offset."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer import consumer
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaError,
    NotCoordinatorError,
)
from aiokafka.protocol.commit import OffsetFetchResponse_v3

from tests.stream.streamkit import Stream
from worker.stream.coordinator import Coordinator, heed_coordinators
from worker.stream.stable_offsets import UNSTABLE, OffsetFetchResponseV7

GROUP = "claims"
PLACE = TopicPartition("in", 3)
NONE = -1
"""The offset that a coordinator tells of a group that has none."""


class Brokers(AIOKafkaClient):  # type: ignore[misc]
    """In the brokers' place: each error once, then the offset, as OffsetFetch has them from version 2 on."""

    def __init__(self, offset: int, *errors: type[KafkaError], version: int = 7, unstable: int = 0) -> None:
        super().__init__(bootstrap_servers="127.0.0.1:1")
        self._version = version
        self._unstable = unstable
        self.lookups = 0
        self._offset = offset
        self._errors = list(errors)

    async def coordinator_lookup(self, *_: Any) -> int:
        self.lookups += 1
        return self.lookups

    async def ready(self, *_: Any, **__: Any) -> bool:
        return True

    async def send(self, *_: Any, **__: Any) -> Any:
        if self._errors:
            return self._answer([], self._errors.pop(0).errno)
        if self._unstable:
            self._unstable -= 1
            return self._answer([self._of_partition(NONE, UNSTABLE)])
        return self._answer([self._of_partition(self._offset)])

    def _of_partition(self, offset: int, error: int = 0) -> tuple[object, ...]:
        epoch, tags = ((-1,), ({},)) if self._version == 7 else ((), ())
        return (PLACE.partition, offset, *epoch, "", error, *tags)

    def _answer(self, partitions: list[tuple[object, ...]], error: int = 0) -> Any:
        if self._version == 7:
            return OffsetFetchResponseV7(0, [(PLACE.topic, partitions, {})] if partitions else [], error, {})
        return OffsetFetchResponse_v3(0, [(PLACE.topic, partitions)] if partitions else [], error)


@asynccontextmanager
async def coordinator(brokers: Brokers) -> AsyncIterator[Coordinator]:
    one = Coordinator(brokers, SubscriptionState(), group_id=GROUP, retry_backoff_ms=1)
    try:
        yield one
    finally:
        await one.close()
        await brokers.close()


async def committed(one: Coordinator) -> int | None:
    async with asyncio.timeout(10):
        told = (await one.fetch_committed_offsets([PLACE])).get(PLACE)
    return None if told is None else told.offset


@pytest.mark.parametrize(
    ("errors", "lookups"),
    [
        ([], 1),
        ([CoordinatorLoadInProgressError], 1),
        ([CoordinatorLoadInProgressError] * 3, 1),
        ([NotCoordinatorError], 2),
        ([CoordinatorNotAvailableError], 2),
        ([NotCoordinatorError, CoordinatorLoadInProgressError], 2),
    ],
)
@pytest.mark.parametrize("version", [3, 7])
async def test_a_coordinator_that_cannot_tell_the_offset_is_asked_again_or_another_is(
    errors: list[type[KafkaError]], lookups: int, version: int
) -> None:
    brokers = Brokers(1234, *errors, version=version)
    async with coordinator(brokers) as one:
        assert await committed(one) == 1234
        assert brokers.lookups == lookups


@pytest.mark.parametrize("unstable", [1, 3])
async def test_a_coordinator_for_which_an_offset_is_pending_is_asked_again(unstable: int) -> None:
    async with coordinator(Brokers(1234, unstable=unstable)) as one:
        assert await committed(one) == 1234


async def test_the_coordinator_of_a_real_broker_is_asked_for_stable_offsets(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new coordinator tells older offsets to whoever does not ask so."""
    monkeypatch.setattr(consumer, "GroupCoordinator", Coordinator)
    answers: list[Any] = []
    send = AIOKafkaClient.send

    async def noting(client: AIOKafkaClient, *arguments: Any, **named: Any) -> Any:
        answers.append(answer := await send(client, *arguments, **named))
        return answer

    monkeypatch.setattr(AIOKafkaClient, "send", noting)
    place = TopicPartition(stream.settings.input_topic, 0)
    async with AIOKafkaConsumer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        group_id=stream.settings.app_id,
        enable_auto_commit=False,
    ) as one:
        one.assign([place])
        assert await one.committed(place) is None
        await one.commit({place: 7})
        assert await one.committed(place) == 7
    assert any(isinstance(answer, OffsetFetchResponseV7) for answer in answers)


async def test_a_group_that_has_no_offset_has_none() -> None:
    async with coordinator(Brokers(NONE)) as one:
        assert await committed(one) is None


async def test_a_group_that_may_not_be_read_is_not_one_without_an_offset() -> None:
    async with coordinator(Brokers(NONE, GroupAuthorizationFailedError)) as one:
        with pytest.raises(GroupAuthorizationFailedError, match=GROUP):
            await committed(one)


async def test_every_consumer_of_the_process_heeds_its_coordinator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "GroupCoordinator", consumer.GroupCoordinator)
    heed_coordinators()
    assert consumer.GroupCoordinator is Coordinator
