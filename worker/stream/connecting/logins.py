"""Logins as aiokafka does them, and what it leaves out: bounds of the work of SCRAM, refused tokens."""

from __future__ import annotations

from aiokafka.conn import OAuthAuthenticator, ScramAuthenticator
from aiokafka.errors import SaslAuthenticationFailed

LEAST_ITERATIONS = 4096
"""RFC 7677, and Kafka's own client. With fewer, who takes a broker's place could guess by the proof."""
MOST_ITERATIONS = 1_000_000
"""Kafka's brokers have at most 16384. Without a bound, a false one could keep a thread busy for an hour."""


class Scram(ScramAuthenticator):  # type: ignore[misc]  # aiokafka has no types
    """Proves a password to those alone who ask for as much work as keeps it from being guessed."""

    def create_salted_password(self, salt: bytes, iterations: int) -> None:
        """Derive the key of the proof. Raises ValueError where too little or too much work is asked for."""
        if not LEAST_ITERATIONS <= iterations <= MOST_ITERATIONS:
            raise ValueError(f"{iterations} iterations are asked for")
        super().create_salted_password(salt, iterations)


class Bearer(OAuthAuthenticator):  # type: ignore[misc]  # as above
    """Hears that a token was refused: the answer says why then, and is to be acknowledged (RFC 7628)."""

    _is_refused = False

    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        """What is to be sent next; None when logged in."""
        if self._is_refused:
            raise SaslAuthenticationFailed("the token was refused")
        if self._token_sent and payload:
            self._is_refused = True
            return b"\x01", True
        answer: tuple[bytes, bool] | None = await super().step(payload)
        return answer
