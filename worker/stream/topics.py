"""The four topics: what they must be like, making them, and how existing ones differ."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.stream.connection import connection
from worker.stream.errors import Refused
from worker.stream.outgoing import BATCH_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aiokafka.errors import KafkaError

    from worker.settings import Settings

HEADERS_BYTES = 64 << 10
"""Room for a record's headers and key, and for the framing of a batch of one."""
INPUT_BYTES = MAX_VALUE_BYTES + HEADERS_BYTES
RESULT_BYTES = 2 * INPUT_BYTES
"""A result grows with its claim's lines, not with its bytes; twice the input is far above the largest."""
DEAD_LETTER_BYTES = 64 << 20
"""The broker bounds an input batch after the sender's compression. A value that is over the contract's bound,
but was compressed better than the worker does it, must still fit here: a dead letter that cannot be written
stops its partition. The brokers' default bound of any request, 100 MiB, is above it."""
DAY_MS = 24 * 60 * 60 * 1000
FOREVER = str(2**63 - 1)
PRODUCER_ID_EXPIRATION_MS = DAY_MS
"""The broker's ``producer.id.expiration.ms`` by default."""

ABSENT = "does not exist, or this user may not describe it"
CREATE = "mms-worker topics create"
HOW_MANY = '"How many partitions" in deploy/README.md'
TOO_MANY = "no command takes partitions from a topic; use one of another name"
NO_COMMAND = f"no command, since state moves with partitions; see {HOW_MANY}"
ESSENTIAL = {"cleanup.policy", "max.message.bytes"}
"""Configuration without which records are lost or refused: a worker does not start without it."""


class TopicSpec(NamedTuple):
    """A topic as it must be; ``config`` holds Kafka's own names of topic settings."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


class Difference(NamedTuple):
    """Something about a topic that is not as it must be, and what repairs it: a command, or words."""

    topic: str
    what: str
    repair: str
    essential: bool
    missing: bool = False

    def __str__(self) -> str:
        return f"topic {self.topic} {self.what}; repair: {self.repair}"


def specs(settings: Settings) -> tuple[TopicSpec, ...]:
    """The four topics that the settings ask for."""

    def kept(days: float, size: int) -> dict[str, str]:
        retention = str(round(days * DAY_MS))
        return {"cleanup.policy": "delete", "retention.ms": retention, "max.message.bytes": str(size)}

    # Results and dead letters carry their input's timestamp, which was accepted once already.
    as_old_as_input = {"message.timestamp.after.max.ms": FOREVER}
    compacted = {
        "cleanup.policy": "compact",
        # The broker bounds whole batches, and one of small histories may compress to no less than it was.
        "max.message.bytes": str(max(2 * settings.history_max_bytes, BATCH_BYTES) + HEADERS_BYTES),
        "delete.retention.ms": str(2 * PRODUCER_ID_EXPIRATION_MS),
    }
    configs = {
        # The bound of a batch holds for what it is stored as: uncompressed, none unpacks to more than it.
        settings.input_topic: kept(settings.input_retention_days, INPUT_BYTES)
        | {"compression.type": "uncompressed"},
        # What is signed of a result is the time that the worker gives it, too.
        settings.results_topic: kept(settings.results_retention_days, RESULT_BYTES)
        | as_old_as_input
        | {"message.timestamp.type": "CreateTime"},
        settings.dead_letter_topic: kept(settings.dead_letter_retention_days, DEAD_LETTER_BYTES)
        | as_old_as_input,
        settings.changelog_topic: compacted | as_old_as_input,
    }
    durable = durability(settings.replication)
    return tuple(
        TopicSpec(name, settings.partitions, settings.replication, config | durable)
        for name, config in configs.items()
    )


def durability(replication: int) -> dict[str, str]:
    """How many replicas must have a record before it counts as written."""
    return {"min.insync.replicas": "2" if replication > 2 else "1"}


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client that is connected. Raises KafkaConnectionError if no broker answers."""
    client = AIOKafkaAdminClient(**connection(settings))
    try:
        await client.start()
        yield client
    finally:
        await client.close()


async def create_missing(client: AIOKafkaAdminClient, wanted: Sequence[TopicSpec]) -> list[str]:
    """Create those of ``wanted`` that do not exist; returns their names.

    Raises Refused with the broker's reason, and what to do where that is known, if it does not make one; and
    what aiokafka has for it if that is not allowed.
    """
    existing = await partition_counts(client)
    missing = [spec for spec in wanted if spec.name not in existing]
    if not missing:
        return []
    new = [
        NewTopic(spec.name, spec.partitions, spec.replication, topic_configs=dict(spec.config))
        for spec in missing
    ]
    response = await client.create_topics(new)
    for topic, code, *reason in response.topic_errors:
        error = for_code(code)
        if error in {TopicAuthorizationFailedError, ClusterAuthorizationFailedError}:
            raise error(topic)
        if error not in {NoError, TopicAlreadyExistsError}:
            why = (reason[0] if reason else None) or error.__name__
            raise Refused(f"topic {topic} was not created: {why}{_remedy(error)}")
    return [spec.name for spec in missing]


