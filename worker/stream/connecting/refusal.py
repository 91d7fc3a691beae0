"""Why a connection did not come about, in words that name the cause and the setting.

What TLS or the login refuses is no matter of waiting: it is a SecurityError. Everything else passes as it is.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, NamedTuple

from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from worker.stream.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.stream.connecting.tls import TlsFiles


class NotConnectedError(KafkaConnectionError):  # type: ignore[misc]  # aiokafka has no types
    """A connection did not come about. The message is one line without secrets: who, and why."""

    def __str__(self) -> str:
        """The message alone; aiokafka would put the type before it."""
        return str(self.args[0])


class SecurityError(NotConnectedError):
    """TLS or the login does not let it come about; by itself another try mends nothing.

    The message names the setting to look at, too.
    """


class Attempt(NamedTuple):
    """A connection that was tried."""

    address: str
    protocol: str
    """As MMS_SECURITY_PROTOCOL has it."""
    mechanism: str | None
    user: str | None
    files: TlsFiles


OTHER_NAME = {62, 64}
"""X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL's x509_vfy.h."""
NOT_YET, EXPIRED = 9, 10
"""X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED."""
UNKNOWN_CA = {2, 18, 19, 20, 21}
"""X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT and what else OpenSSL says of a chain that ends at no known CA."""

PROTOCOL = "MMS_SECURITY_PROTOCOL"
NEEDED = "asks for a client certificate; set MMS_TLS_CERT_FILE"
TOO_OLD = "speaks no TLS of version 1.2 or newer"
PEERS: Mapping[str, str] = {
    "TLSV1_ALERT_PROTOCOL_VERSION": TOO_OLD,
    "UNSUPPORTED_PROTOCOL": TOO_OLD,
    "WRONG_VERSION_NUMBER": f"speaks no TLS on this port; see {PROTOCOL} and the port",
}
OWN: Mapping[str, str] = {
    "SSLV3_ALERT_BAD_CERTIFICATE": "does not accept the client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "says that the client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "says that the client certificate is revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "does not accept the client certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "does not accept the client certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "does not accept the client certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "does not accept the client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "does not know the CA of the client certificate",
}
"""What is wrong by ``ssl.SSLError.reason``: with how the peer speaks, and with the client certificate."""


def refusal(error: BaseException, attempt: Attempt) -> SecurityError | None:
    """What TLS or the login has refused; None where it was something else that failed."""
    if isinstance(error, SecurityError):
        return error
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return SecurityError(f"{attempt.address} {_not_verified(cause, attempt)}")
        if isinstance(cause, ssl.SSLError) and (said := _handshake(cause.reason, attempt)) is not None:
            return SecurityError(f"{attempt.address} {said}")
    why = _not_logged_in(error, attempt)
    return None if why is None else SecurityError(f"{attempt.address} {why}")


def not_let_in(error: BaseException) -> Refused | None:
    """The refusal to start, or to go on, where a SecurityError is behind ``error``."""
    return next((Refused(str(cause)) for cause in _causes(error) if isinstance(cause, SecurityError)), None)


def explained(error: BaseException, attempt: Attempt) -> BaseException:
    """What to raise for ``error``: of a connection that was closed at once, the broker has not said why."""
    if isinstance(error, UnicodeError) and not isinstance(error, UnicodeDecodeError):
        return NotConnectedError(f"{attempt.address} is no name that can be looked up")
    refused = refusal(error, attempt)
    if refused is not None:
        return refused
    if isinstance(error, (ConnectionResetError, ssl.SSLEOFError)) or type(error) is KafkaConnectionError:
        return NotConnectedError(f"{attempt.address} {closed(attempt.protocol)}")
    return error


def closed(protocol: str) -> str:
    """What is said of a broker that closes connections and says nothing."""
    return f"closed the connection before it answered; is that a listener for {PROTOCOL}={protocol}?"


def _handshake(reason: str | None, attempt: Attempt) -> str | None:
    own = OWN.get(reason or "")
    if own is None:
        return PEERS.get(reason or "")
    return NEEDED if attempt.files.certificate is None else f"{own}; renew MMS_TLS_CERT_FILE"


def _not_verified(error: ssl.SSLCertVerificationError, attempt: Attempt) -> str:
    said = f"is not trusted: its certificate does not verify ({error.verify_message})"
    if error.verify_code in OTHER_NAME:
        return f"{said}; MMS_BOOTSTRAP_SERVERS, or the broker's advertised.listeners, needs a name it is for"
    if error.verify_code in UNKNOWN_CA:
        if attempt.files.ca is None:
            return f"{said}; no CA of the system is behind it: set MMS_TLS_CA_FILE"
        return f"{said}; no CA in MMS_TLS_CA_FILE={attempt.files.ca} is behind it"
    if error.verify_code in {NOT_YET, EXPIRED}:
        return f"{said}; renew it at the broker, or set the clock here"
    return f"{said}; see MMS_TLS_CA_FILE"


def _not_logged_in(error: BaseException, attempt: Attempt) -> str | None:
    user, mechanism = attempt.user, attempt.mechanism
    if isinstance(error, IllegalSaslStateError):
        return f"takes no login on this port; see {PROTOCOL} and the port"
    if isinstance(error, UnsupportedSaslMechanismError):
        return f"takes no login by {mechanism}; see MMS_SASL_MECHANISM"
    if isinstance(error, SaslAuthenticationFailed):
        if mechanism == "OAUTHBEARER":
            return "does not accept the bearer token; see MMS_OAUTH_TOKEN_FILE or MMS_OAUTH_TOKEN_URL"
        see = "see MMS_SASL_USERNAME and MMS_SASL_PASSWORD_FILE"
        return f"does not let user {user} in by {mechanism}; {see}"
    # What aiokafka raises of an answer that it does not expect.
    if attempt.protocol.startswith("SASL") and isinstance(error, (ValueError, LookupError, AssertionError)):
        return f"is not trusted: it did not answer a login by {mechanism} as who knows user {user} would"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
