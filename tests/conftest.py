"""What tests of several areas share: a real Kafka broker, and names that no other test has."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from difflib import unified_diff
from pprint import pformat
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import pytest

from tests.stream.streamkit import Stream
from tests.unredacted import spelled_out
from worker.devkit.jars import PrerequisiteError
from worker.devkit.kafka import KafkaBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from worker.devkit.kafka import Place

_SKIPPED = "no real Kafka on this machine: "
NO_PROMETHEUS = "no real Prometheus on this machine: "

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


class NewBroker(Protocol):
    """Makes a broker of the test's own with these broker settings; not started yet, stopped with the test.

    ``place`` is for a node of a cluster of several, or of one that is not of Kafka's newest.
    """

    def __call__(self, place: Place | None = None, **settings: str | int) -> KafkaBroker: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a real broker, so that ``-m 'not kafka'`` is the quick part."""
    for item in items:
        if {"kafka", "new_broker"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Say in what values differ that show nothing of themselves: what tests compare is made up."""
    if op != "==" or "(redacted)" not in f"{left!r}{right!r}":
        return None
    sides = [pformat(spelled_out(side), sort_dicts=False).splitlines() for side in (left, right)]
    # Lines alone are compared: looking for what differs within them takes minutes where many do.
    return ["values that are redacted differ", *unified_diff(*sides, lineterm="", n=1)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it once and loudly if this machine cannot run a real broker, or no Prometheus."""
    # The reports come here from whichever process ran the test.
    reasons = [str(report.longrepr[2]) for report in terminalreporter.getreports("skipped")]
    for start, untested in (
        (_SKIPPED, "NOTHING WAS TESTED AGAINST REAL KAFKA"),
        (NO_PROMETHEUS, "DASHBOARDS AND ALERTS WERE NOT TESTED AGAINST A REAL PROMETHEUS"),
    ):
        if (told := next((reason for reason in reasons if start in reason), None)) is not None:
            missing = told.partition(start)[2]
            terminalreporter.write_line(f"{untested}: {missing}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """The session's one broker (``kafka.bootstrap``), started when the first test asks for it.

    Tests share it: name topics and groups after ``prefix``; to harm a broker take ``new_broker``. Of several
    processes that run tests each is a session, with a broker of its own that ends with it.
    """
    with _broker(tmp_path_factory.mktemp("kafka"), {}) as broker:
        yield broker


@pytest.fixture
def new_broker(tmp_path: Path) -> Iterator[NewBroker]:
    """Brokers of this test's own, to configure, kill and start again; see ``NewBroker``."""
    with ExitStack() as stopping:

        def make(place: Place | None = None, **settings: str | int) -> KafkaBroker:
            broker = _broker(tmp_path / f"kafka-{uuid4().hex[:8]}", settings, place)
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


def _broker(directory: Path, settings: dict[str, str | int], place: Place | None = None) -> KafkaBroker:
    try:
        return KafkaBroker(directory, settings=settings, place=place)
    except PrerequisiteError as missing:
        if IN_CI:
            pytest.fail(f"CI must test against real Kafka: {missing}", pytrace=False)
        pytest.skip(f"{_SKIPPED}{missing}")
