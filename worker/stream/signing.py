"""Signs results with the private key that the settings name."""

from __future__ import annotations

from binascii import b2a_base64
from typing import TYPE_CHECKING

from worker.settings import variable
from worker.stream.errors import Refused
from worker.stream.signature import ALGORITHM, CRYPTO, key_id_of, statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from worker.settings import Settings


class Signer:
    """Signs by one key. Ed25519 draws no random number: a batch that is tried again is the same bytes."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self.key_id = key_id_of(private.public_key().public_bytes_raw())
        self._begin = f"{ALGORITHM};{self.key_id};".encode()
        self._sign = private.sign

    def __call__(
        self, key: bytes | None, value: bytes, timestamp: int, headers: Sequence[tuple[str, bytes | None]]
    ) -> bytes:
        """The header that signs a result."""
        return self._begin + b2a_base64(self._sign(statement(key, value, timestamp, headers)), newline=False)


def signer_of(settings: Settings) -> Signer | None:
    """What ``MMS_SIGNING_KEY_FILE`` asks for. Raises Refused where that key cannot be used."""
    file = settings.signing_key_file
    if file is None:
        return None
    name = f"{variable('signing_key_file')}={file}"
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  an optional extra
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  the same
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415  the same
    except ImportError as missing:
        raise Refused(f"{name} {CRYPTO}") from missing
    try:
        found = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise Refused(f"{name} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it wants a password
        found = None
    if not isinstance(found, ed25519.Ed25519PrivateKey):
        raise Refused(
            f"{name} must hold an Ed25519 private key as PEM (PKCS#8), without a password; "
            f"openssl genpkey -algorithm ed25519 makes one"
        )
    return Signer(found)
