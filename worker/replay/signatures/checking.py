"""Whether a published result is signed, and by whom."""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from worker.stream.signature import SIGNATURE, SIGNED, statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.replay.signatures.keys import Keys

Headers: TypeAlias = "Sequence[tuple[str, bytes | None]]"
Fault: TypeAlias = Literal["bad", "of an unknown key", "unsigned"]
"""What is wrong:

- ``bad``: the signature is not that of its key over this record, or it is none, or not the only one.
- ``of an unknown key``: it names a key that was not given, so that nothing is known.
- ``unsigned``: there is none.
"""

_FORM = re.compile(rb"ed25519;([0-9a-f]{16});([A-Za-z0-9+/]{86}==)")


class Verdict(NamedTuple):
    """What came of one result."""

    fault: Fault | None
    key_id: str | None = None
    """Of the key that it is signed by, or says to be."""


UNSIGNED, BAD = Verdict("unsigned"), Verdict("bad")


def checked(key: bytes | None, value: bytes | None, timestamp: int, headers: Headers, keys: Keys) -> Verdict:
    """Check the signature of a result, given its record, by the public ``keys``."""
    found = [header for name, header in headers if name == SIGNATURE]
    if not found:
        return UNSIGNED
    match = _FORM.fullmatch(found[0] or b"")
    if len(found) > 1 or match is None or not _is_plain(headers):
        return BAD
    signature = a2b_base64(match[2])
    if b2a_base64(signature, newline=False) != match[2]:  # two texts for one signature
        return BAD
    key_id = match[1].decode()
    public = keys.get(key_id)
    if public is None:
        return Verdict("of an unknown key", key_id)
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  an optional extra; keys are there

    try:
        public.verify(signature, statement(key, value, timestamp, headers))
    except InvalidSignature:
        return Verdict("bad", key_id)
    return Verdict(None, key_id)


def _is_plain(headers: Headers) -> bool:
    """Whether each of the signed headers is there once at most, and says something: readers differ else."""
    named = [(name, value) for name, value in headers if name in SIGNED]
    return len({name for name, _ in named}) == len(named) and all(value is not None for _, value in named)
