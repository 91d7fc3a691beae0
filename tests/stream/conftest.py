"""Fixtures of the stream tests: a stream of the test's own on a real broker."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.stream.streamkit import Stream
from worker.devkit.kafka import KafkaBroker


@pytest.fixture(autouse=True, scope="module")
def no_late_words() -> Iterator[None]:
    """Have asyncio say of forgotten futures what it has to say while pytest still listens."""
    yield
    gc.collect()


@pytest.fixture
async def stream(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> AsyncIterator[Stream]:
    """Topics and group of this test's own on the session's broker."""
    with ExitStack() as ending:
        made = Stream(kafka.bootstrap, prefix, tmp_path, ending)
        await made.create_topics()
        yield made
