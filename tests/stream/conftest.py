"""Fixtures of the stream tests: a stream of the test's own on a real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.stream.streamkit import Stream
from worker.devkit.kafka import KafkaBroker


@pytest.fixture
async def stream(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> AsyncIterator[Stream]:
    """Topics and group of this test's own on the session's broker."""
    with ExitStack() as ending:
        made = Stream(kafka.bootstrap, prefix, tmp_path, ending)
        await made.create_topics()
        yield made
