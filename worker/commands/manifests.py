"""``mms-worker policy manifest`` and ``codes manifest``: list files as they are now."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from worker.codes.catalog import manifests as manifests_of_codes
from worker.codes.errors import CodeSetError
from worker.commands.codes import Directory as CodeDirectory
from worker.commands.codes import refuse
from worker.commands.policy import CodesDir, Directory, PayersFile, require_readable, vocabulary
from worker.placing import place
from worker.policies.catalog import manifests as manifests_of_policies
from worker.policies.errors import PolicyError, PolicyManifestError

FAULTS = 1
USAGE = 2


def list_policies(
    *,
    directory: Directory = None,
    payers: PayersFile = None,
    codes: CodesDir = None,
) -> None:
    """Write SHA256SUMS, which lists the policy files of a directory as they are now, once they check.

    With --payers also FILE.sha256 beside that file, and without a directory that alone. Exit code 1 when a
    file does not check, 2 when a path cannot be read or written.
    """
    require_readable(directory, payers)
    try:
        _write(manifests_of_policies(directory, payers, vocabulary(codes)))
    except PolicyError as error:
        _exit(str(error), USAGE if isinstance(error, PolicyManifestError) else FAULTS)


def list_code_sets(*, directory: CodeDirectory = None) -> None:
    """Write SHA256SUMS, which lists the files of a code directory as they are now, once they can be read.

    Exit code 1 when a file is malformed, 2 when a path cannot be read or written.
    """
    try:
        _write(manifests_of_codes(directory))
    except CodeSetError as error:
        refuse(error)


def _write(manifests: Mapping[Path, bytes]) -> None:
    try:
        place(manifests)
    except OSError as error:
        _exit(f"{', '.join(map(str, manifests))}: cannot be written: {error.strerror}", USAGE)
    for path, content in manifests.items():
        number = content.count(b"\n")
        print(f"{path} lists {number} file{'s' if number > 1 else ''}")


def _exit(message: str, code: int) -> NoReturn:
    print(f"mms-worker: {message}", file=sys.stderr)
    sys.exit(code)
