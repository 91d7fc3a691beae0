"""Carrying out the plan: each kind of fault done to the running cluster and its workers, and undone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from tests.chaos.cluster import Cluster
from tests.chaos.faults import BROKER_KILLS, Fault, Kind
from tests.chaos.fleet import Fleet
from tests.chaos.frames import END_TXN, Direction
from tests.chaos.journal import Journal
from tests.chaos.proxy import Held
from tests.stream.streamkit import PATIENCE_S, Stuck, Worker, until
from worker.settings import Settings

LOWERED = "max.message.bytes"
LOWERED_TO = "100"
"""Bytes of a batch: none of any record has so few."""


class Stage(NamedTuple):
    """What the faults are done to."""

    cluster: Cluster
    settings: Settings
    fleet: Fleet
    journal: Journal

    @property
    def topics(self) -> list[str]:
        """The stream's four topics."""
        settings = self.settings
        return [
            settings.input_topic,
            settings.results_topic,
            settings.dead_letter_topic,
            settings.changelog_topic,
        ]


async def carry_out(tracks: Sequence[Sequence[Fault]], stage: Stage) -> None:
    """Inject every fault of the plan, none before its moment, and undo it. Raises Stuck."""
    tasks = [asyncio.ensure_future(_carry_out(track, stage)) for track in tracks]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _carry_out(track: Sequence[Fault], stage: Stage) -> None:
    for fault in track:
        await asyncio.sleep(max(0.0, fault.at - stage.journal.seconds))
        await _INJECTIONS[fault.kind](fault, stage)
        stage.journal.over(fault.kind)


# ---- workers


async def _worker(fault: Fault, stage: Stage) -> Worker:
    """The worker that the fault is for: one with partitions, for others have nothing to lose."""
    workers = await until(stage.fleet.at_work, "a worker to have partitions")
    chosen: Worker = workers[fault.choose(workers)]
    return chosen


async def _kill_worker(fault: Fault, stage: Stage) -> None:
    worker = await _worker(fault, stage)
    stage.fleet.kill(worker)
    stage.journal.injected(fault.kind, stage.fleet.name(worker))
    stage.journal.recovering(fault.kind)
    stage.fleet.start()


async def _freeze_worker(fault: Fault, stage: Stage) -> None:
    worker = await _worker(fault, stage)
    name = stage.fleet.name(worker)
    is_taken_for_dead = stage.fleet.freeze(worker)
    stage.journal.injected(fault.kind, f"{name} for {fault.lasts:g} s")
    stage.journal.recovering(fault.kind)
    await asyncio.sleep(fault.lasts)
    await until(is_taken_for_dead, f"others to be given the partitions of {name}")
    stage.fleet.thaw(worker)
    stage.journal.note(f"{name} thawed: others have its partitions")


async def _add_worker(fault: Fault, stage: Stage) -> None:
    worker = stage.fleet.start()
    stage.journal.injected(fault.kind, stage.fleet.name(worker))
    # One that ends by itself is noted by the fleet.
    await until(lambda: stage.fleet.has_joined(worker) or worker.exit_code is not None, "it to join")
    stage.journal.recovering(fault.kind)


async def _remove_worker(fault: Fault, stage: Stage) -> None:
    worker = await _worker(fault, stage)
    stage.journal.injected(fault.kind, stage.fleet.name(worker))
    stage.journal.recovering(fault.kind)
    await stage.fleet.dismiss([worker])


async def _refuse_records(fault: Fault, stage: Stage) -> None:
    cluster, fleet = stage.cluster, stage.fleet
    topics = stage.settings.results_topic, stage.settings.changelog_topic
    topic = topics[fault.choose(topics)]
    before = await until(lambda: cluster.topic_config(topic, LOWERED), f"the settings of {topic}")
    # A worker that starts would look at the topic, and begin no transaction that could be refused.
    await until(lambda: all(map(fleet.has_joined, fleet.running)), "all workers to join")
    count = len(fleet.running)
    with fleet.refusing():
        await _set(topic, LOWERED_TO, cluster)
        stage.journal.injected(fault.kind, f"of {topic} from {before} to {LOWERED_TO}")
        await fleet.refused(topic, PATIENCE_S)
    await _set(topic, before, cluster)
    stage.journal.note(f"{topic} takes records again")
    stage.journal.recovering(fault.kind)
    for _ in range(count):
        fleet.start()


async def _set(topic: str, value: str, cluster: Cluster) -> None:
    async def is_set() -> bool:
        await cluster.set_topic_config(topic, LOWERED, value)
        return await cluster.topic_config(topic, LOWERED) == value

    await until(is_set, f"{LOWERED} of {topic} to be {value}")


# ---- connections


