"""What every contestant in Python does with a record: the worker's own core, with histories in memory.

``decode``, ``adjudicate`` with what is held of the member, ``encode``: the same functions that the worker
calls, compiled like its own, with the garbage collector told what stays. Nothing here touches Kafka, so that
each peer is all that differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from worker.adjudication import Rejected, adjudicate, decode, encode
from worker.reference import load_reference
from worker.stream.memory import settle_memory


class Answer(NamedTuple):
    """A result record: the headers are those of the contract, in its order."""

    value: bytes
    headers: list[tuple[str, bytes]]


class Fold:
    """The histories of the members that one process has met, by the record's key."""

    def __init__(self) -> None:
        self._reference = load_reference()
        self._histories: dict[bytes, bytes] = {}
        settle_memory()

    def history(self, key: bytes) -> bytes | None:
        """What is held of a member; None if nothing is."""
        return self._histories.get(key)

    def answer(self, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> list[Answer]:
        """The result records of an input record, in order; none for an event that came before."""
        event = decode(value, headers)
        if isinstance(event, Rejected):
            raise TypeError(f"the benches have no bad records: {event.reason}")
        answer = adjudicate(event, self._histories.get(key), self._reference)
        if isinstance(answer, Rejected):
            raise TypeError(f"the benches have no events that cannot be decided: {answer.reason}")
        if answer.history is not None:
            self._histories[key] = answer.history
        time = () if event.time is None else (("ce_time", event.time.encode()),)
        return [
            Answer(
                encode(result),
                [
                    ("ce_specversion", b"1.0"),
                    ("ce_id", result.result_id.encode()),
                    ("ce_source", b"/mms/adjudication"),
                    ("ce_type", b"mms.claim.adjudicated.v1"),
                    ("content-type", b"application/json"),
                    *time,
                ],
            )
            for result in answer.results
        ]
