"""Transaction markers that the log cleaner has emptied: aiokafka raises on them, here they are passed over.

The cleaner takes the record out of a marker, but keeps its batch where that batch is the last word of a
producer that the broker still knows, or the last of what was cleaned. Only a compacted log has such batches,
and it keeps them: a consumer that raises on one can never get past it.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord


def pass_emptied_markers() -> None:
    """Let every consumer of this process read on behind markers without a record."""
    fetcher.PartitionRecords = PartitionRecords


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """What a fetch brought of one partition, without the records of aborted transactions."""

    def _contains_abort_marker(self, next_batch: Any) -> bool:
        """Whether an aborted transaction of its producer ends with this control batch.

        Whether an emptied marker was one of commit or of abort nobody can tell, and it makes no difference:
        either ends what its producer had begun before, so an aborted transaction that a broker reported
        cannot reach behind it. (None should be left there: a marker is emptied only after all records of its
        transaction are gone, and with them the broker's entry of aborted transactions.) Keeping the producer
        among the aborted ones would lose whatever it committed afterwards. The caller then goes on behind the
        batch, to the offset that follows the last one that the batch had.
        """
        marker = next(next_batch, None)
        return marker is None or ControlRecord.parse(marker.key) == ABORT_MARKER
