"""The consumer group from outside: its state, who is in it, what each holds, what is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupAuthorizationFailedError, IncompatibleBrokerVersion, NoError, for_code
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.commit import OffsetFetchRequest

from worker.stream.errors import Refused

if TYPE_CHECKING:
    from worker.settings import Settings
    from worker.stream.status.asking import Asking

MOCK = "these brokers do not describe groups; the devkit's embedded broker is no Kafka, and does not"
STABLE, EMPTY, DEAD = "Stable", "Empty", "Dead"
"""Kafka's names: partitions are given out; nobody is in it; there is no such group."""


class Member(NamedTuple):
    """A worker in the group. ``id`` is what the coordinator calls it, ``host`` where it connects from."""

    id: str
    client_id: str
    host: str
    partitions: tuple[int, ...]


class Group(NamedTuple):
    """The group; ``state`` is Kafka's name for it."""

    state: str
    members: tuple[Member, ...]
    committed: dict[int, int]
    """Committed offset by partition of the input, of those that have one."""


async def read_group(asking: Asking, settings: Settings, partitions: int) -> Group:
    """Ask the group's coordinator. Raises what it answers, Refused where it cannot describe groups.

    The offsets are those that everyone may see; one that is being committed is not waited for.
    """
    node = await asking.coordinator(settings.app_id)
    try:
        told = (await asking.ask(DescribeGroupsRequest([settings.app_id]), node)).groups[0]
    except IncompatibleBrokerVersion as unknown:
        raise Refused(f"group {settings.app_id}: {MOCK}") from unknown
    error, _, state, _, _, members, *_ = told
    _raise(error, settings)
    topic = settings.input_topic
    answer = await asking.ask(OffsetFetchRequest(settings.app_id, [(topic, list(range(partitions)))]), node)
    _raise(getattr(answer, "error_code", NoError.errno), settings)
    committed = {}
    for _, offsets in answer.topics:
        for number, offset, _, failed in offsets:
            _raise(failed, settings)
            if offset >= 0:
                committed[number] = offset
    return Group(state, tuple(sorted(_member(one, topic) for one in members)), committed)


def _raise(code: int, settings: Settings) -> None:
    error = for_code(code)
    if error is GroupAuthorizationFailedError:
        raise error(settings.app_id)
    if error is not NoError:
        raise error


def _member(told: tuple[Any, ...], topic: str) -> Member:
    """A member; it holds nothing while partitions are being given out."""
    id_, client_id, host, _, assignment = told[-5:]
    held: list[int] = []
    if assignment:
        assigned = ConsumerProtocolMemberAssignment.decode(assignment)
        held = [place.partition for place in assigned.partitions() if place.topic == topic]
    return Member(id_, client_id, host.removeprefix("/"), tuple(sorted(held)))
