"""``mms-worker topics``: makes the four topics, and says how existing ones differ and how to repair that."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from cyclopts import App

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from worker.settings import Settings

app = App(name="topics", help="Create and check the topics that the worker needs.")

OK, DIFFERENT, INVALID = 0, 1, 2


@app.command
def create() -> None:
    """Create the topics that do not exist, with the partitions, replicas and sizes of the settings.

    A topic that exists is left as it is. How it differs is told with the command that repairs it; the exit
    code is 1 then.
    """
    sys.exit(_main(_create))


@app.command
def check() -> None:
    """Say how the topics differ from the settings, and how to repair that; the exit code is 1 if they do."""
    sys.exit(_main(_check))


def _main(work: Callable[[Settings], Coroutine[Any, Any, int]]) -> int:
    from worker.settings import InvalidSettings, load_settings

    try:
        settings = load_settings()
    except InvalidSettings as error:
        return _refuse(str(error))

    from aiokafka.errors import KafkaError

    from worker.stream.errors import Refused
    from worker.stream.logs import configure_logs

    configure_logs(settings)
    try:
        return asyncio.run(work(settings))
    except (KafkaError, OSError, TimeoutError) as error:
        return _refuse(
            f"{settings.bootstrap_servers} (MMS_BOOTSTRAP_SERVERS): {error or type(error).__name__}"
        )
    except Refused as error:
        return _refuse(str(error))


async def _create(settings: Settings) -> int:
    from worker.stream.topics import admin, create_missing, specs

    async with admin(settings) as client:
        created = await create_missing(client, specs(settings))
    for spec in specs(settings):
        if spec.name in created:
            print(f"created {spec.name}: {spec.partitions} partitions, {spec.replication} replicas")
    return await _check(settings, ignoring=created)


async def _check(settings: Settings, ignoring: list[str] | None = None) -> int:
    """Print how the topics differ, but for those made a moment ago: not every broker may know them yet."""
    from worker.stream.topics import admin, differences, specs

    async with admin(settings) as client:
        found = [one for one in await differences(client, settings) if one.topic not in (ignoring or ())]
    different = {one.topic for one in found}
    for spec in specs(settings):
        if spec.name not in different and spec.name not in (ignoring or ()):
            print(f"ok {spec.name}: {spec.partitions} partitions")
    for one in found:
        print(f"mms-worker: {one}", file=sys.stderr)
    return DIFFERENT if found else OK


def _refuse(message: str) -> int:
    print(f"mms-worker: {message}", file=sys.stderr)
    return INVALID
