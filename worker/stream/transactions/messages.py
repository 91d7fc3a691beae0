"""Messages of the second transaction protocol (KIP-890, Kafka 4.0), which aiokafka 0.14 does not have.

Produce 12 and TxnOffsetCommit 5 add partition and group to the transaction by themselves, and EndTxn 5 tells
the producer's next epoch. Their answers are given in the form of the version that aiokafka knows.
"""

from __future__ import annotations

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.produce import ProduceResponse_v7
from aiokafka.protocol.transaction import TxnOffsetCommitResponse_v0
from aiokafka.protocol.types import Boolean, CompactArray, CompactBytes, Int16, Int32, Int64, Schema

from worker.adjudication.redacted import redacted
from worker.stream.flexible import NO_TAGS, TAGS, TEXT

NO_LEADER_EPOCH = -1
NO_MEMBERSHIP = (-1, "", None)
"""Generation, member id and instance id: it is the transactional id that fences, not the membership."""


class ProduceResponseV12(Response):  # type: ignore[misc]  # aiokafka has no types
    """Of every partition the offset that its batch got, or an error."""

    API_KEY = 0
    API_VERSION = 12
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic", TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("offset", Int64),
                        ("timestamp", Int64),
                        ("log_start_offset", Int64),
                        ("record_errors", CompactArray(("batch_index", Int32), ("message", TEXT), TAGS)),
                        ("error_message", TEXT),
                        TAGS,
                    ),
                ),
                TAGS,
            ),
        ),
        ("throttle_time_ms", Int32),
        TAGS,
    )

    def as_v7(self) -> ProduceResponse_v7:
        """The same without what is said of single records."""
        topics = [(topic, [of_one[:5] for of_one in partitions]) for topic, partitions, _ in self.topics]
        return ProduceResponse_v7(topics, self.throttle_time_ms)


@redacted
class ProduceRequestV12(RequestStruct):  # type: ignore[misc]  # as above
    """A batch for each of some partitions."""

    API_KEY = 0
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = ProduceResponseV12
    SCHEMA = Schema(
        ("transactional_id", TEXT),
        ("required_acks", Int16),
        ("timeout", Int32),
        (
            "topics",
            CompactArray(
                ("topic", TEXT),
                ("partitions", CompactArray(("partition", Int32), ("messages", CompactBytes), TAGS)),
                TAGS,
            ),
        ),
        TAGS,
    )


class Produce(Request[ProduceRequestV12]):  # type: ignore[misc]  # as above
    """Write a batch to each of some partitions, to be acknowledged by all in-sync replicas."""

    API_KEY = 0
    required_acks = -1

    def __init__(
        self, transactional_id: str, timeout_ms: int, topics: dict[str, list[tuple[int, bytes]]]
    ) -> None:
        self._transactional_id = transactional_id
        self._timeout_ms = timeout_ms
        self._topics = topics

    def build(self, request_struct_class: Any) -> RequestStruct:
        """The request in the version that was negotiated."""
        topics = [
            (topic, [(partition, batch, NO_TAGS) for partition, batch in partitions], NO_TAGS)
            for topic, partitions in self._topics.items()
        ]
        return request_struct_class(
            self._transactional_id, self.required_acks, self._timeout_ms, topics, NO_TAGS
        )


class TxnOffsetCommitResponseV5(Response):  # type: ignore[misc]  # as above
    """Of every partition whether its offset will be committed with the transaction."""

    API_KEY = 28
    API_VERSION = 5
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "errors",
            CompactArray(
                ("topic", TEXT),
                ("partitions", CompactArray(("partition", Int32), ("error_code", Int16), TAGS)),
                TAGS,
            ),
        ),
        TAGS,
    )

    def as_v0(self) -> TxnOffsetCommitResponse_v0:
        """The same as it was said first."""
        errors = [(topic, [of_one[:2] for of_one in partitions]) for topic, partitions, _ in self.errors]
        return TxnOffsetCommitResponse_v0(self.throttle_time_ms, errors)


class TxnOffsetCommitRequestV5(RequestStruct):  # type: ignore[misc]  # as above
    """The offsets that are to be committed with the transaction."""

    API_KEY = 28
    API_VERSION = 5
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = TxnOffsetCommitResponseV5
    SCHEMA = Schema(
        ("transactional_id", TEXT),
        ("group_id", TEXT),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("generation_id", Int32),
        ("member_id", TEXT),
        ("group_instance_id", TEXT),
        (
            "topics",
            CompactArray(
                ("topic", TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", TEXT),
                        TAGS,
                    ),
                ),
                TAGS,
            ),
        ),
        TAGS,
    )


class TxnOffsetCommit(Request[TxnOffsetCommitRequestV5]):  # type: ignore[misc]  # as above
    """Commit a group's offsets with the transaction, by topic: partition, offset and metadata."""

    API_KEY = 28

    def __init__(
        self,
        transactional_id: str,
        group_id: str,
        producer: tuple[int, int],
        topics: dict[str, list[tuple[int, int, str]]],
    ) -> None:
        self._ids = transactional_id, group_id
        self._producer = producer
        self._topics = topics

    def build(self, request_struct_class: Any) -> RequestStruct:
        """The request in the version that was negotiated."""
        topics = [
            (
                topic,
                [
                    (partition, offset, NO_LEADER_EPOCH, metadata, NO_TAGS)
                    for partition, offset, metadata in partitions
                ],
                NO_TAGS,
            )
            for topic, partitions in self._topics.items()
        ]
        return request_struct_class(*self._ids, *self._producer, *NO_MEMBERSHIP, topics, NO_TAGS)


class EndTxnResponseV5(Response):  # type: ignore[misc]  # as above
    """With which producer id and epoch the next transaction is to be written."""

    API_KEY = 26
    API_VERSION = 5
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        TAGS,
    )


class EndTxnRequestV5(RequestStruct):  # type: ignore[misc]  # as above
    """The end of a transaction."""

    API_KEY = 26
    API_VERSION = 5
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = EndTxnResponseV5
    SCHEMA = Schema(
        ("transactional_id", TEXT),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("is_committed", Boolean),
        TAGS,
    )


class EndTxn(Request[EndTxnRequestV5]):  # type: ignore[misc]  # as above
    """Commit or abort the transaction."""

    API_KEY = 26

    def __init__(self, transactional_id: str, producer: tuple[int, int], is_committed: bool) -> None:
        self._fields = (transactional_id, *producer, is_committed)

    def build(self, request_struct_class: Any) -> RequestStruct:
        """The request in the version that was negotiated."""
        return request_struct_class(*self._fields, NO_TAGS)
