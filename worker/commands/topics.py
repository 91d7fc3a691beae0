"""``mms-worker topics``: makes the four topics, and says how existing ones differ and how to repair that."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cyclopts import App

from worker.commands.brokers import Bootstrap, answer_or_exit, settings_or_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from worker.settings import Settings
    from worker.stream.rights.table import Task

app = App(
    name="topics", help="Create and check the topics that the worker needs, and tell who needs which rights."
)
app.command("worker.commands.acls:acls", name="acls")

OK, DIFFERENT = 0, 1


@app.command
def create(*, bootstrap: Bootstrap = None) -> None:
    """Create the topics that do not exist, with the partitions, replicas and sizes of the settings.

    A topic that exists is left as it is. How it differs is told with what repairs it; the exit
    code is 1 then.
    """
    from worker.stream.rights.table import Task

    sys.exit(_main(_create, bootstrap, Task.CREATE_TOPICS))


@app.command
def check(*, bootstrap: Bootstrap = None) -> None:
    """Say how the topics differ from the settings, and how to repair that; the exit code is 1 if they do."""
    from worker.stream.rights.table import Task

    sys.exit(_main(_check, bootstrap, Task.CHECK_TOPICS))


def _main(work: Callable[[Settings], Coroutine[Any, Any, int]], bootstrap: str | None, task: Task) -> int:
    settings = settings_or_exit(bootstrap)

    from worker.stream.logs import configure_logs

    configure_logs(settings)
    return answer_or_exit(work(settings), settings, task)


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
