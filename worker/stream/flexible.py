"""What flexible messages of Kafka's protocol (KIP-482) have in common, for those that aiokafka 0.14 lacks."""

from __future__ import annotations

from aiokafka.protocol.types import CompactArray, CompactString, Int32, TaggedFields

TEXT = CompactString("utf-8")
TAGS = ("tags", TaggedFields)
"""The last field of every structure."""
NO_TAGS: dict[int, bytes] = {}
PARTITIONS_BY_TOPIC = CompactArray(("topic", TEXT), ("partitions", CompactArray(Int32)), TAGS)
