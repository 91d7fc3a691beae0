"""What the driver must not take for an event of the run: a bug of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lane.broker import Broker
from tests.lane.driver import run
from tests.lane.histories import short
from tests.lane.witness import Witness


class SlipError(Exception):
    """A bug of the tests."""


def slips(*_: Any, **__: Any) -> Any:
    raise SlipError


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Broker, "produce"), (Broker, "end_second"), (Broker, "write_marker"), (Witness, "_look_at")],
)
def test_a_bug_of_the_brokers_or_the_witness_is_raised_and_is_no_request_that_was_lost(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    monkeypatch.setattr(owner, name, slips)
    with pytest.raises(SlipError):
        run(short())
