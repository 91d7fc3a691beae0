"""A master key: it wraps data keys and nothing else, so it never meets what it protects."""

from __future__ import annotations

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

KEY_BYTES = 32
"""AES-256, of master keys and of data keys."""


class MasterKey:
    """One key of the folder, with its file's name as its id.

    Wraps by AES-KW (RFC 3394, NIST SP 800-38F). It needs no nonce, so however many workers wrap with one
    master key, there is none to repeat; AES-GCM with random nonces would bound how often it may be used. What
    it lacks, hiding that two keys are the same, is of no use for keys that are random.
    """

    __slots__ = ("_secret", "id")

    def __init__(self, id_: str, secret: bytes) -> None:
        self.id = id_
        self._secret = secret

    def __repr__(self) -> str:
        return f"MasterKey({self.id!r})"

    def wrap(self, data_key: bytes) -> bytes:
        """The data key, to be kept with what it seals."""
        return aes_key_wrap(self._secret, data_key)

    def unwrap(self, wrapped: bytes) -> bytes | None:
        """The data key that was wrapped; None if it was wrapped by another key, or changed since."""
        try:
            return aes_key_unwrap(self._secret, wrapped)
        except InvalidUnwrap:
            return None
