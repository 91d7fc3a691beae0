"""Bearer tokens for SASL OAUTHBEARER (RFC 7628), and the one that lies in a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiokafka.abc import AbstractTokenProvider

from worker.stream.connecting.refusal import SecurityError

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""``b64token`` of RFC 6750, section 2.1: nothing in it could end the SASL message or add to it."""


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Where the token of the next connection comes from."""

    async def token(self) -> str:
        """A token. Raises SecurityError where there is none to be had, NotConnectedError if that may pass."""
        raise NotImplementedError

    def refused(self) -> None:
        """Hear that a broker has not accepted a token."""


class TokenFile(Tokens):
    """A file that something else renews, as Kubernetes does: read for every connection."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """What the file holds now, without blanks around it."""
        where = f"MMS_OAUTH_TOKEN_FILE={self._path}"
        try:
            found = self._path.read_bytes().strip()
        except OSError as error:
            raise SecurityError(f"{where} cannot be read: {error.strerror}") from error
        return valid(found.decode("latin-1"), where)


def valid(token: str, where: str) -> str:
    """The token itself. Raises SecurityError, which does not quote it, if it is none."""
    if not token:
        raise SecurityError(f"{where} holds no token, it is empty")
    if TOKEN.fullmatch(token) is None:
        raise SecurityError(f"{where} holds no bearer token: there are characters that none has (RFC 6750)")
    return token
