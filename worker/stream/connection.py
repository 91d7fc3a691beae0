"""How every client of this process reaches the brokers: addresses, TLS, SASL, request timeout."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from worker.stream.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from worker.settings import Settings


def connection(settings: Settings) -> dict[str, Any]:
    """Keyword arguments that aiokafka's consumer, producer and admin client have in common.

    Passwords are read from their files here, each time, so that a rotated secret is used from the next
    connection on. Raises Refused if a file cannot be read or does not hold what it should.
    """
    known: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "client_id": settings.app_id,
        "request_timeout_ms": _ms(settings.request_timeout_s),
        "metadata_max_age_ms": _ms(settings.metadata_max_age_s),
        "security_protocol": settings.security_protocol,
    }
    if "SSL" in settings.security_protocol:
        known["ssl_context"] = _tls(settings)
    if settings.security_protocol.startswith("SASL"):
        known["sasl_mechanism"] = settings.sasl_mechanism
        known["sasl_plain_username"] = settings.sasl_username
        known["sasl_plain_password"] = _secret(settings.sasl_password_file)
    return known


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _tls(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise Refused(f"MMS_TLS_CA_FILE cannot be used: {error.strerror or error}") from error
    if settings.tls_cert_file is not None:
        # Without any password OpenSSL would ask for one, on a terminal that nobody watches.
        password = _secret(settings.tls_key_password_file) or ""
        try:
            context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file, password)
        except (OSError, ValueError) as error:
            raise Refused(
                f"MMS_TLS_CERT_FILE and MMS_TLS_KEY_FILE cannot be used: {_told(error)}; they must be a PEM "
                "certificate and its key, and MMS_TLS_KEY_PASSWORD_FILE must open a key that is encrypted"
            ) from error
    return context


def _told(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _secret(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise Refused(f"the secret's file {path} is not UTF-8 text") from None  # the error holds the secret
    except OSError as error:
        raise Refused(f"the secret's file {path} cannot be read: {error.strerror}") from error
