"""ApiVersions 3, which aiokafka 0.14 does not have: which features a cluster has agreed upon (KIP-584)."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from aiokafka.protocol.api import Request, RequestStruct, Response, ResponseHeader_v0
from aiokafka.protocol.types import CompactArray, Int16, Int32, Schema

from worker.stream.flexible import NO_TAGS, TAGS, TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENT = ("mms-worker", "0")
"""What brokers may count clients by: a name and a version of letters, digits, dots and hyphens."""
FINALIZED = 2
"""The tag of the finalized features."""
_LEVELS = CompactArray(("name", TEXT), ("max_level", Int16), ("min_level", Int16), TAGS)


class ApiVersionsResponseV3(Response):  # type: ignore[misc]  # aiokafka has no types
    """The versions of every request, and as tagged fields the features."""

    API_KEY = 18
    API_VERSION = 3
    SCHEMA = Schema(
        ("error_code", Int16),
        ("api_versions", CompactArray(("key", Int16), ("min", Int16), ("max", Int16), TAGS)),
        ("throttle_time_ms", Int32),
        TAGS,
    )

    def finalized(self) -> Mapping[str, int]:
        """The levels of the features that all brokers of the cluster have agreed to use."""
        told = self.tags.get(FINALIZED)
        return {} if told is None else {name: level for name, level, *_ in _LEVELS.decode(BytesIO(told))}


class ApiVersionsRequestV3(RequestStruct):  # type: ignore[misc]  # as above
    """The question, and who asks."""

    API_KEY = 18
    API_VERSION = 3
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = ApiVersionsResponseV3
    SCHEMA = Schema(("client_software_name", TEXT), ("client_software_version", TEXT), TAGS)

    def parse_response_header(self, read_buffer: Any) -> ResponseHeader_v0:
        """The first form: a client reads it before it knows what the broker speaks (KIP-511)."""
        return ResponseHeader_v0.decode(read_buffer)


class ApiVersions(Request[ApiVersionsRequestV3]):  # type: ignore[misc]  # as above
    """What a broker speaks, and which features its cluster has."""

    API_KEY = 18

    def build(self, request_struct_class: Any) -> RequestStruct:
        """The request in the version that was negotiated."""
        return request_struct_class(*CLIENT, NO_TAGS)
