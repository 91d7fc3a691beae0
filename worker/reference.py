"""Reads the policies and code sets that claims are decided by, for commands and for the stream."""

from __future__ import annotations

from pathlib import Path

from worker.adjudication import Reference
from worker.codes import catalog as codes
from worker.codes.vocabulary import Vocabulary as Codes
from worker.codes.vocabulary import load_vocabulary, vocabulary_by
from worker.policies import catalog as policies
from worker.policies.code_checks import Vocabulary


def load_reference(
    policies_dir: Path | None = None,
    codes_dir: Path | None = None,
    payers: Path | None = None,
    *,
    draft: bool = False,
) -> Reference:
    """Load everything; None means what ships with the worker.

    What is a ``draft`` needs no manifest; what ships with the worker is none. Raises ``PolicyError`` or
    ``CodeSetError`` when a file is not as its manifest lists it or does not check, a policy that names a code
    which does not exist among them: nothing is decided by it then.
    """
    reader = codes.reader_of(codes_dir, draft=draft)
    code_sets = codes.load_by(reader)
    vocabulary = _by_kind(vocabulary_by(reader))
    return Reference(policies.load(policies_dir, payers, vocabulary, draft=draft), code_sets)


def policy_vocabulary(codes_dir: Path | None = None) -> Vocabulary:
    """The codes that a policy may name, by kind, each with the day from which it is deactivated."""
    return _by_kind(load_vocabulary(codes_dir))


def _by_kind(known: Codes) -> Vocabulary:
    return {
        "procedure": dict.fromkeys(known.procedures),
        "modifier": dict.fromkeys(known.modifiers),
        "group": {code: validity.end for code, validity in known.group_codes.items()},
        "carc": {code: validity.end for code, validity in known.carcs.items()},
        "rarc": {code: validity.end for code, validity in known.rarcs.items()},
    }
