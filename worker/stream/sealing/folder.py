"""The folder of keys: a file a key, as a mounted Secret of Kubernetes has it."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from worker.stream.errors import Refused
from worker.stream.sealing.envelope import MOST_ID_BYTES
from worker.stream.sealing.master import KEY_BYTES, MasterKey

if TYPE_CHECKING:
    from pathlib import Path

ID = re.compile(r"[A-Za-z0-9._-]+")
HOW = "head -c 32 /dev/urandom | base64"
READ_BYTES = 1024
"""Far more than a key's file has: a wrong one may be of any size."""


def read_keys(folder: Path) -> dict[str, MasterKey]:
    """The keys of a folder by their ids, which are the files' names.

    Names that begin with a dot are passed over: Kubernetes keeps its own links there. So is a name without a
    file: it was taken away meanwhile. Raises Refused for a folder or file that cannot be read, and for a file
    that does not hold 32 bytes in base64.
    """
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise Refused(f"MMS_SEALING_KEYS_DIR {folder} cannot be read: {error.strerror}") from error
    secrets = {_id(path): _secret(path) for path in files}
    return {name: MasterKey(name, secret) for name, secret in secrets.items() if secret is not None}


def _id(path: Path) -> str:
    if not ID.fullmatch(path.name) or len(path.name) > MOST_ID_BYTES:
        raise Refused(
            f"the name of the file {str(path)!r} in MMS_SEALING_KEYS_DIR cannot be a key's id: that has at "
            f"most {MOST_ID_BYTES} letters, digits, dots, _ and -"
        )
    return path.name


def _secret(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            text = file.read(READ_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"the sealing key {path} cannot be read: {error.strerror}") from error
    try:
        secret = b64decode(text.strip(), validate=True)
    except ValueError:  # its text may quote the key
        secret = b""
    if len(secret) != KEY_BYTES:
        raise Refused(f"the sealing key {path} must be 32 bytes in base64, on one line; make one by: {HOW}")
    return secret
