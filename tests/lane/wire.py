"""The network between workers and brokers: one request, one moment at which it applies, one answer, later.

Requests are numbered in the order in which they are sent, and each may meet one fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from aiokafka.errors import KafkaConnectionError, RequestTimedOutError

from tests.lane.broker import Broker, Code
from tests.lane.loop import NETWORK, OWNER, Loop, Process

HOP_S = 0.001
LATE_S = 3.0
"""Within every deadline that the worker has."""
TOO_LATE_S = 25.0
"""Behind all of them, and behind the lives of a few more producers."""


class Pace(NamedTuple):
    """How long things take."""

    request_timeout_s: float
    """Until a client gives a request up."""
    transaction_timeout_s: float
    marker_s: float
    """Until the coordinator has written the next marker of a transaction that has been decided."""


class Fault(Enum):
    """What happens to a request."""

    LOST = "the request is lost"
    UNANSWERED = "its answer is lost"
    ANSWERED_LATE = "its answer is late"
    ARRIVES_LATE = "it arrives when its sender has given up"
    CUT_BEFORE = "the connection breaks before it arrives"
    CUT_AFTER = "the connection breaks before its answer comes"
    FAILS = "the broker fails, with an error that is not tried again"
    NOT_NOW = "the broker answers that it is to be tried again"


class Refusal(Exception):  # noqa: N818  it is an answer
    """The broker answers with this error."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code = code


NOT_NOW = {
    "Produce": Code.NOT_ENOUGH_REPLICAS,
    "TxnOffsetCommit": Code.COORDINATOR_LOAD_IN_PROGRESS,
    "InitProducerId": Code.COORDINATOR_LOAD_IN_PROGRESS,
    "AddPartitionsToTxn": Code.NOT_COORDINATOR,
    "AddOffsetsToTxn": Code.NOT_COORDINATOR,
    "EndTxn": Code.NOT_COORDINATOR,
}


class Wire:
    """Carries requests to ``broker``. ``faults`` are by the number of the request."""

    def __init__(self, loop: Loop, broker: Broker, faults: Mapping[int, Fault], pace: Pace) -> None:
        self.requests: list[str] = []
        """What was sent, in order."""
        self.latest = "nothing yet"
        """What happened last, in words."""
        self.under_way = 0
        """Requests that may still reach the broker, and markers that are still to be written."""
        self.drops_of_the_dead = False
        """Whether what a killed process has sent is lost with it, unless it has arrived."""
        self._loop = loop
        self._broker = broker
        self._faults = faults
        self._pace = pace
        self._marking: set[str] = set()

    async def ask(self, name: str, apply: Callable[[], Any]) -> Any:
        """Send a request of the current process; ``apply`` is what the broker does.

        Raises Refusal, and of aiokafka's errors KafkaConnectionError and RequestTimedOutError.
        """
        number, sender = len(self.requests), OWNER.get()
        self.requests.append(name)
        fault = self._faults.get(number)
        answer: asyncio.Future[Any] = self._loop.create_future()
        self.under_way += 1
        self.latest = f"{name} sent"
        delay = TOO_LATE_S if fault is Fault.ARRIVES_LATE else HOP_S
        self._later(delay, self._arrives, name, apply, answer, fault, sender)
        try:
            async with asyncio.timeout(self._pace.request_timeout_s):
                return await answer
        except TimeoutError:
            raise RequestTimedOutError from None

    def _later(self, delay: float, what: Callable[..., None], *args: Any) -> None:
        self._loop.call_later(delay, what, *args, context=NETWORK)

    def _arrives(
        self,
        name: str,
        apply: Callable[[], Any],
        answer: asyncio.Future[Any],
        fault: Fault | None,
        sender: Process,
    ) -> None:
        self.under_way -= 1
        if fault is Fault.LOST or (self.drops_of_the_dead and not sender.is_alive):
            self.latest = f"{name} lost"
            return
        told: Any
        if fault is Fault.CUT_BEFORE:
            told = KafkaConnectionError()
        elif fault is Fault.FAILS:
            told = Refusal(Code.UNKNOWN_SERVER_ERROR)
        elif fault is Fault.NOT_NOW:
            told = Refusal(NOT_NOW[name])
        else:
            self.latest = f"{name} applied"
            told = apply()
            self._mark()
        if fault is Fault.CUT_AFTER:
            told = KafkaConnectionError()
        if fault is not Fault.UNANSWERED:
            self._later(LATE_S if fault is Fault.ANSWERED_LATE else HOP_S, self._answered, name, answer, told)

    def _answered(self, name: str, answer: asyncio.Future[Any], told: Any) -> None:
        self.latest = f"{name} answered"
        if answer.done():
            return
        if isinstance(told, Exception):
            answer.set_exception(told)
        else:
            answer.set_result(told)

    # ---- what the coordinator does by itself

    def transaction_begins(self, name: str, number: int) -> None:
        """Set the broker's own clock for a transaction."""
        self._later(self._pace.transaction_timeout_s, self._expires, name, number)

    def _expires(self, name: str, number: int) -> None:
        self._broker.expire(name, number)
        self._mark()

    def _mark(self) -> None:
        for name in self._broker.due():
            if name not in self._marking:
                self._marking.add(name)
                self.under_way += 1
                self._later(self._pace.marker_s, self._write_marker, name)

    def _write_marker(self, name: str) -> None:
        self.latest = "marker written"
        if self._broker.write_marker(name):
            self._later(self._pace.marker_s, self._write_marker, name)
        else:
            self._marking.discard(name)
            self.under_way -= 1
