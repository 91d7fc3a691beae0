"""TLS as brokers and token services are spoken to: certificates from files, loaded anew when they change.

Verification is on and cannot be switched off: chain, dates and name. TLS 1.2 is the least.
"""

from __future__ import annotations

import ssl
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import structlog

from worker.stream.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from worker.settings import Settings

log = structlog.get_logger()


class TlsFiles(NamedTuple):
    """The files of ``MMS_TLS_``, each None where there is none."""

    ca: Path | None
    certificate: Path | None
    key: Path | None
    key_password: Path | None

    def digest(self) -> bytes:
        """What tells contents from others: times do not, where a directory of files is exchanged at once."""
        return b"".join(sha256(_content(path)).digest() for path in self if path is not None)


NO_FILES = TlsFiles(None, None, None, None)


class Tls:
    """A TLS context for each connection, of the files as they are when it is made.

    Files that cannot be used, as a certificate whose key is not written yet, leave the former context in use
    until they can. Raises Refused if they cannot be used the first time.
    """

    def __init__(self, files: TlsFiles) -> None:
        self.files = files
        self._digest = files.digest()
        self._context = _context(files)
        self._is_told = False

    def context(self) -> ssl.SSLContext:
        """The context for a connection that is about to be made."""
        try:
            self._renew()
        except Refused as error:
            if not self._is_told:  # every connection would say it again
                self._is_told = True
                log.warning("renewed TLS files cannot be used, the former ones are", error=str(error))
        return self._context

    def _renew(self) -> None:
        digest = self.files.digest()
        if digest != self._digest:
            # A new one: a context forgets no CA, and the former may be taken out because it is not trusted.
            self._context, self._digest = _context(self.files), digest
            log.info("TLS files were renewed")
        self._is_told = False


def tls_files(settings: Settings) -> TlsFiles:
    """Those that the settings name."""
    return TlsFiles(
        settings.tls_ca_file, settings.tls_cert_file, settings.tls_key_file, settings.tls_key_password_file
    )


def _context(files: TlsFiles) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except OSError as error:  # ssl.SSLError is one
        raise Refused(f"MMS_TLS_CA_FILE cannot be used: {error.strerror or error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate is not None:
        # Without any password OpenSSL would ask for one, on a terminal that nobody watches.
        password = b"" if files.key_password is None else _content(files.key_password).rstrip(b"\r\n")
        try:
            context.load_cert_chain(files.certificate, files.key, password)
        except (OSError, ValueError) as error:
            raise Refused(
                f"MMS_TLS_CERT_FILE and MMS_TLS_KEY_FILE cannot be used: {_told(error)}; they must be a PEM "
                "certificate and its key, and MMS_TLS_KEY_PASSWORD_FILE must open a key that is encrypted"
            ) from error
    return context


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"the file {path} of MMS_TLS_ cannot be read: {error.strerror}") from error


def _told(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
