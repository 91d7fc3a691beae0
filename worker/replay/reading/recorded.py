"""Published results as they are read back: what they say, and whether they are what they say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from worker.adjudication.encode import result_id_of
from worker.adjudication.redacted import redacted
from worker.adjudication.result import Cause
from worker.replay.reading.evidence import UNREADABLE
from worker.replay.telling.outcome import NONE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.replay.reading.evidence import Record

UUID_TEXT = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,39}")
"""The form of a version of the engine, a policy or a code set: a changed result can say anything instead."""

OUTCOME = b'"outcome":"'
"""Within a string its quotes would be escaped, so that this is the field."""

_STRING = rb'("(?:[^"\\]|\\.)*")'
CLAIM_AND_CAUSE = re.compile(
    rb'"claim_id":' + _STRING + rb'.*"cause":\{"source":' + _STRING + rb',"id":' + _STRING, re.DOTALL
)


Number: TypeAlias = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""As wide as a column of the tables: what was changed may hold any."""


@redacted
class RecordedFinding(Struct, frozen=True):
    """A finding of a published line."""

    rule: str
    verdict: str
    policy: str = ""
    version: str = ""
    citation: str = ""
    evidence: dict[str, object] = {}
    reason: str = ""


@redacted
class RecordedAdjustment(Struct, frozen=True):
    """Group code, CARC and RARCs."""

    group: str
    carc: str
    rarc: tuple[str, ...] = ()


@redacted
class RecordedLine(Struct, frozen=True):
    """A published line decision."""

    line: Number
    decision: str
    units_allowed: Number | None
    adjustments: tuple[RecordedAdjustment, ...]
    findings: tuple[RecordedFinding, ...]


@redacted
class RecordedNeed(Struct, frozen=True):
    """Facts asked for."""

    line: Number
    lesion: str | None
    facts: tuple[str, ...]


@redacted
class RecordedBasis(Struct, frozen=True):
    """What a result says that it was decided by."""

    engine: str
    policies: dict[str, str]
    code_sets: dict[str, str]
    digest: str
    history_digest: str


@redacted
class Recorded(Struct, frozen=True):
    """A published result, whatever version of the engine has written it."""

    result_id: str
    claim_id: str
    member_id: str
    revision: Number
    supersedes: str | None
    outcome: str
    cause: Cause
    lines: tuple[RecordedLine, ...]
    documentation_needed: tuple[RecordedNeed, ...]
    basis: RecordedBasis
    input_digest: str

    @property
    def is_own(self) -> bool:
        """Whether its id is that of what it says of claim, revision, cause and basis."""
        basis = self.basis
        asked = (self.claim_id, self.revision, self.cause, basis.digest, basis.history_digest)
        return self.result_id == result_id_of(*asked)


_decode = msgspec.json.Decoder(Recorded).decode


def recorded(value: bytes | None) -> Recorded | None:
    """What a published value says; None if it is no result."""
    try:
        return _decode(value or b"")
    except UNREADABLE:
        return None


def outcome_of(value: bytes) -> str:
    """The outcome that a result of this engine tells, without decoding all of it."""
    begin = value.find(OUTCOME) + len(OUTCOME)
    return value[begin : value.find(b'"', begin)].decode()


def outcome_told(said: Recorded | None) -> str:
    """The outcome, or that there is no result."""
    return NONE if said is None else said.outcome


def names_of(
    value: bytes | None, said: Recorded | None, headers: Mapping[str, bytes | None]
) -> Iterator[str]:
    """By what a result can be found: its id, and its claim with what brought it about.

    Where the bytes are no result any more, what can still be read in them, or beside them.
    """
    if said is not None:
        yield said.result_id
        yield f"{said.claim_id}\0{said.cause.source}\0{said.cause.id}"
        return
    if (beside := headers.get("ce_id")) is not None:
        yield beside.decode(errors="replace")
    if (found := UUID_TEXT.search(value or b"")) is not None:
        yield found[0].decode()
    if (named := CLAIM_AND_CAUSE.search(value or b"")) is not None:
        yield "\0".join(_text(part) for part in named.groups())


def _text(string: bytes) -> str:
    """What a JSON string says; the string as it stands where it says nothing."""
    try:
        return msgspec.json.decode(string, type=str)
    except UNREADABLE:
        return string.decode(errors="replace")


def headers_of(record: Record) -> Mapping[str, bytes | None]:
    """A record's headers by name."""
    return dict(record.headers)
