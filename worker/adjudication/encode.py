"""A result as the contract has it: its id, and its bytes."""

from __future__ import annotations

from hashlib import sha1
from uuid import UUID

import orjson

from worker.adjudication.result import Cause, LineDecision, Result

RESULTS = UUID("6f0c7a52-3b51-5d0e-9c58-0f1f2c7f4a11").bytes
"""Name space of result ids."""


def result_id_of(claim_id: str, revision: int, cause: Cause, basis_digest: str, history_digest: str) -> str:
    """The id of a result: a UUIDv5 (RFC 9562, 5.5) of claim, revision, cause and basis."""
    name = orjson.dumps(
        [claim_id, revision, cause.source, cause.id, cause.type, basis_digest, history_digest]
    )
    digest = bytearray(sha1(RESULTS + name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return id_of(bytes(digest))


def id_of(raw: bytes) -> str:
    """A result id as the contract writes it, of its 16 bytes; by hand, without the overhead of ``uuid``."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def encode(result: Result) -> bytes:
    """The result as one line of JSON, keys in the contract's order; the same result, the same bytes."""
    return orjson.dumps(
        {
            "result_id": result.result_id,
            "claim_id": result.claim_id,
            "member_id": result.member_id,
            "revision": result.revision,
            "supersedes": result.supersedes,
            "outcome": result.outcome,
            "cause": {"source": result.cause.source, "id": result.cause.id, "type": result.cause.type},
            "lines": [_line(line) for line in result.lines],
            "documentation_needed": [
                {"line": one.line, "lesion": one.lesion, "facts": one.facts}
                for one in result.documentation_needed
            ],
            "basis": orjson.Fragment(result.basis.json),
            "input_digest": result.input_digest,
        }
    )


def _line(line: LineDecision) -> dict[str, object]:
    return {
        "line": line.line,
        "decision": line.decision,
        "units_allowed": line.units_allowed,
        "adjustments": [{"group": one.group, "carc": one.carc, "rarc": one.rarc} for one in line.adjustments],
        "findings": [finding.encoded for finding in line.findings],
    }
