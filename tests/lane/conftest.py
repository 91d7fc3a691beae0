"""Fixtures of the lane's tests: the clients in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lane.driver import in_memory


@pytest.fixture(autouse=True, scope="module")
def clients_in_memory() -> Iterator[None]:
    with in_memory():
        yield
