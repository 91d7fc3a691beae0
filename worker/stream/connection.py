"""How every client of this process reaches the brokers: addresses, TLS, SASL, request timeout."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aiokafka.structs import ConsumerRecord

from worker.adjudication.redacted import redacted
from worker.stream.connecting.bearer import TokenFile, Tokens
from worker.stream.connecting.secret_file import SecretFile
from worker.stream.connecting.session import secure_connections
from worker.stream.connecting.tls import Tls, TlsFiles, tls_files
from worker.stream.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from worker.settings import Settings

redacted(ConsumerRecord)  # aiokafka's own words would be key, value and headers of whatever a client reads


def connection(settings: Settings) -> dict[str, Any]:
    """Keyword arguments that aiokafka's consumer, producer and admin client have in common.

    No secret is among them, but where it is read: certificates, passwords and tokens are those of the files
    when a connection is made, by every client and as long as it lives. Raises Refused if a file cannot be
    read, or does not hold what it should, when it is looked at first.
    """
    secure_connections()
    known: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "client_id": settings.app_id,
        "request_timeout_ms": _ms(settings.request_timeout_s),
        "metadata_max_age_ms": _ms(settings.metadata_max_age_s),
        "security_protocol": settings.security_protocol,
    }
    if "SSL" in settings.security_protocol:
        known["ssl_context"] = _tls(tls_files(settings))
    if settings.security_protocol.startswith("SASL"):
        known["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            known["sasl_oauth_token_provider"] = _tokens(settings)
        elif settings.sasl_password_file is not None:
            known["sasl_plain_username"] = settings.sasl_username
            known["sasl_plain_password"] = _secret(settings.sasl_password_file, "MMS_SASL_PASSWORD_FILE")
    return known


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


@lru_cache
def _tls(files: TlsFiles) -> Tls:
    # One of the process: what is kept while files are exchanged is not lost where a client is made meanwhile.
    return Tls(files)


@lru_cache
def _secret(path: Path, setting: str) -> SecretFile:
    return SecretFile(path, setting)


def _tokens(settings: Settings) -> Tokens:
    if settings.oauth_token_file is not None:
        return TokenFile(settings.oauth_token_file)
    secret = settings.oauth_client_secret_file
    if settings.oauth_token_url is None or settings.oauth_client_id is None or secret is None:
        raise Refused("OAUTHBEARER needs MMS_OAUTH_TOKEN_FILE, or MMS_OAUTH_TOKEN_URL with a client")
    asked = settings.oauth_token_url, settings.oauth_client_id, settings.oauth_scope
    return _token_service((*asked, settings.request_timeout_s), secret, settings.tls_ca_file)


@lru_cache
def _token_service(asked: tuple[str, str, str | None, float], secret: Path, ca: Path | None) -> Tokens:
    # Imported here: aiohttp is a tenth of a second of every command, and few have a use for it.
    from worker.stream.connecting.token_service import Client, TokenService  # noqa: PLC0415  see above

    known_by = _tls(TlsFiles(ca, None, None, None))
    return TokenService(Client(*asked), _secret(secret, "MMS_OAUTH_CLIENT_SECRET_FILE"), known_by)
