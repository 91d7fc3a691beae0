"""The workers of a run: processes that are started, killed, frozen, thawed and told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from tests.chaos.faults import BATCH_DEADLINE_S, SESSION_S
from tests.stream.streamkit import Stream, Stuck, Worker, until

SIZE = 3
STOP_S = 10.0
"""Within which a worker that is told to stop must have ended."""
LOOK_S = 0.2

QUICK = {
    "session_timeout_s": SESSION_S,
    "heartbeat_interval_s": 0.3,
    "revoke_deadline_s": 1.5,
    "batch_deadline_s": BATCH_DEADLINE_S,
    "transaction_timeout_s": BATCH_DEADLINE_S + 2,
    "producer_start_deadline_s": 6,
    "request_timeout_s": 5,
    "retry_longest_s": 2,
    # A transaction every few records: most moments are within one.
    "batch_max_records": 20,
}
"""Deadlines of workers, scaled with the session, so that a fault is over soon after its cause."""

REFUSAL = 2
"""What a worker exits with when it may not go on without a person's decision."""
REFUSED = "max.message.bytes"
"""What a worker names when it stops because a topic does not take its records."""
ASSIGNED = "partitions assigned"
"""What a worker logs whenever the group gives it partitions, all that it now has."""


class Fleet:
    """Workers of one group on the stream's topics, which they reach at ``bootstrap``.

    One that ends though nothing was done to it is noted in ``faults``, and another is started in its place.
    """

    def __init__(self, stream: Stream, bootstrap: str) -> None:
        self.running: list[Worker] = []
        self.faults: list[str] = []
        """What workers did that they must not do, a line each."""
        self._stream = stream
        self._bootstrap = bootstrap
        self._names: dict[Worker, str] = {}
        self._joined: set[Worker] = set()
        self._refusing = False

    def start(self) -> Worker:
        """Start one more."""
        worker = self._stream.worker(bootstrap_servers=self._bootstrap)
        self._names[worker] = f"worker-{len(self._names) + 1}"
        self.running.append(worker)
        return worker

    def at_work(self) -> list[Worker]:
        """Those that have something to lose: they have partitions, as they said last, and have not ended."""
        return [one for one in self.running if one.exit_code is None and _partitions(one)]

    def name(self, worker: Worker) -> str:
        """Its name, which its log has too."""
        return self._names[worker]

    def kill(self, worker: Worker) -> None:
        """Kill it (SIGKILL), whatever it is doing."""
        self.running.remove(worker)
        worker.kill()

    def freeze(self, worker: Worker) -> Callable[[], bool]:
        """Let it do nothing more (SIGSTOP), and know nothing of that.

        What is returned tells whether others have been given its partitions since.
        """
        said = {one: len(one.said(ASSIGNED)) for one in self.running}
        lost = _partitions(worker)
        os.kill(worker.pid, signal.SIGSTOP)

        def is_taken_for_dead() -> bool:
            since = [line for one in self.running for line in one.said(ASSIGNED)[said.get(one, 0) :]]
            return lost <= {partition for line in since for partition in line["partitions"]}

        return is_taken_for_dead

    def thaw(self, worker: Worker) -> None:
        """Let it go on as if nothing had happened (SIGCONT)."""
        os.kill(worker.pid, signal.SIGCONT)

    async def dismiss(self, workers: Iterable[Worker]) -> None:
        """Tell them to stop (SIGTERM); each must end with 0 in time."""
        await asyncio.gather(*[self._dismiss(worker) for worker in list(workers)])

    async def _dismiss(self, worker: Worker) -> None:
        await until(lambda: self.has_joined(worker) or worker.exit_code is not None, "a worker to join")
        if worker.exit_code is None:  # else it has by itself, which ``watch`` notes
            await self._terminate(worker)

    async def _terminate(self, worker: Worker) -> None:
        self.running.remove(worker)
        os.kill(worker.pid, signal.SIGTERM)
        await _ended([worker], STOP_S)
        if worker.exit_code is None:
            self._note(worker, f"did not end in {STOP_S:g} s after SIGTERM")
            worker.kill()
        elif worker.exit_code != 0:
            self._note(worker, f"ended with {worker.exit_code} after SIGTERM")

    def has_joined(self, worker: Worker) -> bool:
        """Whether it has been a member of the group: before, no signal tells it anything."""
        if worker not in self._joined and f'"{ASSIGNED}"' in worker.text:
            self._joined.add(worker)
        return worker in self._joined

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Meanwhile workers may end by themselves; see ``refused``."""
        self._refusing = True
        try:
            yield
        finally:
            self._refusing = False

    async def refused(self, topic: str, within: float) -> None:
        """Wait until every worker has ended because ``topic`` does not take its records, as each must.

        None is running then.
        """
        await _ended(self.running, within)
        ended, self.running = self.running, []
        for worker in ended:
            self._judge_refusal(worker, topic)

    def _judge_refusal(self, worker: Worker, topic: str) -> None:
        if worker.exit_code is None:
            self._note(worker, f"went on though {topic} took nothing")
            worker.kill()
            return
        lines = [line["reason"] for line in worker.said("worker stops")]
        clear = any(REFUSED in line and topic in line for line in lines)
        if worker.exit_code != REFUSAL or not clear:
            self._note(worker, f"ended with {worker.exit_code}, and not with a line on {REFUSED} of {topic}")

    def said(self, event: str) -> int:
        """How often any worker, of those that have ended too, has logged an event."""
        return sum(len(worker.said(event)) for worker in self._names)

    async def watch(self) -> None:
        """Note every worker that ends by itself, and start another; its task is to be cancelled."""
        while True:
            for worker in [] if self._refusing else list(self.running):
                if worker.exit_code is not None:
                    self._note(worker, f"ended by itself with {worker.exit_code}")
                    self.running.remove(worker)
                    self.start()
            await asyncio.sleep(LOOK_S)

    def _note(self, worker: Worker, what: str) -> None:
        said = next((line for line in reversed(worker.text.splitlines()) if line.strip()), "nothing")
        self.faults.append(f"{self.name(worker)} {what}; its last line: {said}")


def _partitions(worker: Worker) -> set[int]:
    """Those that a worker was given last."""
    told = worker.said(ASSIGNED)
    return set(told[-1]["partitions"]) if told else set()


async def _ended(workers: Iterable[Worker], within: float) -> None:
    """Wait until all of them have ended, or for so many seconds."""
    with suppress(Stuck):
        await until(lambda: all(one.exit_code is not None for one in workers), "workers to end", within)
