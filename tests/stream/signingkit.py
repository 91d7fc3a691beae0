"""Keys to sign with, and a check of a signature that shares nothing with the worker's code."""

from __future__ import annotations

import base64
import hashlib
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE = "mms-signature"


class KeyPair(NamedTuple):
    """The files of a pair, and the id of its public key."""

    private: Path
    public: Path
    key_id: str


def key_pair(directory: Path, name: str = "key") -> KeyPair:
    """A new pair, made as operators are told to; public keys are in a folder of their own."""
    private, public = directory / f"{name}.pem", directory / "public" / f"{name}.pem"
    public.parent.mkdir(exist_ok=True)
    openssl("genpkey", "-algorithm", "ed25519", "-out", private)
    openssl("pkey", "-in", private, "-pubout", "-out", public)
    return KeyPair(private, public, hashlib.sha256(raw(public)).hexdigest()[:16])


def openssl(*arguments: object) -> None:
    subprocess.run(
        [shutil.which("openssl") or "openssl", *map(str, arguments)], check=True, capture_output=True
    )


def raw(public: Path) -> bytes:
    """The 32 bytes of a public key: what RFC 8410 puts behind the 12 of its algorithm."""
    body = "".join(line for line in public.read_text().splitlines() if not line.startswith("-----"))
    return base64.b64decode(body)[12:]


def private_of(file: Path) -> Ed25519PrivateKey:
    found = serialization.load_pem_private_key(file.read_bytes(), None)
    assert isinstance(found, Ed25519PrivateKey)
    return found


def message(record: Any) -> bytes:
    """What has to be signed of a result, as the page on signatures says it."""
    headers = dict(record.headers)
    names = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type")
    whole = b"mms-result-signature-v1\0" + struct.pack(">q", record.timestamp)
    for part in (record.key, record.value, *(headers.get(name) for name in names)):
        whole += struct.pack(">i", -1) if part is None else struct.pack(">i", len(part)) + part
    return whole


def assert_signed(record: Any, pair: KeyPair) -> None:
    """The record has one signature, and it is that of this pair."""
    (header,) = [value for name, value in record.headers if name == SIGNATURE]
    algorithm, key_id, signature = header.decode().split(";")
    assert (algorithm, key_id) == ("ed25519", pair.key_id)
    Ed25519PublicKey.from_public_bytes(raw(pair.public)).verify(base64.b64decode(signature), message(record))
