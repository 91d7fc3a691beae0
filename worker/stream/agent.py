"""The Faust agent: one event is one batch of one lane.

It decides and hands over, and never awaits a commit: with a concurrency of one a slow lane would stop all.
An agent that raises is restarted and its event is lost, so its edge gives whatever is raised to the lane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from mode.supervisors import CrashingSupervisor

from worker.adjudication.redacted import redacted

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterable, Callable, Sequence

    import faust
    from aiokafka import ConsumerRecord

    from worker.stream.deciding import Decided
    from worker.stream.histories import Histories

CHANNEL_BATCHES = 1024
"""Bound of the in-memory channel. Each lane has at most one batch in it, so it never makes one lane wait."""


@redacted
class Batch(NamedTuple):
    """Records of one lane, in offset order, and where their decision is awaited."""

    records: Sequence[ConsumerRecord]
    histories: Histories
    """The lane's memory, of the life in which it took the records: another life has another one."""
    decided: asyncio.Future[Decided]

    def submit(self, decide: Decide) -> None:
        """Decide the batch; a lane that is gone meanwhile does not want it any more."""
        if self.decided.done():
            return
        try:
            self.decided.set_result(decide(self.records, self.histories))
        except Exception as error:  # noqa: BLE001  the agent's edge: the lane judges what was raised
            self.decided.set_exception(error)


Decide: TypeAlias = "Callable[[Sequence[ConsumerRecord], Histories], Decided]"
Channel: TypeAlias = Any
"""Faust's in-memory channel of batches; None ends the agent."""


def add_agent(app: faust.App, decide: Decide) -> Channel:
    """Add the agent to the app; returns the channel on which lanes put their batches."""
    batches = app.channel(maxsize=CHANNEL_BATCHES)

    async def adjudicate(stream: AsyncIterable[Batch | None]) -> None:
        async for batch in stream:
            if batch is None:
                return
            batch.submit(decide)

    app.agent(batches, name="adjudicate", concurrency=1, supervisor_strategy=CrashingSupervisor)(adjudicate)
    return batches
