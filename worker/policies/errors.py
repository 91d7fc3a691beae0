"""What is wrong with a policy file, as a value and as the one error that a reader meets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Fault(NamedTuple):
    """One thing that is wrong: in which file, at which key, and what to do about it.

    ``key`` is a path such as ``versions[0].rules."ncci.pair".deny.carc``, positions counted from 0; it is
    empty when the fault is of the whole file or directory.
    """

    file: Path
    key: str
    reason: str

    def __str__(self) -> str:
        """``file: key: reason``, fit to be shown as it is."""
        return ": ".join((str(self.file), *filter(None, (self.key, self.reason))))


class PolicyError(Exception):
    """The policy files do not check; ``faults`` says everything that is wrong with them, one a line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        lines = [str(fault) for fault in self.faults]
        head = [] if len(lines) == 1 else [f"the policies have {len(lines)} faults"]
        super().__init__("\n".join(head + lines))


class PolicyManifestError(PolicyError):
    """A file is not as its manifest lists it; what is in it has not been looked at."""
