"""The members of a file: what is held of each, as the events so far have left it."""

from __future__ import annotations

from collections.abc import Iterator

from worker.adjudication import Adjudicated, Limits, Reference, Rejected, adjudicate
from worker.adjudication.claim import Event


class Members:
    """Stored histories by member id, byte for byte what a worker would keep after the same events."""

    def __init__(self, reference: Reference, limits: Limits) -> None:
        """Begin with nothing held of anybody."""
        self._reference = reference
        self._limits = limits
        self._states: dict[str, bytes] = {}

    def adjudicate(self, event: Event) -> Adjudicated | Rejected:
        """Decide an event with what is held of its member, and hold what it leaves."""
        member_id = event.data.member_id
        answer = adjudicate(event, self._states.get(member_id), self._reference, self._limits)
        if not isinstance(answer, Rejected) and answer.history is not None:
            self._states[member_id] = answer.history
        return answer

    def state_of(self, member_id: str) -> bytes:
        """The stored history of a member of whom an event was accepted. Raises KeyError of any other."""
        return self._states[member_id]

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Every member with the stored history, by member id."""
        return iter(sorted(self._states.items()))
