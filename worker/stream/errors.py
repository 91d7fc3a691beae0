"""What ends a worker, or a lane, on purpose. Anything else that is raised here is a bug or a crash."""

from __future__ import annotations

OK = 0
CRASHED = 1
REFUSED = 2
BREAKER = 3


class Stop(Exception):  # noqa: N818  it is an order, and seldom a fault of this process
    """The worker stops and its process exits with ``code``; the message is for the person who runs it."""

    code = CRASHED


class Refused(Stop):
    """The configuration, the topics or the offsets do not allow to go on without a person's decision."""

    code = REFUSED


class BreakerOpen(Stop):
    """Too much would become dead letters: going on could do more harm than stopping."""

    code = BREAKER


class GaveUp(Stop):
    """Kafka failed for longer than ``MMS_PATIENCE_S``; nothing of the work in flight was committed."""


class Fenced(Exception):  # noqa: N818
    """Another producer has this lane's transactional id: there may be another owner of the partition."""
