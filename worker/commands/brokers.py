"""Commands that ask Kafka something: which brokers, and what a person is told when they do not answer."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

from cyclopts import Parameter

from worker.commands.ending import unwinding
from worker.commands.faults import FileError, exit_for, tell_if_heard
from worker.commands.writing import standard_output

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from typing import Any

    from worker.commands.writing import Sink
    from worker.settings import Settings
    from worker.stream.rights.table import Task

NOT_READ = 2
"""Exit code where settings, brokers or topics do not allow to read what is asked for."""

Answer = TypeVar("Answer")

Bootstrap = Annotated[
    str | None,
    Parameter(
        name=["--bootstrap", "--bootstrap-servers"],
        help="Brokers as host:port, with commas between them; by default MMS_BOOTSTRAP_SERVERS.",
    ),
]


def settings_or_exit(bootstrap: str | None) -> Settings:
    """The settings of the environment, with these brokers if any are given."""
    from worker.settings import InvalidSettings, load_settings, variable

    try:
        return load_settings(**({} if bootstrap is None else {"bootstrap_servers": bootstrap}))
    except InvalidSettings as error:
        faults = str(error)
        if bootstrap is not None:  # it is the option then that is at fault
            name = variable("bootstrap_servers")
            faults = faults.replace(f"{name}: ", f"--bootstrap ({name}): ")
        exit_with(faults, NOT_READ)


@contextmanager
def telling() -> Iterator[Sink]:
    """Standard output for what a command tells; a stream that fails, or a signal, ends the command."""
    try:
        out = standard_output()
        with unwinding():
            yield out
        out.flush()
    except FileError as error:
        exit_for(error)


def answer_or_exit(work: Coroutine[Any, Any, Answer], settings: Settings, task: Task) -> Answer:
    """What ``work`` returns; where Kafka or the network fails it, or it refuses, exit 2 with one line.

    The line names the right that is missing where the brokers do not allow ``task``; ``work`` is not begun
    if they say so beforehand.
    """
    from worker.stream.connecting.refusal import NotConnectedError, not_let_in
    from worker.stream.errors import INFRASTRUCTURE, Refused
    from worker.stream.unlogged import log_to_standard_error

    log_to_standard_error()
    # What goes wrong is told once, by the line below.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(answer_of(work, settings, task))
    except Refused as error:
        exit_with(str(error), NOT_READ)
    except INFRASTRUCTURE as error:
        if (refused := not_let_in(error)) is not None:
            exit_with(str(refused), NOT_READ)
        why, named = str(error) or type(error).__name__, "--bootstrap, MMS_BOOTSTRAP_SERVERS"
        if isinstance(error, NotConnectedError):  # it has the addresses
            exit_with(f"{why}; see {named}", NOT_READ)
        exit_with(f"{settings.bootstrap_servers} ({named}): {why}", NOT_READ)


async def answer_of(work: Coroutine[Any, Any, Answer], settings: Settings, task: Task) -> Answer:
    """What ``work`` returns. Raises NotAllowed with the right that is missing, before it begins or later."""
    from worker.stream.rights.missing import naming_what_lacks, require

    try:
        await require(settings, task)
    except BaseException:
        work.close()
        raise
    async with naming_what_lacks(settings, task):
        return await work


def exit_with(message: str, code: int) -> NoReturn:
    """Say one line on standard error and end the command."""
    tell_if_heard(f"mms-worker: {message}")
    sys.exit(code)
