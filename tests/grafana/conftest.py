"""What tests of dashboards and rules share: the programs of a deployment's monitoring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.grafana.programs import PACKAGES, program
from tests.grafana.pushgateway import Pushgateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def monitoring() -> None:
    """All programs are here: what takes long is not begun if one is missing."""
    for name in PACKAGES:
        program(name)


@pytest.fixture
async def pushgateway(tmp_path: Path) -> AsyncIterator[Pushgateway]:
    """A Pushgateway of this test's own."""
    async with Pushgateway(tmp_path) as gateway:
        yield gateway
