"""What the tests of the stream have in common beside its fixture."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def no_late_words() -> Iterator[None]:
    """Have asyncio say of forgotten futures what it has to say while pytest still listens."""
    yield
    gc.collect()
