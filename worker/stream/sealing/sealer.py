"""Sealing: AES-256-GCM (NIST SP 800-38D) with a data key that one sealer alone has."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.stream.sealing.envelope import NONCE_BYTES, head_of
from worker.stream.sealing.master import KEY_BYTES

if TYPE_CHECKING:
    from worker.stream.sealing.envelope import Place
    from worker.stream.sealing.master import MasterKey

MOST_VALUES = 1 << 20
"""Values of a data key, after which there is a new one. With values of 2 MiB these are 2^37 blocks, of which
the bound on what anyone could tell from so many is 2^-54."""
AS_IS, DEFLATED = b"\x00", b"\x01"


class Sealer:
    """Seals values with a random data key of its own, wrapped by ``master`` and kept with each of them.

    No nonce repeats: it counts, by the deterministic construction (8.2.1 there) with an empty fixed field,
    since no other sealer has the data key; after ``most`` values there is another. Belongs to one life of one
    lane.
    """

    def __init__(self, master: MasterKey, most: int = MOST_VALUES) -> None:
        self.key_id = master.id
        self._master = master
        self._most = most
        self._renew()

    def seal(self, value: bytes, place: Place, key: bytes | None) -> bytes:
        """The value, so that it opens as the one of a record with this key at that place and nowhere else."""
        if self._count == self._most:
            self._renew()
        nonce = self._count.to_bytes(NONCE_BYTES, "big")
        self._count += 1
        head = self._head
        return head + nonce + self._cipher.encrypt(nonce, _packed(value), head + place.binding(key))

    def _renew(self) -> None:
        data_key = AESGCM.generate_key(8 * KEY_BYTES)
        self._cipher = AESGCM(data_key)
        self._head = head_of(self.key_id, self._master.wrap(data_key))
        self._count = 0


def _packed(value: bytes) -> bytes:
    """The value behind a byte that says how it is packed.

    No event is so large as what is packed here, and what is sealed cannot be compressed afterwards. A value
    that came in compressed to a thousandth would make a dead letter that its topic does not take.
    """
    return AS_IS + value if len(value) <= MAX_VALUE_BYTES else DEFLATED + zlib.compress(value, 1)


def unpacked(packed: bytes) -> bytes:
    """The value that was packed. Who has made it had the key, so it is what somebody has sealed."""
    return zlib.decompress(packed[1:]) if packed[:1] == DEFLATED else packed[1:]
