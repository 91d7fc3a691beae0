"""The fleet knows who has partitions, who was given those of a frozen worker, and who ended unbidden."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.chaos.fleet import ASSIGNED, Fleet
from tests.stream.streamkit import Stream, Worker, until

IDLE = [sys.executable, "-c", "import time; time.sleep(600)"]


class Idlers(Stream):
    """In place of workers, processes that do nothing; a test says what they log."""

    def worker(self, *arguments: str, **overrides: Any) -> Worker:  # noqa: ARG002  as it is asked for
        return self.process(IDLE)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as ending:
        yield Fleet(Idlers("127.0.0.1:1", "fleet", tmp_path, ending), "127.0.0.1:1")


def given(worker: Worker, *partitions: int) -> None:
    """Have a worker say that it was given these."""
    with worker._log.open("ab") as log:
        log.write(orjson.dumps({"event": ASSIGNED, "partitions": partitions}) + b"\n")


async def test_those_are_at_work_that_have_partitions_and_live(fleet: Fleet) -> None:
    one, other, joined, fresh = (fleet.start() for _ in range(4))
    for worker in (one, other):
        given(worker, 0, 1)
    given(joined)
    assert fleet.at_work() == [one, other]
    assert fleet.has_joined(joined)
    assert not fleet.has_joined(fresh)
    given(one)
    other.kill()
    assert fleet.at_work() == []


async def test_a_frozen_worker_is_taken_for_dead_when_others_were_given_all_it_had(fleet: Fleet) -> None:
    frozen, one, other = (fleet.start() for _ in range(3))
    given(frozen, 0, 1, 2)
    given(one, 0, 1, 2, 3)  # before
    is_taken_for_dead = fleet.freeze(frozen)
    try:
        assert not is_taken_for_dead()
        given(one, 0, 1)
        assert not is_taken_for_dead()
        given(other, 2)
        assert is_taken_for_dead()
    finally:
        fleet.thaw(frozen)


async def test_what_one_that_was_started_since_was_given_counts_too(fleet: Fleet) -> None:
    frozen = fleet.start()
    given(frozen, 5)
    is_taken_for_dead = fleet.freeze(frozen)
    given(fleet.start(), 5)
    assert is_taken_for_dead()
    fleet.thaw(frozen)


async def test_a_worker_that_ends_by_itself_is_noted_and_followed_also_after_a_failed_refusal(
    fleet: Fleet,
) -> None:
    with suppress(RuntimeError), fleet.refusing():
        raise RuntimeError
    worker = fleet.start()
    watching = asyncio.create_task(fleet.watch())
    worker.kill()
    await until(lambda: fleet.faults, "it to be noted")
    watching.cancel()
    assert len(fleet.running) == 1
    assert fleet.faults == ["worker-1 ended by itself with -9; its last line: nothing"]
