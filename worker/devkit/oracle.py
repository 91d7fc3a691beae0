"""What the worker has to answer: the same records, decided in this process without Kafka."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from worker.adjudication import Rejected, adjudicate, decode, encode
from worker.reference import load_reference
from worker.settings import Settings

ResultKey: TypeAlias = tuple[str, int]
"""A claim id and the revision of a result of that claim."""


class Expected(NamedTuple):
    """Results byte for byte, and dead letters by reason."""

    results: Mapping[ResultKey, bytes]
    dead_letters: Counter[str]

    @property
    def answers(self) -> int:
        """How many records come out."""
        return len(self.results) + self.dead_letters.total()


def expected_of(records: Iterable[tuple[bytes, bytes]], settings: Settings) -> Expected:
    """What comes of these records, keys and structured-mode values, in the order in which they are sent."""
    reference = load_reference(settings.policies_dir, settings.codes_dir, settings.payers_file)
    histories: dict[bytes, bytes] = {}
    results: dict[ResultKey, bytes] = {}
    dead: Counter[str] = Counter()
    for key, value in records:
        event = decode(value)
        if isinstance(event, Rejected):
            dead[event.reason] += 1
        elif event.data.member_id.encode() != key:
            dead["key_mismatch"] += 1
        else:
            answer = adjudicate(event, histories.get(key), reference, settings.limits)
            if isinstance(answer, Rejected):
                dead[answer.reason] += 1
                continue
            if answer.history is not None:
                histories[key] = answer.history
            results |= {(result.claim_id, result.revision): encode(result) for result in answer.results}
    return Expected(results, dead)
