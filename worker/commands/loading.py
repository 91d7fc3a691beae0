"""What commands that decide have in common: the file of events, and the reference data to decide by.

Reference data that does not check ends a command with exit 2.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from worker.adjudication import Reference
from worker.commands.faults import FileError, tell


def _no_option(_: object, file: str) -> None:
    """A misspelt option is no file name; ``-`` alone is."""
    if file.startswith("-") and file != "-":
        raise ValueError("there is no such option; a file of that name is given as ./-name")


EventsFile = Annotated[
    str,
    Parameter(
        help="JSON Lines of CloudEvents, or - for standard input.",
        allow_leading_hyphen=True,
        validator=_no_option,
    ),
]
PoliciesDir = Annotated[Path | None, Parameter(env_var="MMS_POLICIES_DIR", help="Policy files to use.")]
CodesDir = Annotated[Path | None, Parameter(env_var="MMS_CODES_DIR", help="Code sets to use.")]
Payers = Annotated[
    Path | None, Parameter(env_var="MMS_PAYERS_FILE", help="Which payer uses which necessity policy.")
]


def reference_or_exit(policies_dir: Path | None, codes_dir: Path | None, payers: Path | None) -> Reference:
    """The reference data, or exit 2 with what is wrong on standard error."""
    from worker.codes.errors import CodeSetError
    from worker.policies.errors import PolicyError
    from worker.reference import load_reference

    try:
        return load_reference(policies_dir, codes_dir, payers)
    except (CodeSetError, PolicyError) as error:
        with suppress(FileError):  # the exit code is left to say it
            tell(f"mms-worker: {error}")
        sys.exit(2)
