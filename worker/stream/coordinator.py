"""The group's coordinator: what it cannot tell is an error, and what it tells is the last that was committed.

From version 2 on, Kafka answers a request for committed offsets with one error for all of them and an empty
list. aiokafka 0.14 looks only into the list: while a coordinator is being elected or still loads the group,
``committed()`` says that nothing was ever committed. A lane would then begin where the log begins. And it
asks in a way in which a coordinator that was just elected may tell an older offset: see ``stable_offsets``.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer import consumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    NoError,
    NotCoordinatorError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest

from worker.stream.stable_offsets import UNSTABLE, OffsetFetchResponseV7, StableOffsetFetchRequest


def heed_coordinators() -> None:
    """Let every consumer of this process, made from now on, heed what its coordinator answers."""
    consumer.GroupCoordinator = Coordinator


class Coordinator(GroupCoordinator):  # type: ignore[misc]  # aiokafka has no types
    """A client of the coordinator that asks again, or another one, until it is told the offsets."""

    async def _send_req(self, request: Any) -> Any:
        """The answer to a request. Raises what it says of all offsets; it is asked again if that can pass."""
        if not isinstance(request, OffsetFetchRequest):
            return await super()._send_req(request)
        stable = StableOffsetFetchRequest(self.group_id, request._partitions)  # noqa: SLF001  nothing public tells
        response = await super()._send_req(stable)
        error = for_code(getattr(response, "error_code", NoError.errno))
        if error in {CoordinatorNotAvailableError, NotCoordinatorError}:
            self.coordinator_dead()
        if error is GroupAuthorizationFailedError:
            raise error(self.group_id)
        if error is not NoError:
            raise error
        if not isinstance(response, OffsetFetchResponseV7):
            return response
        if any(of_one[4] == UNSTABLE for _, partitions, _ in response.topics for of_one in partitions):
            raise CoordinatorLoadInProgressError(self.group_id)  # asked again, like one that still loads
        return response.as_v3()
