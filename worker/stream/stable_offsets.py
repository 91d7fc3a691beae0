"""OffsetFetch version 7, which aiokafka 0.14 does not have: committed offsets of which none is missing.

Without ``require_stable`` (KIP-447) a coordinator tells the offsets up to its high watermark. That of one
which was elected a moment ago lags behind what its predecessor had acknowledged: the offset that it tells is
an older one, and a lane that began there would decide again what was decided before. With it, the coordinator
answers when everything in its log has been acknowledged and no offset is pending.
"""

from __future__ import annotations

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.commit import (
    OffsetFetchRequest_v1,
    OffsetFetchRequest_v2,
    OffsetFetchRequest_v3,
    OffsetFetchResponse_v3,
)
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    Int16,
    Int32,
    Int64,
    Schema,
)

from worker.stream.flexible import NO_TAGS, PARTITIONS_BY_TOPIC, TAGS, TEXT

UNSTABLE = 88
"""UNSTABLE_OFFSET_COMMIT, for which aiokafka has no name: brokers before 4.0 say so instead of waiting."""


class OffsetFetchResponseV7(Response):  # type: ignore[misc]  # aiokafka has no types
    """The answer: of every partition offset, leader epoch, metadata and error; one error of all of them."""

    API_KEY = 9
    API_VERSION = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
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
                        ("error_code", Int16),
                        TAGS,
                    ),
                ),
                TAGS,
            ),
        ),
        ("error_code", Int16),
        TAGS,
    )

    def as_v3(self) -> OffsetFetchResponse_v3:
        """The same in the form that aiokafka reads."""
        topics = [
            (
                topic,
                [(number, offset, metadata, error) for number, offset, _, metadata, error, _ in partitions],
            )
            for topic, partitions, _ in self.topics
        ]
        return OffsetFetchResponse_v3(self.throttle_time_ms, topics, self.error_code)


class OffsetFetchRequestV7(RequestStruct):  # type: ignore[misc]  # as above
    """The question, in the first flexible version that has ``require_stable``."""

    API_KEY = 9
    API_VERSION = 7
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = OffsetFetchResponseV7
    SCHEMA = Schema(
        ("consumer_group", TEXT),
        (
            "topics",
            PARTITIONS_BY_TOPIC,
        ),
        ("require_stable", Boolean),
        TAGS,
    )


class StableOffsetFetchRequest(
    Request[OffsetFetchRequest_v1 | OffsetFetchRequest_v2 | OffsetFetchRequest_v3 | OffsetFetchRequestV7]  # type: ignore[misc]
):
    """Version 7 where the broker has it: Kafka from 2.5 on. Others tell committed offsets as they do."""

    API_KEY = 9

    def __init__(self, group: str, partitions: list[tuple[str, list[int]]]) -> None:
        self._group = group
        self._partitions = partitions

    def build(self, request_struct_class: Any) -> RequestStruct:
        """The question in the version that was negotiated."""
        if request_struct_class is not OffsetFetchRequestV7:
            return request_struct_class(self._group, self._partitions)
        topics = [(topic, numbers, NO_TAGS) for topic, numbers in self._partitions]
        return OffsetFetchRequestV7(self._group, topics, True, NO_TAGS)
