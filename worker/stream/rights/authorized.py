"""Asking a broker what it allows this user on a topic or a group (KIP-430, Kafka 2.3).

aiokafka 0.14 does not ask for it of topics, and leaves the answer of groups unread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Bytes, Int16, Int32, Schema, String

from worker.stream.rights.table import Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = String("utf-8")
UNTOLD = -(2**31)
"""What a broker says that does not tell."""

_CODES = {
    Operation.READ: 3,
    Operation.WRITE: 4,
    Operation.CREATE: 5,
    Operation.DESCRIBE: 8,
    Operation.DESCRIBE_CONFIGS: 10,
}
"""Kafka's numbers of the operations (AclOperation), which are also the bits of an answer."""


def is_allowed(operation: Operation, bits: int) -> bool:
    """Whether the bits of an answer have this operation. What another operation implies is among them."""
    return bool(bits >> _CODES[operation] & 1)


class MetadataResponseV8(Response):  # type: ignore[misc]  # aiokafka has no types
    """Of every topic its error, and what this user may do with it."""

    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", TEXT), ("port", Int32), ("rack", TEXT))),
        ("cluster_id", TEXT),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", TEXT),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class MetadataRequestV8(RequestStruct):  # type: ignore[misc]  # as above
    """The question."""

    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = MetadataResponseV8
    SCHEMA = Schema(
        ("topics", Array(TEXT)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class TopicRightsRequest(Request[MetadataRequestV8]):  # type: ignore[misc]  # as above
    """What this user may do with these topics; none is made by asking."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: Any) -> RequestStruct:
        """The question in the version that was negotiated."""
        return request_struct_class(self._topics, False, False, True)


class DescribeGroupsResponseV3(Response):  # type: ignore[misc]  # as above
    """Of every group its error and state, and what this user may do with it."""

    API_KEY = 15
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            Array(
                ("error_code", Int16),
                ("group", TEXT),
                ("state", TEXT),
                ("protocol_type", TEXT),
                ("protocol", TEXT),
                (
                    "members",
                    Array(
                        ("member_id", TEXT),
                        ("client_id", TEXT),
                        ("client_host", TEXT),
                        ("member_metadata", Bytes),
                        ("member_assignment", Bytes),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
    )


class DescribeGroupsRequestV3(RequestStruct):  # type: ignore[misc]  # as above
    """The question."""

    API_KEY = 15
    API_VERSION = 3
    RESPONSE_TYPE = DescribeGroupsResponseV3
    SCHEMA = Schema(("groups", Array(TEXT)), ("include_authorized_operations", Boolean))


class GroupRightsRequest(Request[DescribeGroupsRequestV3]):  # type: ignore[misc]  # as above
    """What this user may do with a group, asked of its coordinator."""

    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: Any) -> RequestStruct:
        """The question in the version that was negotiated."""
        return request_struct_class([self._group], True)
