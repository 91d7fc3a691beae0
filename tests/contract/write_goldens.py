"""Write the expectation beside every example event: ``python -m tests.contract.write_goldens``.

What the code decides becomes what the tests expect, so read the difference before keeping it. Files that no
longer belong to an example are removed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from tests.contract.corpus import EXPECTATIONS, example_files, example_name
from worker.adjudication import Reference, Rejected, adjudicate, decode, encode
from worker.codes.catalog import load as load_codes
from worker.policies.catalog import load as load_policies


def load_reference() -> Reference:
    """The policies and code sets that the project ships."""
    return Reference(policies=load_policies(), code_sets=load_codes())


def decide(value: bytes, reference: Reference) -> tuple[str, bytes]:
    """What becomes of an event on its own: the suffix of its expectation, and that file's compact content."""
    event = decode(value)
    decided = event if isinstance(event, Rejected) else adjudicate(event, reference)
    if isinstance(decided, Rejected):
        letter = {"reason": decided.reason, "path": decided.path, "message": decided.message}
        return ".rejected.json", orjson.dumps(letter)
    return ".result.json", encode(decided)


def pretty(compact: bytes) -> bytes:
    """The form in which expectations are kept: the same keys in the same order, for people to read."""
    return orjson.dumps(orjson.loads(compact), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def expectation_beside(example: Path, suffix: str) -> Path:
    return example.with_name(example.stem + suffix)


def main() -> None:
    reference = load_reference()
    for example in example_files():
        suffix, compact = decide(example.read_bytes(), reference)
        for each in EXPECTATIONS:
            beside, content = expectation_beside(example, each), pretty(compact)
            if each != suffix:
                beside.unlink(missing_ok=True)
            elif not beside.exists() or beside.read_bytes() != content:
                beside.write_bytes(content)
                sys.stdout.write(f"wrote {example_name(example)}{suffix}\n")


if __name__ == "__main__":
    main()
