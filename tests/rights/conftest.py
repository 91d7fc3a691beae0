"""One broker with an authorizer for all that is tested of rights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rights.guarded import Guarded, guarded_broker
from worker.devkit.kafka import KafkaBroker


@pytest.fixture(scope="package")
def guarded(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The broker; where ``kafka`` is none, there can be no such broker either."""
    with guarded_broker(tmp_path_factory.mktemp("guarded")) as broker:
        yield broker