def _remedy(error: type[KafkaError]) -> str:
    """What to do about a topic that was not created, for the errors that tell."""
    settings = {InvalidReplicationFactorError: "MMS_REPLICATION", InvalidPartitionsError: "MMS_PARTITIONS"}
    return f"; see {settings[error]}" if error in settings else ""


async def partition_counts(client: AIOKafkaAdminClient) -> dict[str, int]:
    """Partitions by topic, of every topic there is; asking by name would create them on some brokers."""
    topics = await client.describe_topics()
    return {topic["topic"]: len(topic["partitions"]) for topic in topics}


async def differences(client: AIOKafkaAdminClient, settings: Settings) -> list[Difference]:
    """How the topics differ from the settings: existence, partitions, replicas, configuration."""
    topics = {topic["topic"]: topic["partitions"] for topic in await client.describe_topics()}
    counts = {name: len(partitions) for name, partitions in topics.items()}
    numbers = {one.topic: one for one in all_counted(counts, settings)}
    found: list[Difference] = []
    for spec in specs(settings):
        if spec.name in numbers:
            found.append(numbers[spec.name])
        partitions = topics.get(spec.name)
        if partitions is None:
            continue
        replicas = min((len(partition["replicas"]) for partition in partitions), default=0)
        if replicas < spec.replication:
            what = f"has {replicas} replicas, not the {spec.replication} of MMS_REPLICATION"
            found.append(
                Difference(spec.name, what, _tool("kafka-reassign-partitions.sh", settings), essential=False)
            )
        found += await configured(client, spec, settings)
    return found


def all_counted(counts: Mapping[str, int], settings: Settings) -> list[Difference]:
    """What is different about the numbers of partitions of the four topics; ``counts`` is by name of topic.

    Where they agree it is the setting that is wrong. State moves with partitions, so none are ever added or
    taken away; dead letters have none, and may have been left behind.
    """
    wanted, letters = specs(settings), settings.dead_letter_topic
    there = {spec.name: counts[spec.name] for spec in wanted if spec.name in counts}
    numbers = set(there.values())
    of_setting = _repair_of_setting(numbers, settings)
    lag = {number for name, number in there.items() if name != letters} == {settings.partitions}
    found: list[Difference] = []
    for spec in wanted:
        number = there.get(spec.name)
        if number is None:
            repair = f"{of_setting}; then {CREATE}" if of_setting else CREATE
            found.append(Difference(spec.name, ABSENT, repair, essential=True, missing=True))
        elif spec.name == letters and lag:
            found += counted(spec, number, settings, "MMS_PARTITIONS")
        elif number != spec.partitions:
            what = _other_number(number, spec, "MMS_PARTITIONS")
            found.append(Difference(spec.name, what, of_setting or NO_COMMAND, essential=True))
    return found


def _repair_of_setting(numbers: set[int], settings: Settings) -> str | None:
    """How to repair MMS_PARTITIONS where all topics have one number and it has another; None elsewhere."""
    if len(numbers) != 1 or numbers == {settings.partitions}:
        return None
    (number,) = numbers
    repair = f"set MMS_PARTITIONS={number}, as all the topics have"
    if number < settings.partitions:
        return repair
    # They may have grown, and then nobody may work on them: it cannot be told by looking.
    return f"{repair}, unless partitions were added since they were made: then see {HOW_MANY}"


def counted(spec: TopicSpec, partitions: int, settings: Settings, expected_by: str) -> list[Difference]:
    """What is different about the number of partitions of a topic without state: some can be added to it.

    ``expected_by`` is a setting or another topic: whose number it must be.
    """
    if partitions == spec.partitions:
        return []
    repair = TOO_MANY
    if partitions < spec.partitions:
        topics = _tool("kafka-topics.sh", settings)
        repair = f"{topics} --alter --topic {spec.name} --partitions {spec.partitions}"
    return [Difference(spec.name, _other_number(partitions, spec, expected_by), repair, essential=True)]


def _other_number(partitions: int, spec: TopicSpec, expected_by: str) -> str:
    return f"has {partitions} partitions, not the {spec.partitions} of {expected_by}"


async def configured(client: AIOKafkaAdminClient, spec: TopicSpec, settings: Settings) -> list[Difference]:
    """What is different about an existing topic's configuration, of what ``spec`` asks for."""
    try:
        (response,) = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, spec.name)])
    except IncompatibleBrokerVersion:  # a mock cluster: there is no configuration to be wrong
        return []
    ((code, message, _, _, entries),) = response.resources
    if for_code(code) is not NoError:
        raise for_code(code)(message)
    actual = {entry[0]: entry[1] for entry in entries}
    found = []
    for name, wanted in spec.config.items():
        if not _suffices(name, actual.get(name), wanted):
            alter = f"--alter --entity-type topics --entity-name {spec.name} --add-config {name}={wanted}"
            repair = f"{_tool('kafka-configs.sh', settings)} {alter}"
            what = f"has {name}={actual.get(name)}, not {wanted}"
            found.append(Difference(spec.name, what, repair, essential=name in ESSENTIAL))
    return found


def _suffices(name: str, actual: str | None, wanted: str) -> bool:
    if name == "max.message.bytes":
        return actual is not None and int(actual) >= int(wanted)
    return actual == wanted


def _tool(name: str, settings: Settings) -> str:
    return f"{name} --bootstrap-server {settings.bootstrap_servers}"
