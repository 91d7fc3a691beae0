"""The envelope of an event: the attributes of CloudEvents 1.0 that the contract knows, and its data."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from worker.adjudication.claim import Claim
from worker.adjudication.redacted import redacted

Timestamp: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]"
        r":([0-5][0-9]|60)(\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])(?![\s\S])"
    ),
]


@redacted
class Attributes(Struct, frozen=True):
    """The CloudEvents attributes that the contract knows."""

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(min_length=1, max_length=256)]
    source: Annotated[str, Meta(min_length=1, max_length=1024)]
    type: Annotated[str, Meta(min_length=1, max_length=256)]
    time: Timestamp | None = None


class Envelope(Attributes, frozen=True):
    """A structured-mode event; ``data`` stays raw until its type is known."""

    data: msgspec.Raw = msgspec.Raw()


class Submission(Attributes, frozen=True):
    """A structured-mode claim, decoded in one pass: most events are one."""

    data: Claim | None = None
