"""A cluster that comes to agree to features, or does not any more: UpdateFeatures, which aiokafka lacks."""

from __future__ import annotations

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, Int8, Int16, Int32, Schema

from tests.stream.streamkit import until
from worker.stream.flexible import NO_TAGS, TAGS, TEXT
from worker.stream.transactions.features import ApiVersions
from worker.stream.transactions.second import TRANSACTION_VERSION

UPGRADE, SAFE_DOWNGRADE = 1, 2


class UpdateFeaturesResponseV2(Response):
    """Whether the features are now at the levels that were asked for."""

    API_KEY = 57
    API_VERSION = 2
    SCHEMA = Schema(("throttle_time_ms", Int32), ("error_code", Int16), ("error_message", TEXT), TAGS)


class UpdateFeaturesRequestV2(RequestStruct):
    """Bring features to other levels."""

    API_KEY = 57
    API_VERSION = 2
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = UpdateFeaturesResponseV2
    SCHEMA = Schema(
        ("timeout_ms", Int32),
        ("features", CompactArray(("name", TEXT), ("level", Int16), ("kind", Int8), TAGS)),
        ("is_validated_only", Boolean),
        TAGS,
    )


class UpdateFeatures(Request[UpdateFeaturesRequestV2]):
    """Bring the transaction protocol to a level."""

    API_KEY = 57

    def __init__(self, level: int, kind: int) -> None:
        self.feature = TRANSACTION_VERSION, level, kind, NO_TAGS

    def build(self, request_struct_class: Any) -> RequestStruct:
        return request_struct_class(10_000, [self.feature], False, NO_TAGS)


async def agree(client: Any, level: int) -> None:
    """Bring the cluster to a level; returns when its broker says so."""
    node = client.get_random_node()
    answer = await client.send(node, UpdateFeatures(level, UPGRADE if level > 1 else SAFE_DOWNGRADE))
    assert not answer.error_code, answer.error_message

    async def has_agreed() -> bool:
        told = await client.send(node, ApiVersions())
        return bool(told.finalized()[TRANSACTION_VERSION] == level)

    await until(has_agreed, f"the cluster to agree to {TRANSACTION_VERSION}={level}")
