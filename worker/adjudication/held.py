"""What is held of a member: each claim, what came for it, and what was last said of it.

The values are stored as they stand here, fields told by their place: a change of any of them is a new version
of the state (``stored``).
"""

from __future__ import annotations

from enum import IntEnum
from hashlib import sha256

from msgspec import Struct

from worker.adjudication import kept
from worker.adjudication.claim import FrequencyCode
from worker.adjudication.redacted import redacted

LETTERS = {"pay": b"p", "deny": b"d", "pend": b"?", "not_reviewed": b"-"}
"""How a history notes the decision on a line, and nothing else of what was said in words."""
DECISIONS = {letter[0]: decision for decision, letter in LETTERS.items()}

MARK_BYTES = 9
"""The letter of a decision, and eight bytes of digest."""
IDENTITY_BYTES = 16
SEEN_BYTES = IDENTITY_BYTES + 32
"""The identity of an event, and its input digest."""


def mark_of(marks: bytes, number: int) -> bytes:
    """The mark of a line, by its place in the claim from 0."""
    return marks[number * MARK_BYTES : (number + 1) * MARK_BYTES]


class Standing(IntEnum):
    """What a claim counts for."""

    STANDS = 0
    SUPERSEDED = 1
    VOIDED = 2
    UNHELD = 3
    """It is in force and there was no room for it: nobody can decide its days of service."""


OPEN = frozenset({Standing.STANDS, Standing.UNHELD})


@redacted
class Published(Struct, frozen=True, gc=False, array_like=True):
    """The latest result of a claim: ``revision`` 0 before the first.

    ``lines`` has a mark for each line, as the claim has them: a letter for the decision and a digest of all
    that was said, ``MARK_BYTES`` together.
    """

    revision: int = 0
    result_id: bytes = b""
    outcome: str = ""
    lines: bytes = b""

    @property
    def decisions(self) -> list[str]:
        """The decision on each line."""
        return [DECISIONS[letter] for letter in self.lines[::MARK_BYTES]]


NOTHING_PUBLISHED = Published()


@redacted
class Held(Struct, frozen=True, gc=False, array_like=True):
    """One claim of the member and what came for it. Days are proleptic ordinals.

    Of a claim that is closed, superseded or void, nothing is needed but its name, its place and its last day.
    """

    claim_id: str
    frequency: FrequencyCode
    original_claim_id: str | None
    received: int
    inherited: tuple[int, str] | None
    """A replacement's place in every competition, which is its original's (policy §6)."""
    standing: Standing
    is_lost: bool
    """Another replacement of the same claim stands before it, or before one that it replaces."""
    is_expired: bool
    dates: tuple[int, ...]
    """Its days of service, in order; of a closed claim the last one."""
    seen: bytes
    """Identity and input digest of each event that this claim has had, ``SEEN_BYTES`` an event."""
    published: Published = NOTHING_PUBLISHED
    records: tuple[kept.Records, ...] = ()
    body: bytes = b""
    """The claim, packed; empty when it is closed or unheld."""

    @property
    def place(self) -> tuple[int, str]:
        """Its place in every competition: the smaller keeps its place."""
        return self.inherited or (self.received, self.claim_id)

    @property
    def events(self) -> int:
        """How many events were accepted for it, that which brought it among them."""
        return len(self.seen) // SEEN_BYTES

    @property
    def is_open(self) -> bool:
        """Whether it counts: neither superseded nor void."""
        return self.standing in OPEN


@redacted
class History(Struct, frozen=True, gc=False, array_like=True):
    """What is held of a member, in the order of arrival."""

    claims: tuple[Held, ...] = ()


NO_EVENTS = "sha256:" + sha256().hexdigest()
EMPTY = History()
