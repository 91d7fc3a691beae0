"""Reads the policies and code sets that claims are decided by, for commands and for the stream."""

from __future__ import annotations

from pathlib import Path

from worker.adjudication import Reference
from worker.codes import catalog as codes
from worker.policies import catalog as policies


def load_reference(
    policies_dir: Path | None = None, codes_dir: Path | None = None, payers: Path | None = None
) -> Reference:
    """Load everything; None means what ships with the worker.

    Raises ``PolicyError`` or ``CodeSetError`` when a file does not check: nothing is decided by it then.
    """
    return Reference(policies.load(policies_dir, payers), codes.load(codes_dir))
