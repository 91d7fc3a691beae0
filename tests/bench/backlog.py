"""Backlogs of the benches: members' histories, generated, or most of them copies of a generated tenth.

With copies under other names members come as often as they do among generated events, and a million are made
at once. But what the core remembers of an event serves its copies too: where its cost is compared, all are
generated.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tests.bench.inputs import SEED, kept
from worker.devkit.generator import histories

COPIES = 10
NAMES = f"-h{SEED}-".encode()
"""In the id of every generated event, claim and member."""
BLOCK = 1000
"""Events of a copy that come before those of the next."""


def backlog(events: int, members: int) -> Iterator[tuple[bytes, bytes]]:
    """Member and event of a backlog, in which every copy keeps its order and the copies come in turns.

    ``members`` is how many there are at most.
    """
    count, of_members = -(-events // COPIES), max(1, members // COPIES)
    file = kept(f"replay-{count}-{of_members}", histories(count, SEED, of_members))
    return islice(_copies(file), events)


def generated(events: int, members: int) -> list[tuple[bytes, bytes]]:
    """Member and event of a backlog without copies; it is generated once, which takes a while."""
    file = kept(f"histories-{events}-{members}", histories(events, SEED, members))
    return [(_member(value), value) for value in file.read_bytes().splitlines()]


def _copies(file: Path) -> Iterator[tuple[bytes, bytes]]:
    with file.open("rb") as lines:
        while block := list(islice(lines, BLOCK)):
            for number in range(COPIES):
                names = NAMES[:-1] + f"c{number}-".encode()
                for line in block:
                    value = line.rstrip(b"\n").replace(NAMES, names)
                    yield _member(value), value


def _member(value: bytes) -> bytes:
    """What an event says of its member. Decoding all of it would take longer than sending it."""
    return value.partition(b'"member_id":"')[2].partition(b'"')[0]
