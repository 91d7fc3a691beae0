"""What ends a worker, or a lane, on purpose. Anything else that is raised here is a bug or a crash."""

from __future__ import annotations

from pathlib import PurePath

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

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


class NotAllowed(Refused):
    """A broker denies this user something that it needs."""


class BreakerOpen(Stop):
    """Too much would become dead letters: going on could do more harm than stopping."""

    code = BREAKER


class GaveUp(Stop):
    """Kafka failed for longer than ``MMS_PATIENCE_S``; nothing of the work in flight was committed."""


class Bug(Stop):
    """Deciding a batch raised, and not on one claim: nobody knows what it would do next time."""


class Fenced(Exception):  # noqa: N818
    """Another producer has this transactional id: there may be another owner of the partition.

    Or the broker itself has ended a transaction that was open for longer than its timeout, which looks alike.
    """


INFRASTRUCTURE = (KafkaError, OSError, TimeoutError)
"""What Kafka and the network raise: worth another try, and its text knows nothing of claims."""

DENIED = (
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    ClusterAuthorizationFailedError,
)
"""What is raised where a broker does not allow something; another try would not mend it."""


def told(error: BaseException) -> str:
    """An exception as logs and messages may tell it.

    Only infrastructure and orders to stop are quoted. Any other text may quote a claim (a KeyError's is the
    key): of those it is the type and the place that raised it.
    """
    name = type(error).__name__
    if isinstance(error, (*INFRASTRUCTURE, Stop, Fenced)):
        return f"{name}: {error}" if str(error) else name
    traceback = error.__traceback__
    if traceback is None:
        return name
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    place = PurePath(*PurePath(traceback.tb_frame.f_code.co_filename).parts[-3:])
    return f"{name} at {place}:{traceback.tb_lineno}"


def denial(error: BaseException) -> BaseException:
    """The broker's denial that ``error`` is, or was raised from."""
    if isinstance(error, NotAllowed) and error.__cause__ is not None:
        return error.__cause__
    return error


def not_allowed(error: BaseException) -> NotAllowed | None:
    """A refusal if a broker has denied something. It cannot say which right is missing: see ``rights``."""
    if isinstance(error, DENIED):
        return NotAllowed(f"the broker does not allow it ({told(error)})")
    return error if isinstance(error, NotAllowed) else None
