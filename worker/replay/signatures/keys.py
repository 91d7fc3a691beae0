"""Public keys by which signatures of results are checked: those of today, and those that signed before."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from worker.replay.reading.evidence import EvidenceError
from worker.replay.reading.lines import reading
from worker.stream.signature import CRYPTO, key_id_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Keys: TypeAlias = "Mapping[str, Ed25519PublicKey]"
"""By their id."""

MAKES_ONE = "openssl pkey -in PRIVATE_KEY -pubout makes one"

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_PUBLIC = b"PUBLIC KEY"


def read_keys(path: Path) -> Keys:
    """The keys of a PEM file, or of all files in a folder that are not hidden.

    Raises EvidenceError where there is none, or where any of it is something else: what is meant to be a key
    and is not one must not be left out in silence.
    """
    with reading(path):
        files = sorted(one for one in path.iterdir() if one.name[0] != ".") if path.is_dir() else [path]
        read = [(file, file.read_bytes()) for file in files]
    found: dict[str, Ed25519PublicKey] = {}
    for file, data in read:
        for key in _keys_of(file, data):
            found[key_id_of(key.public_bytes_raw())] = key
    if not found:
        raise EvidenceError(f"{path}: no public key is in this folder; {MAKES_ONE}")
    return found


def _keys_of(file: Path, data: bytes) -> list[Ed25519PublicKey]:
    blocks = list(_BLOCK.finditer(data))
    if not blocks:
        raise EvidenceError(f"{file}: it holds no public key as PEM; {MAKES_ONE}")
    names = _BEGIN.findall(data)
    if any(b"PRIVATE" in name for name in names):
        raise EvidenceError(f"{file}: it holds a private key, which belongs to the worker alone; {MAKES_ONE}")
    if len(names) > len(blocks):
        raise EvidenceError(f"{file}: it holds a key that is cut off; {MAKES_ONE}")
    return [_key(file, block[0] if block[1] == _PUBLIC else b"") for block in blocks]


def _key(file: Path, pem: bytes) -> Ed25519PublicKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  an optional extra
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  the same
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415  the same
    except ImportError:
        raise EvidenceError(f"checking signatures {CRYPTO}") from None
    found: Any = None
    with suppress(ValueError, UnsupportedAlgorithm):
        found = serialization.load_pem_public_key(pem)
    if not isinstance(found, ed25519.Ed25519PublicKey):
        raise EvidenceError(f"{file}: it holds something else than Ed25519 public keys; {MAKES_ONE}")
    return found
