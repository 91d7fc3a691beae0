"""The kinds of faults, and the plan of a run: drawn from its seed before anything starts.

There are three tracks, which go on beside each other: faults of workers, of connections and of brokers. On a
track one fault ends before the next begins, so never are two brokers down at once, but a worker may be killed
while a broker is down and a connection is held.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

SESSION_S = 3.0
"""Workers' session timeout: how long a worker that says nothing keeps its partitions."""
BATCH_DEADLINE_S = 3.0
"""Workers' deadline of a transaction; then they doubt it, and begin again."""
LEAD_S = 2.0
"""Seconds at the beginning, and share of the time at the end, in which no fault begins."""
TAIL = 0.12
BROKERS_SHARE = 5
"""Of so many kills one is of a broker."""


class Kind(StrEnum):
    """A kind of fault, named as the report names it."""

    WORKER_KILLED = "worker killed"
    WORKER_FROZEN = "worker frozen, taken for dead, thawed"
    WORKER_ADDED = "worker added"
    WORKER_REMOVED = "worker told to stop"
    RECORDS_REFUSED = "records refused: max.message.bytes lowered"
    CONNECTIONS_CUT = "connections to a broker cut"
    CONNECTIONS_DELAYED = "connections to a broker delayed"
    COMMIT_HELD = "EndTxn request held beyond the deadline"
    ANSWER_HELD = "EndTxn response held beyond the deadline"
    BROKER_KILLED = "broker killed"
    COORDINATOR_KILLED = "group's coordinator killed"
    BROKER_STOPPED = "broker stopped"
    COORDINATOR_STOPPED = "group's coordinator stopped"


class Track(NamedTuple):
    """Kinds of faults of which one ends before the next begins."""

    kinds: Sequence[Kind]
    pace_s: float
    """Seconds of a run for each fault, where no number of kills asks for more."""


WORKERS = Track(
    (
        Kind.WORKER_KILLED,
        Kind.WORKER_FROZEN,
        Kind.WORKER_ADDED,
        Kind.WORKER_REMOVED,
        Kind.RECORDS_REFUSED,
    ),
    pace_s=12,
)
CONNECTIONS = Track(
    (Kind.CONNECTIONS_CUT, Kind.CONNECTIONS_DELAYED, Kind.COMMIT_HELD, Kind.ANSWER_HELD), pace_s=15
)
BROKERS = Track(
    (Kind.BROKER_KILLED, Kind.COORDINATOR_KILLED, Kind.BROKER_STOPPED, Kind.COORDINATOR_STOPPED), pace_s=45
)
TRACKS = (WORKERS, CONNECTIONS, BROKERS)

BROKER_KILLS = (Kind.BROKER_KILLED, Kind.COORDINATOR_KILLED)
KILLS = (Kind.WORKER_KILLED, *BROKER_KILLS)

LASTS_S: Mapping[Kind, tuple[float, float]] = {
    Kind.WORKER_FROZEN: (SESSION_S + 1.5, SESSION_S + 4),
    Kind.CONNECTIONS_CUT: (1, 4),
    Kind.CONNECTIONS_DELAYED: (3, 6),
    Kind.COMMIT_HELD: (BATCH_DEADLINE_S + 1, BATCH_DEADLINE_S + 5),
    Kind.ANSWER_HELD: (BATCH_DEADLINE_S + 1, BATCH_DEADLINE_S + 5),
    Kind.BROKER_KILLED: (1, 4),
    Kind.COORDINATOR_KILLED: (1, 4),
    Kind.BROKER_STOPPED: (1, 4),
    Kind.COORDINATOR_STOPPED: (1, 4),
}
"""Shortest and longest time for which a fault is kept up; the others are over at once or by themselves."""


DELAY_S = (0.15, 0.3)
"""Least and most by which bytes are late, each way; a transaction takes several exchanges."""


class Fault(NamedTuple):
    """A fault to come: seconds from the beginning, its kind, the seconds for which it is kept up.

    It begins later where the one before it on its track has not ended, or where it must wait for brokers to
    be in sync. ``choice``, from 0 to below 1, says which worker, broker or topic; ``delay`` by how many
    seconds bytes are late where connections are delayed.
    """

    at: float
    kind: Kind
    lasts: float
    choice: float
    delay: float = 0.0

    def choose(self, among: Sequence[object]) -> int:
        """The place of the one that is chosen."""
        return int(self.choice * len(among))


def plan(seed: int, minutes: float, kills: int = 0) -> list[list[Fault]]:
    """The faults of each track in their order: the same for the same arguments.

    Every kind comes once before one of its track comes again; only kills come more often, where ``kills``,
    of workers and brokers together, asks for more. Each track has every kind at least once, however short the
    time.
    """
    brokers = kills // BROKERS_SHARE
    wanted = {WORKERS: kills - brokers, BROKERS: brokers, CONNECTIONS: 0}
    return [
        _track(track, random.Random(f"{seed} {number}"), minutes * 60, wanted[track])  # noqa: S311  no secret
        for number, track in enumerate(TRACKS)
    ]


def _track(track: Track, chance: random.Random, seconds: float, kills: int) -> list[Fault]:
    kinds = _kinds(track, chance, seconds, kills)
    slot = (seconds - LEAD_S) * (1 - TAIL) / len(kinds)
    faults = [
        Fault(
            round(LEAD_S + (place + chance.random()) * slot, 2),
            kind,
            round(chance.uniform(*LASTS_S.get(kind, (0, 0))), 2),
            round(chance.random(), 4),
        )
        for place, kind in enumerate(kinds)
    ]
    return [
        fault._replace(delay=round(chance.uniform(*DELAY_S), 3))
        if fault.kind is Kind.CONNECTIONS_DELAYED
        else fault
        for fault in faults
    ]


def _kinds(track: Track, chance: random.Random, seconds: float, kills: int) -> list[Kind]:
    kinds: list[Kind] = []
    while len(kinds) < max(len(track.kinds), int(seconds / track.pace_s)):
        bag = list(track.kinds)
        chance.shuffle(bag)
        kinds += bag
    for _ in range(kills - sum(kind in KILLS for kind in kinds)):
        more = chance.choice([kind for kind in track.kinds if kind in KILLS])
        kinds.insert(chance.randrange(len(kinds) + 1), more)
    return kinds
