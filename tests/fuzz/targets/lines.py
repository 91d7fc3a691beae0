"""A file of events, line by line as the commands read it, with the longest line set to a few bytes."""

from __future__ import annotations

from io import BytesIO
from unittest.mock import patch

from worker.commands import reading
from worker.commands.reading import Source

LONGEST = 16


def check(data: bytes) -> None:
    with patch.object(reading, "LONGEST_LINE_BYTES", LONGEST):
        for most in (1, 3):
            whole, begun = _read(data, most)
            expected = BytesIO(data).readlines()
            assert whole.keys() | begun.keys() == set(range(1, len(expected) + 1))
            assert all(expected[number - 1] == line for number, line in whole.items())
            assert all(expected[number - 1][:LONGEST] == line for number, line in begun.items())
            assert all(len(line) <= LONGEST for line in whole.values())


def _read(data: bytes, most: int) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """Lines by number, and the beginnings of those that are too long."""
    source = Source("-", BytesIO(data))
    whole: dict[int, bytes] = {}
    begun: dict[int, bytes] = {}
    for batch in source.batches(most):
        assert 0 < len(batch) <= most
        if source.too_long:
            begun.update(batch)
        else:
            whole.update(batch)
    return whole, begun
