"""Which right is missing: asked of the brokers before anything is done, and again when one denies something.

A broker that denies something tells the kind of resource at most, never the operation. And aiokafka hides
some denials: a topic that it may not describe is not there for it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    NoError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.coordination import FindCoordinatorRequest

from worker.stream.errors import DENIED, INFRASTRUCTURE, NotAllowed, denial, told
from worker.stream.rights.authorized import UNTOLD, GroupRightsRequest, TopicRightsRequest, is_allowed
from worker.stream.rights.table import (
    CREATE,
    DESCRIBE,
    IMPLY_DESCRIBE,
    Kind,
    Operation,
    Resource,
    Right,
    Task,
    rights,
    role_of,
)
from worker.stream.status.asking import asking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from worker.settings import Settings
    from worker.stream.status.asking import Asking

GROUP, TRANSACTION = 0, 1
"""What a coordinator is looked for by (FindCoordinator)."""
ASKED_S = 5.0
"""Longest time that asking takes once something was denied; the refusal does without the answer then."""
UNANSWERED = (IncompatibleBrokerVersion, NotImplementedError)
"""What aiokafka raises where the broker does not know a question: it is older, or no Kafka."""

_KINDS = {
    TopicAuthorizationFailedError: Kind.TOPIC,
    ClusterAuthorizationFailedError: Kind.TOPIC,  # raised to producers and makers of topics
    GroupAuthorizationFailedError: Kind.GROUP,
    TransactionalIdAuthorizationFailed: Kind.TRANSACTIONAL_ID,
}


async def require(settings: Settings, task: Task) -> None:
    """Raise NotAllowed with what this user lacks for a task.

    What the brokers do not tell, or not now, counts as granted, and Create too: it may be granted on the
    cluster, and is not missed where the topic exists. The task will show. Raises KafkaConnectionError if no
    broker answers.
    """
    needed = [right for right in rights(task, settings) if right.operation is not CREATE]
    lacking: list[Right] = []
    async with asking(settings) as client:
        with suppress(*INFRASTRUCTURE):
            lacking = await _lacking(client, needed)
    if lacking:
        raise NotAllowed(_lacks(lacking, task))


@asynccontextmanager
async def naming_what_lacks(settings: Settings, task: Task) -> AsyncIterator[None]:
    """Whatever a broker denies within is raised as NotAllowed, with the right that is missing."""
    try:
        yield
    except DENIED as error:
        raise await refusal(error, settings, task) from error


async def refusal(error: BaseException, settings: Settings, task: Task) -> NotAllowed:
    """The refusal that names what is missing, once a broker has denied something.

    ``error`` is the denial. Where the brokers do not tell, it names what the task needs on resources of that
    kind.
    """
    reason = denial(error)
    needed = rights(task, settings)
    lacking: list[Right] = []
    with suppress(*INFRASTRUCTURE):
        async with asyncio.timeout(ASKED_S), asking(settings) as client:
            lacking = await _lacking(client, needed)
    kind = next((kind for denied, kind in _KINDS.items() if isinstance(reason, denied)), None)
    if not any(right.resource.kind is kind for right in lacking):
        of_kind = [right for right in needed if right.resource.kind is kind]
        named = [right for right in of_kind if right.resource.name in map(str, reason.args)]
        candidates = named or of_kind or needed
        if len(candidates) != 1:
            return NotAllowed(_lacks_one(candidates, task, reason))
        lacking += candidates
    return NotAllowed(_lacks(lacking, task))


async def _lacking(client: Asking, needed: Sequence[Right]) -> list[Right]:
    """What of ``needed`` the brokers say is not granted; the Create of a topic that exists is not missed."""
    operations: dict[Resource, list[Operation]] = {}
    for right in needed:
        operations.setdefault(right.resource, []).append(right.operation)
    topics = {one.name: one for one in operations if one.kind is Kind.TOPIC}
    found: list[Right] = []
    for name, error, bits in await _topic_rights(client, list(topics)):
        wanted = operations[topics[name]]
        if error is not UnknownTopicOrPartitionError:
            wanted = [operation for operation in wanted if operation is not CREATE]
        found += _not_in(topics[name], wanted, error is TopicAuthorizationFailedError, bits)
    for resource, wanted in operations.items():
        if resource.kind is Kind.GROUP:
            is_hidden, bits = await _group_rights(client, resource.name)
            found += _not_in(resource, wanted, is_hidden, bits)
        elif resource.kind is Kind.TRANSACTIONAL_ID:
            # Whether it may be written is not told by asking, only by fencing its producer.
            example = f"{resource.name}0" if resource.is_prefix else resource.name
            code = await _coordinator(client, TRANSACTION, example)
            found += _not_in(resource, wanted, code is TransactionalIdAuthorizationFailed, UNTOLD)
    order = {right: place for place, right in enumerate(needed)}
    return sorted(found, key=order.__getitem__)


def _not_in(resource: Resource, wanted: Iterable[Operation], is_hidden: bool, bits: int) -> list[Right]:
    """What of ``wanted`` is not granted. Of a hidden resource that is all that would let one describe it."""
    if is_hidden:
        return [Right(resource, one) for one in wanted if one is DESCRIBE or one in IMPLY_DESCRIBE]
    if bits == UNTOLD:
        return []
    return [Right(resource, one) for one in wanted if not is_allowed(one, bits)]


async def _topic_rights(client: Asking, topics: Sequence[str]) -> list[tuple[str, type[KafkaError], int]]:
    """Error and bits of each topic; nothing where the broker does not tell."""
    if not topics:
        return []
    try:
        answer = await client.ask(TopicRightsRequest(topics))
    except UNANSWERED:
        return []
    return [(name, for_code(code), bits) for code, name, _, _, bits in answer.topics]


async def _group_rights(client: Asking, group: str) -> tuple[bool, int]:
    """Whether the group is hidden from this user, and the bits."""
    found = await _coordinator(client, GROUP, group)
    if found is GroupAuthorizationFailedError:
        return True, UNTOLD
    if not isinstance(found, int):  # its coordinator is being looked for: it will tell later
        return False, UNTOLD
    try:
        ((code, *_, bits),) = (await client.ask(GroupRightsRequest(group), found)).groups
    except UNANSWERED:
        return False, UNTOLD
    error = for_code(code)
    return error is GroupAuthorizationFailedError, bits if error is NoError else UNTOLD


async def _coordinator(client: Asking, by: int, key: str) -> int | type[KafkaError]:
    """The broker that coordinates it, or why that is not told."""
    answer: Any = await client.ask(FindCoordinatorRequest(key, by))
    error = for_code(answer.error_code)
    return int(answer.coordinator_id) if error is NoError else error


def _who(task: Task) -> str:
    return "this worker" if task is Task.RUN else "this user"


def _how(task: Task) -> str:
    return f"grant it, as mms-worker topics acls --role {role_of(task)} --principal User:NAME prints"


def _lacks(lacking: Sequence[Right], task: Task) -> str:
    return f"{_who(task)} lacks {' and '.join(map(str, lacking))}; {_how(task)}"


def _lacks_one(candidates: Sequence[Right], task: Task, reason: BaseException) -> str:
    """Where nobody tells which: the brokers are older, or it was granted meanwhile."""
    one_of = ", ".join(map(str, candidates))
    return f"{_who(task)} lacks one of {one_of} ({told(reason)}); {_how(task)}"
