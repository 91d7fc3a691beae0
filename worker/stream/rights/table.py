"""The table: which operations on which resources each task needs, and which tasks a role has.

An operation that another one implies is not granted beside it: Read, Write, Delete and Alter imply Describe,
and AlterConfigs implies DescribeConfigs (Kafka's documentation, "Authorization and ACLs"). Writing in
transactions takes Write on the transactional id. IdempotentWrite on the cluster is for producers without
one, and since Kafka 2.8 (KIP-679) Write on any topic stands in for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from worker.stream.redrive.ledger import ledger_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from worker.settings import Settings


class Kind(StrEnum):
    """Kinds of resource, by Kafka's names."""

    TOPIC = "Topic"
    GROUP = "Group"
    TRANSACTIONAL_ID = "TransactionalId"


class Operation(StrEnum):
    """Operations, by Kafka's names."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"


READ, WRITE, CREATE, DESCRIBE, DESCRIBE_CONFIGS = Operation
IMPLY_DESCRIBE = frozenset({READ, WRITE})
"""Who may do one of these may describe the resource too."""


class Resource(NamedTuple):
    """What something is allowed on: the resource of that name, or all whose names begin so."""

    kind: Kind
    name: str
    is_prefix: bool = False

    def __str__(self) -> str:
        names = {Kind.TOPIC: "topic", Kind.GROUP: "group", Kind.TRANSACTIONAL_ID: "transactional id"}
        noun = names[self.kind]
        return f"the {noun}s that begin with {self.name}" if self.is_prefix else f"the {noun} {self.name}"


class Right(NamedTuple):
    """One operation on one resource."""

    resource: Resource
    operation: Operation

    def __str__(self) -> str:
        return f"{self.operation} on {self.resource}"


class Need(NamedTuple):
    """A row: the operations that a task needs on a resource, and what for.

    Without one that is ``optional`` the task is done all the same, and tells less.
    """

    of: Callable[[Settings], Resource]
    operations: tuple[Operation, ...]
    what_for: str
    optional: bool = False


class Grant(NamedTuple):
    """What is to be allowed on one resource."""

    resource: Resource
    operations: tuple[Operation, ...]
    what_for: tuple[str, ...]
    is_optional: bool


class Task(StrEnum):
    """What somebody does, as one calls the command; what a producer of claims does has none of its own."""

    RUN = "run"
    CREATE_TOPICS = "topics create"
    CHECK_TOPICS = "topics check"
    STATUS = "status"
    HISTORY = "history show"
    LETTERS = "dlq list"
    REDRIVE = "dlq redrive"
    REPLAY = "replay"
    SEND = "devkit load"


class Role(StrEnum):
    """Who is allowed something: a user of the brokers that has some tasks."""

    WORKER = "worker"
    OPERATOR = "operator"
    PROVISIONER = "provisioner"
    AUDITOR = "auditor"
    REDRIVE = "redrive"
    REPLAY = "replay"
    PRODUCER = "producer"


ROLES: Mapping[Role, tuple[Task, ...]] = {
    Role.WORKER: (Task.RUN,),
    Role.OPERATOR: (Task.STATUS, Task.CHECK_TOPICS),
    Role.PROVISIONER: (Task.CREATE_TOPICS,),
    Role.AUDITOR: (Task.HISTORY, Task.LETTERS),
    Role.REDRIVE: (Task.REDRIVE,),
    Role.REPLAY: (Task.REPLAY,),
    Role.PRODUCER: (Task.SEND,),
}
"""The tasks of each role; of two roles with a task the first one may less."""


def _input(settings: Settings) -> Resource:
    return Resource(Kind.TOPIC, settings.input_topic)


def _results(settings: Settings) -> Resource:
    return Resource(Kind.TOPIC, settings.results_topic)


def _dead_letters(settings: Settings) -> Resource:
    return Resource(Kind.TOPIC, settings.dead_letter_topic)


def _changelog(settings: Settings) -> Resource:
    return Resource(Kind.TOPIC, settings.changelog_topic)


def _ledger(settings: Settings) -> Resource:
    return Resource(Kind.TOPIC, ledger_topic(settings))


def _group(settings: Settings) -> Resource:
    return Resource(Kind.GROUP, settings.app_id)


def _lanes(settings: Settings) -> Resource:
    """The transactional ids of the lanes: one a partition, whose number is their end."""
    return Resource(Kind.TRANSACTIONAL_ID, f"{settings.app_id}-{settings.input_topic}-", is_prefix=True)


def _redrives(settings: Settings) -> Resource:
    """The transactional ids of redrives, likewise."""
    return Resource(Kind.TRANSACTIONAL_ID, f"{ledger_topic(settings)}-", is_prefix=True)


_FOUR = (_input, _results, _dead_letters, _changelog)

NEEDS: Mapping[Task, tuple[Need, ...]] = {
    Task.RUN: (
        Need(_input, (READ, DESCRIBE_CONFIGS), "read claims; see how the topic is kept"),
        Need(_results, (WRITE, DESCRIBE_CONFIGS), "write decisions; see how the topic is kept"),
        Need(_dead_letters, (WRITE, DESCRIBE_CONFIGS), "set records aside; see how the topic is kept"),
        Need(_changelog, (READ, WRITE, DESCRIBE_CONFIGS), "restore and write histories; see how it is kept"),
        Need(_group, (READ,), "be a member; commit offsets"),
        Need(_lanes, (WRITE,), "a transaction for each batch of a partition"),
    ),
    Task.CREATE_TOPICS: tuple(
        Need(of, (CREATE, DESCRIBE, DESCRIBE_CONFIGS), "make the topic, or say how it differs")
        for of in _FOUR
    ),
    Task.CHECK_TOPICS: tuple(
        Need(of, (DESCRIBE, DESCRIBE_CONFIGS), "say how the topic differs") for of in _FOUR
    ),
    Task.STATUS: (
        Need(_input, (READ,), "lag, and since when the oldest claim waits"),
        Need(_results, (READ,), "last commits, and the digests that decide"),
        Need(_dead_letters, (READ,), "count by reason"),
        Need(_changelog, (READ,), "last commits"),
        Need(_ledger, (READ,), "how many dead letters were redriven"),
        Need(_group, (DESCRIBE,), "members and committed offsets"),
        Need(_lanes, (DESCRIBE,), "for how long a transaction is open", optional=True),
    ),
    Task.HISTORY: (Need(_changelog, (READ,), "read a member's history"),),
    Task.LETTERS: (
        Need(_dead_letters, (READ,), "read dead letters"),
        Need(_ledger, (READ,), "see which were redriven"),
    ),
    Task.REDRIVE: (
        Need(_dead_letters, (READ,), "read dead letters"),
        Need(_ledger, (READ, WRITE, CREATE, DESCRIBE_CONFIGS), "make the ledger, see how it is kept, note"),
        Need(_input, (WRITE,), "send them once more"),
        Need(_redrives, (WRITE,), "send and note in one transaction"),
    ),
    Task.REPLAY: (
        Need(_input, (READ,), "read the claims again"),
        Need(_results, (READ,), "compare with what was published"),
        Need(_group, (DESCRIBE,), "how far the worker has decided"),
    ),
    Task.SEND: (Need(_input, (WRITE,), "send claims"),),
}
"""What each task needs. Every row but the optional ones was seen to be missed when it is taken away."""


def grants(tasks: Iterable[Task], settings: Settings) -> list[Grant]:
    """What these tasks need together, a resource each, without what another operation there implies."""
    found: dict[Resource, Grant] = {}
    for need in (need for task in tasks for need in NEEDS[task]):
        resource = need.of(settings)
        before = found.get(resource, Grant(resource, (), (), need.optional))
        operations = dict.fromkeys((*before.operations, *need.operations))
        if not IMPLY_DESCRIBE.isdisjoint(operations):
            operations.pop(DESCRIBE, None)
        what_for = tuple(dict.fromkeys((*before.what_for, need.what_for)))
        found[resource] = Grant(resource, tuple(operations), what_for, before.is_optional and need.optional)
    return list(found.values())


def rights(task: Task, settings: Settings) -> list[Right]:
    """What a task cannot do without, one operation on one resource each."""
    return [
        Right(grant.resource, operation)
        for grant in grants([task], settings)
        if not grant.is_optional
        for operation in grant.operations
    ]


def role_of(task: Task) -> Role:
    """The role to grant for a task: the first that has it."""
    return next(role for role, tasks in ROLES.items() if task in tasks)
