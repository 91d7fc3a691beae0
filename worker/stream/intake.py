"""One assignment of one partition: what a lane may do with the consumer while the assignment lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import TopicPartition

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer


class Intake:
    """The consumer as one lane sees it. After ``revoke`` holding, flowing and seeking do nothing.

    The same partition may be assigned again while the old lane still closes its producer: what the old lane
    does must not touch the new one's position.
    """

    def __init__(self, consumer: AIOKafkaConsumer, partition: TopicPartition, results_topic: str) -> None:
        self.partition = partition
        self._consumer = consumer
        self._results = TopicPartition(results_topic, partition.partition)
        self._revoked = False

    def revoke(self) -> None:
        """The assignment has passed."""
        self._revoked = True

    def hold(self) -> None:
        """Fetch no more for now."""
        if self._is_assigned():
            self._consumer.pause(self.partition)

    def flow(self) -> None:
        """Fetch again."""
        if self._is_assigned():
            self._consumer.resume(self.partition)

    def seek(self, offset: int) -> None:
        """Go on at an offset; what was fetched before is forgotten."""
        if self._is_assigned():
            self._consumer.seek(self.partition, offset)

    async def committed(self) -> int | None:
        """The group's committed offset, asked of the broker; None if there is none."""
        offset: int | None = await self._consumer.committed(self.partition)
        return offset

    async def bounds(self) -> tuple[int, int]:
        """Offsets of the first record of the log and behind its last stable one."""
        first = await self._consumer.beginning_offsets([self.partition])
        end = await self._consumer.end_offsets([self.partition])
        return first[self.partition], end[self.partition]

    async def has_results(self) -> bool:
        """Whether anything was ever written to the partition's results."""
        return await self._was_written(self._results)

    async def has_histories(self, changelog_topic: str) -> bool:
        """Whether anything was ever written to the partition's changelog of member histories."""
        return await self._was_written(TopicPartition(changelog_topic, self.partition.partition))

    def stable_end(self) -> int | None:
        """Offset behind the last stable record, as the last fetch told; None before the first."""
        if not self._is_assigned():
            return None
        end: int | None = self._consumer.last_stable_offset(self.partition)
        return end

    def unstable_records(self) -> int | None:
        """Records behind the last stable one, as the last fetch told; None before the first.

        They belong to a transaction that is still open, or come after one.
        """
        stable = self.stable_end()
        end: int | None = None if stable is None else self._consumer.highwater(self.partition)
        return None if stable is None or end is None else max(0, end - stable)

    def heard_ms(self) -> int | None:
        """Unix time, in milliseconds, of the last fetch that a broker answered, if only with nothing."""
        if not self._is_assigned():
            return None
        heard: int | None = self._consumer.last_poll_timestamp(self.partition)
        return heard

    async def position(self) -> int | None:
        """Offset of the next record to be fetched; None if the partition is no longer assigned."""
        if self.partition not in self._consumer.assignment():
            return None
        position: int = await self._consumer.position(self.partition)
        return position

    async def _was_written(self, partition: TopicPartition) -> bool:
        end = await self._consumer.end_offsets([partition])
        return bool(end[partition] > 0)

    def _is_assigned(self) -> bool:
        return not self._revoked and self.partition in self._consumer.assignment()
