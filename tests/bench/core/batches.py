"""The same events through the bare core, and through what the worker has around it within its process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import thread_time

from aiokafka import ConsumerRecord

from tests.bench.core.laps import Laps, sliced
from worker.adjudication import Adjudicated, Rejected, decode, encode
from worker.adjudication.claim import Event
from worker.settings import Settings
from worker.stream.deciding import Adjudicate, Decider, partition_of
from worker.stream.histories import Histories
from worker.stream.metrics import Metrics

BATCH = 500
PARTITIONS = 8
TOPIC = "claims"
SENT_MS = 1_760_000_000_000
DEADLINE_MS = 5_000
"""The longest that settings allow: no batch is to be cut."""


class Core:
    """The core alone, in slices as large as the worker's; its histories begin empty."""

    def __init__(self, adjudicate: Adjudicate) -> None:
        self._adjudicate = adjudicate
        self._histories: dict[str, bytes] = {}

    def seconds(self, values: Sequence[bytes]) -> float:
        """What it takes to decode, decide and encode. Raises TypeError for an event that is no good."""
        began = thread_time()
        for some in sliced(values):
            events = [decode(value) for value in some]
            answers = [self._folded(event) for event in events]
            for answer in answers:
                for result in answer.results:
                    encode(result)
        return thread_time() - began

    def _folded(self, event: Event | Rejected) -> Adjudicated:
        if isinstance(event, Rejected):
            raise TypeError(f"an event of the bench is no good: {event}")
        member = event.data.member_id
        answer = self._adjudicate(event, self._histories.get(member))
        if isinstance(answer, Rejected):
            raise TypeError(f"an event of the bench is not taken: {answer}")
        if answer.history is not None:
            self._histories[member] = answer.history
        return answer


class Deciding:
    """The core as the worker has it: it decides batches of records, and they are counted."""

    def __init__(self, adjudicate: Adjudicate) -> None:
        settings = Settings(partitions=PARTITIONS, batch_max_ms=DEADLINE_MS)
        self._decider = Decider(adjudicate, encode, settings)
        self._histories = Histories()
        self._metrics = Metrics(TOPIC)

    def seconds(self, records: Sequence[ConsumerRecord]) -> dict[str, float]:
        """What deciding takes, and what counting does."""
        laps = Laps()
        for batch in _batches(records):
            laps.begin()
            decided = self._decider.decide(batch, self._histories)
            laps.end("decide")
            self._metrics.batch(decided, 0.1, 0.2)
            self._metrics.histories(0, decided.histories)
            laps.end("count")
        return laps.seconds


def records(events: Sequence[tuple[bytes, bytes]]) -> list[ConsumerRecord]:
    """Members and their events as records of the input topic, each on the partition of its key."""
    return [
        ConsumerRecord(TOPIC, partition_of(key, PARTITIONS), offset, SENT_MS, 0, key, value, None, 0, 0, ())
        for offset, (key, value) in enumerate(events)
    ]


def _batches(of: Sequence[ConsumerRecord]) -> Iterator[Sequence[ConsumerRecord]]:
    for at in range(0, len(of), BATCH):
        yield of[at : at + BATCH]
