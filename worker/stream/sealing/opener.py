"""Opening what was sealed, with whichever of the keys did it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from worker.stream.sealing.closed import CannotOpen
from worker.stream.sealing.envelope import Damaged, parts_of
from worker.stream.sealing.sealer import unpacked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from worker.stream.sealing.envelope import Place
    from worker.stream.sealing.master import MasterKey

MOST_DATA_KEYS = 1024
"""Unwrapped data keys that are held; a partition has one of each life of its lane that left histories."""


class FolderOpener:
    """Opens with the keys of a folder."""

    def __init__(self, keys: Mapping[str, MasterKey], folder: Path, most: int = MOST_DATA_KEYS) -> None:
        self._keys = keys
        self._folder = folder
        self._cipher = lru_cache(most)(self._unwrapped)

    def open(self, value: bytes, place: Place, key: bytes | None) -> tuple[str, bytes]:
        """The id of the key that it was sealed with, and the value. Raises CannotOpen."""
        try:
            envelope = parts_of(value)
        except Damaged as damaged:
            raise CannotOpen.damaged(damaged) from None
        name = envelope.key_id
        if name not in self._keys:
            why = f"{self._folder} (MMS_SEALING_KEYS_DIR) does not have that key"
            raise CannotOpen.lacking(name, why, "put the key's file there")
        cipher = self._cipher(name, envelope.wrapped)
        if cipher is None:
            raise CannotOpen.unlike(name)
        try:
            packed = cipher.decrypt(envelope.nonce, envelope.sealed, envelope.head + place.binding(key))
        except InvalidTag:
            raise CannotOpen.unlike(name) from None
        # The key's own id: as many are kept as there are histories.
        return self._keys[name].id, unpacked(packed)

    def _unwrapped(self, name: str, wrapped: bytes) -> AESGCM | None:
        data_key = self._keys[name].unwrap(wrapped)
        return None if data_key is None else AESGCM(data_key)
