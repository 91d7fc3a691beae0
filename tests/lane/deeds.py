"""What can be done to workers at a step: each is a generator function that yields what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from aiokafka import TopicPartition

from tests.lane.loop import NETWORK
from tests.lane.world import Worker, World

UNAWARE_S = 2.0
"""How long a worker whose partition was given away does not know it: the broker's patience."""
ASLEEP_S = 20.0
"""Longer than a transaction may last."""

MOMENT_S = 0.02
WHILE_S = 5.0
"""Long enough for a worker to restore and to seal anew, shorter than memory lies aside."""

Waiting = Iterator[Callable[[], bool]]


def killed(world: World) -> Waiting:
    """SIGKILL; what the worker had sent still arrives. Another one takes its place at once."""
    _owner(world).kill()
    world.group.give(world.hire())
    yield from ()


def killed_with_its_requests(world: World) -> Waiting:
    """SIGKILL; what was on its way to the broker is lost."""
    world.wire.drops_of_the_dead = True
    yield from killed(world)


def killed_before_compaction(world: World) -> Waiting:
    """SIGKILL, and the log cleaner has been there before the next worker restores."""
    world.broker.log(TopicPartition(world.settings.changelog_topic, 0)).compact()
    yield from killed(world)


def stopped_until_all_is_done(world: World) -> Waiting:
    """SIGSTOP; another one does all there is to do; SIGCONT: a zombie that learns later what it is."""
    zombie = _owner(world)
    zombie.is_stopped = True
    world.group.give(world.hire(), told_after=UNAWARE_S)
    yield lambda: world.is_answered
    world.loop.wake(zombie)
    yield from _settled(world)


def stopped_alone(world: World) -> Waiting:
    """SIGSTOP for longer than a transaction may last, though nobody takes the partition."""
    sleeper = _owner(world)
    sleeper.is_stopped = True
    yield from _passed(world, ASLEEP_S)
    world.loop.wake(sleeper)


def replaced_unawares(world: World) -> Waiting:
    """The partition is another one's; the worker goes on beside it and learns it later."""
    world.group.give(world.hire(), told_after=UNAWARE_S)
    yield from _settled(world)


def handed_over_and_back(world: World) -> Waiting:
    """The group moves the partition in good order, and back when the other one has committed something."""
    first, began = _owner(world), world.broker.offsets.get(world.input, 0)
    world.group.hand_over(world.hire())
    yield lambda: world.is_answered or world.broker.offsets.get(world.input, 0) > began
    _give_back(world, first)


def handed_over_for_a_moment(world: World) -> Waiting:
    """The group moves the partition and back at once: the worker may still hold its memory."""
    first = _owner(world)
    world.group.hand_over(world.hire())
    yield from _passed(world, MOMENT_S)
    _give_back(world, first)


def lent(world: World, **settings: Any) -> Waiting:
    """When all is done a worker with other settings has the partition for a while, and nothing comes in."""
    yield lambda: world.is_answered
    yield from _passed(world, WHILE_S)
    first, own = _owner(world), world.settings
    world.settings = own.model_copy(update=settings)
    world.group.hand_over(world.hire())
    world.settings = own
    yield from _passed(world, WHILE_S)
    _give_back(world, first)
    yield from _passed(world, WHILE_S)


def taken_away_and_given_back(world: World) -> Waiting:
    """When all is done the partition passes and comes back, and no other worker has it in between."""
    yield lambda: world.is_answered
    yield from _passed(world, WHILE_S)
    _give_back(world, _owner(world))
    yield from _passed(world, WHILE_S)


def ended(world: World) -> Waiting:
    """SIGTERM, and another one takes its place."""
    owner = _owner(world)
    owner.end()
    yield lambda: owner.is_done or not owner.is_alive
    if world.group.owner is owner:
        world.group.give(world.hire())


def woken_at(requests: int) -> Callable[[World], Waiting]:
    """SIGSTOP, and SIGCONT when the other one has sent so many requests."""

    def stopped_and_woken(world: World) -> Waiting:
        zombie = _owner(world)
        zombie.is_stopped = True
        world.group.give(world.hire(), told_after=UNAWARE_S)
        awaited = len(world.wire.requests) + requests
        yield lambda: world.is_answered or len(world.wire.requests) >= awaited
        world.loop.wake(zombie)
        yield from _settled(world)

    return stopped_and_woken


def woken_between_markers(world: World) -> Waiting:
    """SIGSTOP, and SIGCONT when the other one's results can be read, and not yet all that it wrote."""
    zombie, broker = _owner(world), world.broker
    results = broker.log(TopicPartition(world.settings.results_topic, 0))
    zombie.is_stopped = True
    world.group.give(world.hire(), told_after=UNAWARE_S)
    yield lambda: world.is_answered or (results.stable_end > 0 and bool(broker.due()))
    world.loop.wake(zombie)
    yield from _settled(world)


def _owner(world: World) -> Worker:
    assert world.group.owner is not None
    return world.group.owner


def _give_back(world: World, worker: Worker) -> None:
    if worker.is_alive and not worker.is_ending:
        world.group.hand_over(worker)


def _passed(world: World, seconds: float) -> Waiting:
    """The time; an alarm makes sure that it comes."""
    until = world.loop.time() + seconds
    world.loop.call_at(until, _alarm, context=NETWORK)
    yield lambda: world.loop.time() >= until


def _settled(world: World) -> Waiting:
    """Until the one that was not told has been, and has acted on it."""
    yield from _passed(world, 2 * UNAWARE_S)


def _alarm() -> None:
    """Time has come; whoever waits for it looks at the clock."""


ALL = (
    killed,
    killed_with_its_requests,
    killed_before_compaction,
    stopped_until_all_is_done,
    stopped_alone,
    woken_between_markers,
    replaced_unawares,
    handed_over_and_back,
    handed_over_for_a_moment,
    ended,
)
