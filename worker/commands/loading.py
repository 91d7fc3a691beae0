"""What commands that decide have in common: the file of events, and the options that decisions depend on.

Reference data that does not check, or is not as its manifest lists it, ends a command with exit 2. A variable
of the environment that is empty is as good as none, as it is to the worker.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from worker.adjudication import Limits, Reference
from worker.commands.faults import FileError, tell


def _no_option(_: object, file: str) -> None:
    """A misspelt option is no file name; ``-`` alone is."""
    if file.startswith("-") and file != "-":
        raise ValueError("there is no such option; a file of that name is given as ./-name")


def _unless_empty(_: object, value: str, *, delimiter: str | None = None) -> list[str]:  # noqa: ARG001  cyclopts gives it
    return [value] if value else []


EventsFile = Annotated[
    str,
    Parameter(
        help="JSON Lines of CloudEvents, or - for standard input.",
        allow_leading_hyphen=True,
        validator=_no_option,
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class ReferenceFiles:
    """Which reference data to decide by; None is what ships with the worker."""

    policies_dir: Annotated[
        Path | None,
        Parameter(env_var="MMS_POLICIES_DIR", env_var_split=_unless_empty, help="Policy files to use."),
    ] = None
    codes_dir: Annotated[
        Path | None,
        Parameter(env_var="MMS_CODES_DIR", env_var_split=_unless_empty, help="Code sets to use."),
    ] = None
    payers: Annotated[
        Path | None,
        Parameter(
            env_var="MMS_PAYERS_FILE",
            env_var_split=_unless_empty,
            help="Which payer uses which necessity policy.",
        ),
    ] = None


SHIPPED = ReferenceFiles()
_USUAL = Limits()


@Parameter(name="*")
@dataclass(frozen=True)
class HistoryLimits:
    """How much is held of a member. Names, bounds and defaults are those of the worker's settings."""

    history_look_back_days: Annotated[
        int,
        Parameter(
            env_var="MMS_HISTORY_LOOK_BACK_DAYS",
            env_var_split=_unless_empty,
            validator=Number(gte=1, lte=36_500),
            help="Days before a member's newest service date; earlier claims are dropped.",
        ),
    ] = _USUAL.look_back_days
    history_max_bytes: Annotated[
        int,
        Parameter(
            env_var="MMS_HISTORY_MAX_BYTES",
            env_var_split=_unless_empty,
            validator=Number(gte=1024),
            help="Size of a member's history above which further claims pend.",
        ),
    ] = _USUAL.max_bytes
    history_max_day_lines: Annotated[
        int,
        Parameter(
            env_var="MMS_HISTORY_MAX_DAY_LINES",
            env_var_split=_unless_empty,
            validator=Number(gte=50, lte=100_000),
            help="Lines that meet on the days of service of one event, above which further claims pend.",
        ),
    ] = _USUAL.max_day_lines

    @property
    def limits(self) -> Limits:
        """The same, as decisions take them."""
        return Limits(self.history_look_back_days, self.history_max_bytes, self.history_max_day_lines)


USUAL_LIMITS = HistoryLimits()


def reference_or_exit(files: ReferenceFiles) -> Reference:
    """The reference data, or exit 2 with what is wrong on standard error."""
    from worker.codes.errors import CodeSetError
    from worker.policies.errors import PolicyError
    from worker.reference import load_reference

    try:
        return load_reference(files.policies_dir, files.codes_dir, files.payers)
    except (CodeSetError, PolicyError) as error:
        with suppress(FileError):  # the exit code is left to say it
            tell(f"mms-worker: {error}")
        sys.exit(2)
