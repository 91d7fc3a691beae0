"""Reads the policies and code sets that claims are decided by, for commands and for the stream."""

from __future__ import annotations

from pathlib import Path

from worker.adjudication import Reference
from worker.codes import catalog as codes
from worker.codes.vocabulary import load_vocabulary
from worker.policies import catalog as policies
from worker.policies.code_checks import Vocabulary
from worker.policies.errors import PolicyError


def load_reference(
    policies_dir: Path | None = None, codes_dir: Path | None = None, payers: Path | None = None
) -> Reference:
    """Load everything; None means what ships with the worker.

    Raises ``PolicyError`` or ``CodeSetError`` when a file does not check, a policy that names a code which
    does not exist among them: nothing is decided by it then.
    """
    code_sets = codes.load(codes_dir)
    faults = policies.check(policies_dir, payers, policy_vocabulary(codes_dir))
    if faults:
        raise PolicyError(faults)
    return Reference(policies.load(policies_dir, payers), code_sets)


def policy_vocabulary(codes_dir: Path | None = None) -> Vocabulary:
    """The codes that a policy may name, by kind, each with the day from which it is deactivated."""
    known = load_vocabulary(codes_dir)
    return {
        "procedure": dict.fromkeys(known.procedures),
        "modifier": dict.fromkeys(known.modifiers),
        "group": {code: validity.end for code, validity in known.group_codes.items()},
        "carc": {code: validity.end for code, validity in known.carcs.items()},
        "rarc": {code: validity.end for code, validity in known.rarcs.items()},
    }
