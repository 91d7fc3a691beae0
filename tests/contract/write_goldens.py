"""Write the expectation beside every example: ``python -m tests.contract.write_goldens``.

What the code decides becomes what the tests expect, so read the difference before keeping it. Files that no
longer belong to an example are removed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from tests.contract.corpus import EXPECTATIONS, example_files, example_name, history_files
from worker.adjudication import Adjudicated, Reference, Rejected, adjudicate, decode, encode
from worker.adjudication.claim import Event
from worker.codes.catalog import load as load_codes
from worker.policies.catalog import load as load_policies


def load_reference() -> Reference:
    """The policies and code sets that the project ships."""
    return Reference(policies=load_policies(), code_sets=load_codes())


def decide(value: bytes, reference: Reference) -> tuple[str, bytes]:
    """What becomes of a member's first event: the suffix of its expectation, and its compact content."""
    event = decode(value)
    decided = event if isinstance(event, Rejected) else adjudicate(event, None, reference)
    if isinstance(decided, Rejected):
        letter = {"reason": decided.reason, "path": decided.path, "message": decided.message}
        return ".rejected.json", orjson.dumps(letter)
    (result,) = decided.results
    return ".result.json", encode(result)


def decide_history(lines: bytes, reference: Reference) -> bytes:
    """Every result that a member's events cause, one a line, as ``mms-worker adjudicate`` writes them."""
    held, results = None, []
    for line in lines.splitlines():
        event = decode(line)
        decided = adjudicate(event, held, reference) if isinstance(event, Event) else event
        assert isinstance(decided, Adjudicated), f"a history shows events that are taken, not {decided}"
        held = decided.history or held
        results += [encode(result) + b"\n" for result in decided.results]
    return b"".join(results)


def results_beside(history: Path) -> Path:
    return history.with_suffix(".results.jsonl")


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
    for history in history_files():
        beside, content = results_beside(history), decide_history(history.read_bytes(), reference)
        if not beside.exists() or beside.read_bytes() != content:
            beside.write_bytes(content)
            sys.stdout.write(f"wrote {example_name(beside)}\n")


if __name__ == "__main__":
    main()
