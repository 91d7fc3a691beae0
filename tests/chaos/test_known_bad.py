"""The harness can fail: under one fault it finds that a plain Faust agent loses and that the worker does not.

The fault: nothing of the results that a process sends reaches the broker. As soon as that process has
committed offsets all the same, or has tried so often that it evidently will not, it is killed, and what it
had sent never arrives. Another one then takes over and is left in peace.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.chaos.conftest import Proxied
from tests.chaos.frames import PRODUCE
from tests.chaos.proxy import Proxy
from tests.chaos.verdict import Verdict, verdict
from tests.stream.streamkit import Stream, Worker, claims, until

AGENT = Path(__file__).parent / "known_bad" / "agent.py"
RECORDS = 4
"""Records before the fault, and as many after it; each comes to one result."""
HOLDS = 100
"""More connections than any process opens until it is killed: each one's first batch of results is held."""
IMPATIENT = {"request_timeout_s": 1.5, "batch_deadline_s": 2}
"""The victim's: how long it waits for an answer before it gives up."""
SESSION = {"session_timeout_s": 3, "heartbeat_interval_s": 0.3, "revoke_deadline_s": 1.5}
"""How long its successor waits for it."""

Start = Callable[..., Worker]


class Place(NamedTuple):
    """A stream on a broker, and the proxy through which its processes come to the broker."""

    stream: Stream
    proxy: Proxy
    bootstrap: str
    directory: Path

    def worker(self, **settings: Any) -> Worker:
        return self.stream.worker(bootstrap_servers=self.bootstrap, **settings)

    def agent(self, **settings: Any) -> Worker:
        *python, _, _ = self.stream.command(bootstrap_servers=self.bootstrap, **settings)  # -m worker
        told = ["--datadir", str(self.directory / "faust"), "worker", "--without-web", "--loglevel", "warn"]
        return self.stream.process([*python, str(AGENT), *told])


@pytest.fixture
async def place(proxied: Proxied, prefix: str, tmp_path: Path) -> AsyncIterator[Place]:
    with ExitStack() as ending:
        stream = Stream(proxied.direct, prefix, tmp_path, ending, **SESSION)
        await stream.create_topics()
        yield Place(stream, proxied.proxy, proxied.bootstrap, tmp_path)


async def committed_before_delivery(place: Place, start: Start) -> int:
    """How many records a process commits while none of its results is delivered; it is killed then."""
    stream, proxy = place.stream, place.proxy
    topic = stream.settings.results_topic
    holds = [proxy.hold(PRODUCE, of="request", topic=topic) for _ in range(HOLDS)]
    victim = start(**IMPATIENT)

    async with stream.administration() as client:

        async def has_shown() -> bool:
            assert victim.exit_code is None, victim.text
            # A process that gives each result up in the end needs no more requests than there are results.
            tries = sum(hold.caught.is_set() for hold in holds)
            return tries > RECORDS or await stream.committed(client) == RECORDS

        await until(has_shown, "commits or further tries")
        victim.kill()
        proxy.cut()
        assert not await stream.results()
        committed = await stream.committed(client)
    for hold in holds:
        hold.cancel()
    proxy.mend()
    return committed


async def judged(place: Place) -> Verdict:
    stream = place.stream
    source = await stream.read(stream.settings.input_topic)
    return verdict(stream.settings, source, await stream.results(), await stream.dead_letters())


async def test_a_plain_faust_agent_killed_between_commit_and_delivery_is_found_to_have_lost_results(
    place: Place,
) -> None:
    records = claims(2 * RECORDS, seed=1)
    await place.stream.publish(records[:RECORDS])
    assert await committed_before_delivery(place, place.agent) == RECORDS

    await place.stream.publish(records[RECORDS:])
    place.agent()
    await place.stream.drained(2 * RECORDS)
    found = await judged(place)
    assert found.losses == RECORDS
    assert any(violation.startswith("losses") for violation in found.violations)


async def test_the_worker_killed_by_the_same_script_has_lost_nothing(place: Place) -> None:
    records = claims(2 * RECORDS, seed=1)
    await place.stream.publish(records[:RECORDS])
    assert await committed_before_delivery(place, place.worker) == 0

    await place.stream.publish(records[RECORDS:])
    place.worker()
    await place.stream.drained(2 * RECORDS)
    found = await judged(place)
    assert found.violations == []
    assert found.results == 2 * RECORDS


async def test_a_plain_faust_agent_that_nothing_happens_to_does_the_same_job(place: Place) -> None:
    await place.stream.publish(claims(2 * RECORDS, seed=1))
    place.agent()
    await place.stream.drained(2 * RECORDS)
    assert (await judged(place)).violations == []
