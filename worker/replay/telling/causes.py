"""Why a published result is not what replaying gives: told from what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from worker.adjudication.redacted import redacted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.replay.planning.basis import Basis
    from worker.replay.reading.recorded import Recorded
    from worker.replay.telling.differences import Cause


@redacted
class Told(NamedTuple):
    """A cause, and one sentence on how it was told."""

    cause: Cause
    why: str


MISSING = Told("missing", "Replaying gives this result, and it was never published.")
NO_EVENT = Told("extra", "The event that it names as its cause is not among the events.")
NOT_GIVEN = Told(
    "extra", "Replaying the event that it names gives no such result, or it was published before."
)
NO_RESULT = Told("tampered", "Its bytes are no result any more.")
NOT_ITS_ID = Told(
    "tampered",
    "Its id is not the one that its claim, revision, cause and basis give: one of them was changed.",
)
OTHER_KEY = Told("tampered", "The record's key is not the member that it was published for.")
OTHER_MEMBER = Told("tampered", "The member that it names is not that of the event that it names.")
OTHER_INPUT = Told("tampered", "The digest of its input is not that of the event that it names as its cause.")
SAME_DIGESTS = Told(
    "tampered",
    "It names the same basis, history and event as the replay, and by those its bytes would be others; "
    "unless the worker held histories within other limits (MMS_HISTORY_...).",
)
SUPERSEDES = "It differs by what it supersedes alone: a result that differs itself, by this cause."
HISTORY = Told(
    "history",
    "It says that other events of the member had come before than those that are there, or the worker looked "
    "back over other days (MMS_HISTORY_LOOK_BACK_DAYS).",
)
POLICY = Told("policy", "It was decided by other policies.")
CODE_SET = Told("code_set", "It was decided by other code sets.")
OTHER_POLICIES = Told("policy", "The other policies decide otherwise.")
OTHER_CODE_SETS = Told("code_set", "The other code sets decide otherwise.")


def told(
    published: Recorded | None, replayed: Recorded, bases: Mapping[str, Basis], *, same_value: bool
) -> Told:
    """The cause of a difference, the replay having used the policies and code sets that are named.

    ``bases`` are the recorded ones by digest. ``same_value``: nothing but the record's key differs.
    """
    if published is None:
        return NO_RESULT
    if same_value:
        return OTHER_KEY
    if not published.is_own:
        return NOT_ITS_ID
    mine, theirs = published.basis, replayed.basis
    if mine.digest != theirs.digest:
        if mine.engine != theirs.engine:
            return Told("engine", f"It was decided by rules {mine.engine}, the replay by {theirs.engine}.")
        one, other = bases.get(mine.digest), bases.get(theirs.digest)
        is_same = one is not None and other is not None and one.policies_digest == other.policies_digest
        return CODE_SET if is_same else POLICY
    if published.input_digest != replayed.input_digest:
        return OTHER_INPUT
    return HISTORY if mine.history_digest != theirs.history_digest else SAME_DIGESTS
