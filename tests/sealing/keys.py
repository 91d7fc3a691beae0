"""Keys of a test, as files in a folder."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from worker.stream.sealing.master import MasterKey


def secret(name: str) -> bytes:
    """The 32 bytes that a key of this name has in every test."""
    return sha256(name.encode()).digest()


def master(name: str) -> MasterKey:
    return MasterKey(name, secret(name))


def add_key(folder: Path, name: str) -> None:
    """Put a key there, as ``head -c 32 /dev/urandom | base64`` writes it."""
    (folder / name).write_bytes(b64encode(secret(name)) + b"\n")


def folder_of(directory: Path, *names: str) -> Path:
    folder = directory / "keys"
    folder.mkdir()
    for name in names:
        add_key(folder, name)
    return folder
