"""What the last result of each partition was decided by: its basis, and nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from worker.stream.records import Records
from worker.stream.status.asking import ANSWER_BYTES, Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aiokafka import TopicPartition

    from worker.stream.status.asking import Asking
    from worker.stream.status.batch import Batch

Name: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9A-Za-z._-]{1,80}\Z")]
Version: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,79}\Z")]
"""What a foreign record may say in a version's place is not shown."""


class Basis(Struct, frozen=True):
    """Rules, policies and code sets that decided; the ``digest`` is over all of them."""

    engine: Version
    policies: dict[Name, Version]
    """Version by policy, of those in force for the claim."""
    code_sets: dict[Name, Version]
    """Release by code set, likewise."""
    digest: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]


class _Result(Struct):
    basis: Basis


_decode = msgspec.json.Decoder(_Result).decode


async def last_bases(
    asking: Asking, written: Mapping[TopicPartition, Batch]
) -> dict[TopicPartition, Basis | None]:
    """The basis of the last record of each batch; None of one that is no result."""
    found: dict[TopicPartition, Basis | None] = {}
    for some in _portions(written):
        parts = {place: Part(batch.base_offset, batch.bytes) for place, batch in some.items()}
        for place, fetched in (await asking.fetched(parts)).items():
            found[place] = _basis(fetched.content[: written[place].bytes])
    return found


def _portions(written: Mapping[TopicPartition, Batch]) -> Iterator[dict[TopicPartition, Batch]]:
    """As many batches at a time as are held in memory together."""
    portion: dict[TopicPartition, Batch] = {}
    for place, batch in written.items():
        if portion and sum(one.bytes for one in portion.values()) + batch.bytes > ANSWER_BYTES:
            yield portion
            portion = {}
        portion[place] = batch
    if portion:
        yield portion


def _basis(content: bytes) -> Basis | None:
    value = None
    batch = Records(content).next_batch()
    for record in batch or ():
        value = record.value
    try:
        return _decode(value or b"").basis
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
