"""The demo's load on real workers with faults injected, while a real Prometheus looks on."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import Counter
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import orjson

from tests.stream.streamkit import Input, Stream, Worker, claims, until
from worker.devkit.ports import LOOPBACK, free_ports
from worker.devkit.script import script_of
from worker.devkit.traffic import STRUCTURED, Outgoing, mixed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BURST = 60
BURST_S = 0.1
"""Records go out in bursts, as the demo sends them."""
TRACED = 3
"""Every third record comes with a trace."""
QUICK = {"session_timeout_s": 6, "revoke_deadline_s": 1}
"""A killed worker's partitions wait for the end of its session; the broker allows none that is shorter."""
CAREFUL = {"dead_letter_limit": 0.2, "dead_letter_least_records": 10, "breaker_hold_s": 300}
"""A worker that the breaker stops soon, and that shows it for as long as a test may take."""
KILLED_AFTER = 0.4
"""Share of the second load that is committed when a worker is killed."""


class Load:
    """What has been sent to a stream: how many records, and the traces that came with some."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.records = 0
        self.traces: set[str] = set()
        self.received: dict[str, date] = {}
        """The date of receipt of each claim that was sent, by its id."""

    async def send(self, outgoing: Sequence[Outgoing]) -> None:
        """Send records in bursts, events with the time of their sending."""
        for start in range(0, len(outgoing), BURST):
            await self._stream.publish([self._now(record) for record in outgoing[start : start + BURST]])
            await asyncio.sleep(BURST_S)  # the pace of the load; nothing is waited for

    def _now(self, outgoing: Outgoing) -> Input:
        self.records += 1
        value = outgoing.value
        if outgoing.event is not None:
            data = outgoing.event["data"]
            if "frequency_code" in data:
                self.received[data["claim_id"]] = date.fromisoformat(data["received_date"])
            value = orjson.dumps(outgoing.event | {"time": datetime.now(UTC).isoformat()})
        headers = list(STRUCTURED)
        if self.records % TRACED == 0:
            trace = secrets.token_hex(16)
            self.traces.add(trace)
            headers.append(("traceparent", f"00-{trace}-{secrets.token_hex(8)}-01".encode()))
        return Input(outgoing.key, value, headers=headers)


def demo_load(count: int, seed: int) -> list[Outgoing]:
    """What the demo of a seed sends: claims, histories, and bad records among them."""
    script = script_of(count, seed)
    return mixed(script.bad, script.claims, script.histories)


def spoiled(count: int, seed: int) -> list[Outgoing]:
    """Records that become dead letters, for every partition."""
    return [Outgoing(record.key or b"", None, b"{") for record in claims(count, seed)]


class Fleet:
    """Two workers on known ports, of which one can be killed and be started again where it was."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.ports = free_ports(2)
        self.workers = [self._start(port) for port in self.ports]

    def _start(self, port: int, **settings: Any) -> Worker:
        return self._stream.worker(web_port=port, **QUICK, **settings)

    @property
    def addresses(self) -> list[str]:
        """Where they are scraped."""
        return [f"{LOOPBACK}:{port}" for port in self.ports]

    async def at_work(self) -> None:
        """Wait until each holds partitions, and all partitions are worked."""

        async def share_the_work() -> bool:
            working = [await worker.metric("mms_working_partitions") for worker in self.workers]
            return min(working) >= 1 and sum(working) == self._stream.settings.partitions

        await until(share_the_work, "both workers to work")

    async def partition_of(self, number: int) -> int:
        """A partition that a worker holds: it tells of the histories of its own alone."""
        worker, partitions = self.workers[number], range(self._stream.settings.partitions)
        members = [await worker.metric(f'mms_history_members{{partition="{one}"}}') for one in partitions]
        return next(one for one in partitions if not math.isnan(members[one]))

    def crash(self, number: int, **settings: Any) -> None:
        """Kill a worker and start another in its place, with these settings."""
        self.workers[number].kill()
        self.workers[number] = self._start(self.ports[number], **settings)


async def disturb(stream: Stream, fleet: Fleet, load: Load, outgoing: Sequence[Outgoing]) -> None:
    """Send records while a lane is fenced and a worker killed; the one in its place is careful."""
    goal = load.records + len(outgoing)
    killed_at = load.records + int(KILLED_AFTER * len(outgoing))
    await stream.fence(await fleet.partition_of(0))
    sending = asyncio.ensure_future(load.send(outgoing))
    try:
        await stream.drained(killed_at)
        fleet.crash(1, **CAREFUL)
        await sending
    finally:
        sending.cancel()
    await stream.drained(goal)
    await fleet.at_work()


async def open_breaker(stream: Stream, fleet: Fleet, load: Load, seed: int) -> None:
    """Send bad records until the careful worker stops; the other one goes on with all of them."""
    await load.send(spoiled(200, seed))

    async def is_open() -> bool:
        return await fleet.workers[1].metric("mms_breaker_open") == 1

    await until(is_open, "the breaker to open")
    await stream.drained(load.records)


async def replay(stream: Stream, directory: Path, gateway: str) -> None:
    """Replay all that was decided, and have a Pushgateway told of it."""
    process = stream.process(stream.command("replay", "--out", str(directory), "--push", gateway))
    code = await process.ended()
    assert code == 0, process.text


async def pended_since(stream: Stream, load: Load) -> set[date]:
    """The dates of receipt of the claims whose latest result is a pend."""
    latest = {
        result["claim_id"]: result["outcome"]
        for records in (await stream.results()).values()
        for result in (orjson.loads(record.value or b"null") for record in records)
    }
    return {load.received[claim_id] for claim_id, outcome in latest.items() if outcome == "pend"}


async def outcomes(stream: Stream) -> Counter[str]:
    """The results that a consumer finds, by outcome."""
    return Counter(
        str(orjson.loads(record.value or b"null")["outcome"])
        for records in (await stream.results()).values()
        for record in records
    )


async def reasons(stream: Stream) -> Counter[str]:
    """The dead letters that a consumer finds, by reason."""
    return Counter(
        dict(record.headers)["mms.dlq.reason"].decode()
        for records in (await stream.dead_letters()).values()
        for record in records
    )
