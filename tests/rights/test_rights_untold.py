"""Brokers that do not tell what they allow, as the devkit's embedded one: nothing is refused beforehand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from worker.devkit.embedded import EmbeddedBroker
from worker.devkit.ports import LOOPBACK, free_ports
from worker.settings import Settings
from worker.stream.errors import not_allowed
from worker.stream.rights.missing import refusal, require
from worker.stream.rights.table import Task

INPUT, RESULTS = "in", "out"


@pytest.fixture(scope="module")
def untold() -> Iterator[Settings]:
    with EmbeddedBroker(because="it does not tell") as broker:
        broker.create_topics([INPUT])
        yield settings(broker.bootstrap)


def settings(bootstrap: str) -> Settings:
    return Settings(bootstrap_servers=bootstrap, app_id="app", input_topic=INPUT, results_topic=RESULTS)


@pytest.mark.parametrize("task", Task)
async def test_who_is_told_nothing_begins(untold: Settings, task: Task) -> None:
    await require(untold, task)


DENIALS = [
    (Task.REPLAY, TopicAuthorizationFailedError(RESULTS), "this user lacks Read on the topic out; "),
    (Task.REPLAY, GroupAuthorizationFailedError("app"), "this user lacks Describe on the group app; "),
    (
        Task.RUN,
        TransactionalIdAuthorizationFailed(),
        "this worker lacks Write on the transactional ids that begin with app-in-; ",
    ),
    (
        Task.RUN,
        TopicAuthorizationFailedError(INPUT),
        "this worker lacks one of Read on the topic in, DescribeConfigs on the topic in (Topic",
    ),
    (
        Task.REPLAY,
        TopicAuthorizationFailedError(),
        "this user lacks one of Read on the topic in, Read on the topic out (Topic",
    ),
]


@pytest.mark.parametrize(("task", "denial", "line"), DENIALS)
async def test_a_denial_names_what_the_task_needs_on_such_a_resource(
    untold: Settings, task: Task, denial: KafkaError, line: str
) -> None:
    assert str(await refusal(denial, untold, task)).startswith(line)


async def test_a_lanes_refusal_names_what_its_denial_was_of(untold: Settings) -> None:
    """A lane raises that something was denied, the engine what."""
    denial = GroupAuthorizationFailedError("app")
    refused = not_allowed(denial)
    assert refused is not None
    refused.__cause__ = denial
    assert str(await refusal(refused, untold, Task.RUN)).startswith(
        "this worker lacks Read on the group app;"
    )


async def test_who_cannot_ask_is_told_of_the_denial_all_the_same() -> None:
    (port,) = free_ports(1)
    unreachable = settings(f"{LOOPBACK}:{port}")
    with pytest.raises(KafkaConnectionError):
        await require(unreachable, Task.HISTORY)
    denial = TopicAuthorizationFailedError("x")
    line = "this user lacks Read on the topic mms.member-history.changelog.v1; "
    assert str(await refusal(denial, unreachable, Task.HISTORY)).startswith(line)