async def _connected(fault: Fault, stage: Stage) -> int:
    """The node that the fault is for: one that runs and that workers are connected to."""
    cluster = stage.cluster
    nodes: list[int] = await until(
        lambda: [node for node in sorted(cluster.running) if cluster.proxies[node].links],
        "a connection to a broker",
    )
    return nodes[fault.choose(nodes)]


async def _cut(fault: Fault, stage: Stage) -> None:
    node = await _connected(fault, stage)
    proxy = stage.cluster.proxies[node]
    links = len(proxy.links)
    proxy.cut()
    stage.journal.injected(fault.kind, f"node {node} for {fault.lasts:g} s, {links} connections")
    await asyncio.sleep(fault.lasts)
    proxy.mend()
    stage.journal.recovering(fault.kind)


async def _delay(fault: Fault, stage: Stage) -> None:
    node = await _connected(fault, stage)
    proxy = stage.cluster.proxies[node]
    proxy.delay = fault.delay
    late = f"by {fault.delay:g} s for {fault.lasts:g} s, {len(proxy.links)} connections"
    stage.journal.injected(fault.kind, f"node {node} {late}")
    await asyncio.sleep(fault.lasts)
    proxy.delay = 0.0
    stage.journal.recovering(fault.kind)


async def _hold_commit(fault: Fault, stage: Stage) -> None:
    await _hold(fault, stage, "request")


async def _hold_answer(fault: Fault, stage: Stage) -> None:
    await _hold(fault, stage, "response")


async def _hold(fault: Fault, stage: Stage, of: Direction) -> None:
    """Hold the next EndTxn, at whichever broker it comes by; the transactions of other lanes go on."""
    holds = [proxy.hold(END_TXN, of=of) for proxy in stage.cluster.proxies]
    node = await _caught(holds, of)
    for hold in holds[:node] + holds[node + 1 :]:
        hold.cancel()
    stage.journal.injected(fault.kind, f"at node {node} for {fault.lasts:g} s")
    await asyncio.sleep(fault.lasts)
    holds[node].release()
    stage.journal.note(f"EndTxn {of} let go")
    stage.journal.recovering(fault.kind)


async def _caught(holds: Sequence[Held], of: Direction) -> int:
    """The place of the first that has caught its frame."""
    waiting = [asyncio.ensure_future(hold.caught.wait()) for hold in holds]
    await asyncio.wait(waiting, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    for place, hold in enumerate(holds):
        if hold.caught.is_set():
            return place
    raise Stuck(f"waited {PATIENCE_S:g} s in vain for an EndTxn {of}")


# ---- brokers


async def _take_down_any(fault: Fault, stage: Stage) -> None:
    await in_sync(stage)
    nodes = sorted(stage.cluster.running)
    await _take_down(nodes[fault.choose(nodes)], fault, stage)


async def _take_down_coordinator(fault: Fault, stage: Stage) -> None:
    await in_sync(stage)
    await _take_down(await stage.cluster.coordinator(stage.settings.app_id), fault, stage)


async def _take_down(node: int, fault: Fault, stage: Stage) -> None:
    """Kill or stop a broker, start it again, and wait until all replicas are in sync once more."""
    cluster, journal = stage.cluster, stage.journal
    journal.injected(fault.kind, f"node {node} for {fault.lasts:g} s")
    if fault.kind in BROKER_KILLS:
        await cluster.kill(node)
    elif not await cluster.stop(node):
        journal.forced += 1
        journal.note(f"node {node} did not stop in time and was killed")
    journal.recovering(fault.kind)
    await asyncio.sleep(fault.lasts)
    await cluster.start(node)
    journal.note(f"node {node} serves again")
    await in_sync(stage)
    journal.note("all replicas are in sync")


async def in_sync(stage: Stage) -> None:
    """Wait until every replica of every topic is in sync: before, no broker may be taken down."""
    await until(lambda: stage.cluster.in_sync(stage.topics), "all replicas to be in sync")


_INJECTIONS: Mapping[Kind, Callable[[Fault, Stage], Awaitable[None]]] = {
    Kind.WORKER_KILLED: _kill_worker,
    Kind.WORKER_FROZEN: _freeze_worker,
    Kind.WORKER_ADDED: _add_worker,
    Kind.WORKER_REMOVED: _remove_worker,
    Kind.RECORDS_REFUSED: _refuse_records,
    Kind.CONNECTIONS_CUT: _cut,
    Kind.CONNECTIONS_DELAYED: _delay,
    Kind.COMMIT_HELD: _hold_commit,
    Kind.ANSWER_HELD: _hold_answer,
    Kind.BROKER_KILLED: _take_down_any,
    Kind.COORDINATOR_KILLED: _take_down_coordinator,
    Kind.BROKER_STOPPED: _take_down_any,
    Kind.COORDINATOR_STOPPED: _take_down_coordinator,
}
