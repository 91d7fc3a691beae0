"""What tests of several areas share: a real Kafka broker, and names that no other test has."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import pytest

from tests.stream.streamkit import Stream
from worker.devkit.jars import PrerequisiteError
from worker.devkit.kafka import KafkaBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_MISSING = pytest.StashKey[str]()

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


class NewBroker(Protocol):
    """Makes a broker of the test's own with these broker settings; not started yet, stopped with the test."""

    def __call__(self, **settings: str | int) -> KafkaBroker: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a real broker, so that ``-m 'not kafka'`` is the quick part."""
    for item in items:
        if {"kafka", "new_broker"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say it once and loudly if this machine cannot run a real broker."""
    if (missing := config.stash.get(_MISSING, None)) is not None:
        told = f"NOTHING WAS TESTED AGAINST REAL KAFKA: {missing}"
        terminalreporter.write_line(told, yellow=True, bold=True)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """The session's one broker (``kafka.bootstrap``), started when the first test asks for it.

    Tests share it: name topics and groups after ``prefix``; to harm a broker take ``new_broker``.
    """
    with _broker(request.config, tmp_path_factory.mktemp("kafka"), {}) as broker:
        yield broker


@pytest.fixture
def new_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewBroker]:
    """Brokers of this test's own, to configure, kill and start again; see ``NewBroker``."""
    with ExitStack() as stopping:

        def make(**settings: str | int) -> KafkaBroker:
            broker = _broker(request.config, tmp_path / f"kafka-{uuid4().hex[:8]}", settings)
            stopping.callback(broker.stop)
            return broker

        yield make


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """How this test's topics, groups and transactional ids begin; no other test's begin so."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{name[:60]}-{uuid4().hex[:8]}"


@pytest.fixture
async def stream(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> AsyncIterator[Stream]:
    """Topics and group of this test's own on the session's broker; no default has as many partitions."""
    with ExitStack() as ending:
        made = Stream(kafka.bootstrap, prefix, tmp_path, ending)
        await made.create_topics()
        yield made


def _broker(config: pytest.Config, directory: Path, settings: dict[str, str | int]) -> KafkaBroker:
    try:
        return KafkaBroker(directory, settings=settings)
    except PrerequisiteError as missing:
        if IN_CI:
            pytest.fail(f"CI must test against real Kafka: {missing}", pytrace=False)
        config.stash[_MISSING] = str(missing)
        pytest.skip("no real Kafka on this machine")
