"""ListTransactions and DescribeTransactions (KIP-664, Kafka 3.0), which aiokafka 0.14 does not have."""

from __future__ import annotations

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    Int16,
    Int32,
    Int64,
    Schema,
)

from worker.stream.flexible import NO_TAGS, PARTITIONS_BY_TOPIC, TAGS, TEXT


class ListTransactionsResponseV0(Response):  # type: ignore[misc]  # aiokafka has no types
    """The transactional ids that a broker coordinates and the user may describe, with their producers."""

    API_KEY = 66
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_state_filters", CompactArray(TEXT)),
        (
            "transactions",
            CompactArray(
                ("transactional_id", TEXT),
                ("producer_id", Int64),
                ("state", TEXT),
                TAGS,
            ),
        ),
        TAGS,
    )


class ListTransactionsRequestV0(RequestStruct):  # type: ignore[misc]  # as above
    """The question; no filter is one that lets all pass."""

    API_KEY = 66
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = ListTransactionsResponseV0
    SCHEMA = Schema(
        ("state_filters", CompactArray(TEXT)),
        ("producer_id_filters", CompactArray(Int64)),
        TAGS,
    )


class ListTransactionsRequest(Request[ListTransactionsRequestV0]):  # type: ignore[misc]  # as above
    """Which transactional ids these producers have, asked of each broker."""

    API_KEY = 66

    def __init__(self, producers: list[int]) -> None:
        self._producers = producers

    def build(self, request_struct_class: Any) -> RequestStruct:
        """The question in the version that was negotiated."""
        return request_struct_class([], self._producers, NO_TAGS)


class DescribeTransactionsResponseV0(Response):  # type: ignore[misc]  # as above
    """Of each transactional id its state, and the partitions of a transaction that has not ended."""

    API_KEY = 65
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "transactions",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", TEXT),
                ("state", TEXT),
                ("timeout_ms", Int32),
                ("start_time_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                (
                    "topics",
                    PARTITIONS_BY_TOPIC,
                ),
                TAGS,
            ),
        ),
        TAGS,
    )


class DescribeTransactionsRequestV0(RequestStruct):  # type: ignore[misc]  # as above
    """The question."""

    API_KEY = 65
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = DescribeTransactionsResponseV0
    SCHEMA = Schema(
        ("transactional_ids", CompactArray(TEXT)),
        TAGS,
    )


class DescribeTransactionsRequest(Request[DescribeTransactionsRequestV0]):  # type: ignore[misc]  # as above
    """How the transactions of these ids stand, asked of the broker that coordinates them."""

    API_KEY = 65

    def __init__(self, transactional_ids: list[str]) -> None:
        self._ids = transactional_ids

    def build(self, request_struct_class: Any) -> RequestStruct:
        """The question in the version that was negotiated."""
        return request_struct_class(self._ids, NO_TAGS)
